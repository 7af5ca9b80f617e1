"""JSON that a person can skim and a diff can show: the outer levels on lines of their own, everything deeper on one line.

`json.dumps(indent=…)` spreads a finding over thirty lines and leaves the C encoder for one that is ten times slower.
Output is ASCII: it survives any console and any pipe, and holds nothing that a terminal would act upon.
"""

from json import dumps
from typing import TypeAlias

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | bool | None"


def encode(value: Json, *, depth: int, indent: str = "") -> str:
    """Return `value` as JSON, with `depth` levels of arrays and objects indented by one space."""
    if depth <= 0 or not value:
        return dumps(value)
    inner = indent + " "
    if isinstance(value, dict):
        members = [f"{inner}{dumps(key)}: {encode(member, depth=depth - 1, indent=inner)}" for key, member in value.items()]
        return "{\n" + ",\n".join(members) + f"\n{indent}}}"
    if isinstance(value, list):
        items = [inner + encode(item, depth=depth - 1, indent=inner) for item in value]
        return "[\n" + ",\n".join(items) + f"\n{indent}]"
    return dumps(value)
