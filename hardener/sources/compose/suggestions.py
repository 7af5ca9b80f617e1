"""What somebody meant by a key that the Compose Specification does not have there. Only needed when there is one."""

from hardener.errors import suggest
from hardener.sources.compose.spec import LEVELS, NICKNAMES


def suggestion(level: str, key: str) -> tuple[str, bool]:
    """Return `did you mean 'x'?` ("" when nothing is near), and whether that is so near that it is a slip of the pen."""
    known = tuple(LEVELS[level])
    written = key.replace("-", "_").replace(" ", "_").lower()
    if level == "service" and (nickname := NICKNAMES.get(key) or NICKNAMES.get(written)) is not None:
        return f"did you mean {nickname!r}?", True
    if written in known or _snake(key) in known:
        return f"did you mean {(written if written in known else _snake(key))!r}?", True
    close = suggest(key, known)
    if not close:
        return "", False
    meant = close.split("'")[1]
    return close, _distance(key, meant) <= (2 if len(meant) > 5 else 1)


def home(level: str, key: str) -> str:
    """Return where the specification has a key, as a path from the service or the top level; "" when nowhere, or in too many places."""
    places = _homes(key)
    places.pop(level, None)
    return min(places.values(), key=lambda path: (path.count("."), path)) if places else ""


def _homes(key: str) -> dict[str, str]:
    """Return the levels that have a key, each with the shortest path to it."""
    found: dict[str, str] = {}
    seen = {"": "the top level", "service": "services.<name>"}
    queue = ["", "service"]
    while queue:
        level = queue.pop(0)
        for field, kind in LEVELS[level].items():
            if field == key:
                found[level] = seen[level]
            for part in kind.replace("[", "|").replace("]", "|").replace("<", "|").replace(">", "|").replace("{", "|").split("|"):
                inner = part.strip("!}")
                if inner[:1] == "@" and inner[1:] not in seen:
                    base = seen[level] if level else ""
                    seen[inner[1:]] = f"{base}.{field}".removeprefix("services.<name>.").lstrip(".")
                    queue.append(inner[1:])
    return found


def _snake(key: str) -> str:
    """Return `readOnly` as `read_only`."""
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in key).lstrip("_")


def _distance(one: str, other: str) -> int:
    """Return how many characters must be changed, added, dropped or swapped with their neighbour."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, char in enumerate(one, 1):
        row = [i]
        for j, wanted in enumerate(other, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (char != wanted))
            if i > 1 and j > 1 and char == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]
