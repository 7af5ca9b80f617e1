"""What somebody meant by a key that the Compose Specification does not have there. Only needed when there is one."""

from hardener.errors import suggest
from hardener.sources.compose.spec import LEVELS, NICKNAMES


def suggestion(level: str, key: str) -> tuple[str, bool]:
    """Return `did you mean 'x'?` ("" when nothing is near), and whether it is the same word, spelt differently."""
    known = tuple(LEVELS[level])
    written = key.replace("-", "_").replace(" ", "_").lower()
    if level == "service" and (nickname := NICKNAMES.get(key) or NICKNAMES.get(written)) is not None:
        return f"did you mean {nickname!r}?", True
    if written in known or _snake(key) in known:
        return f"did you mean {(written if written in known else _snake(key))!r}?", True
    for other in (f"{written}s", written.removesuffix("s")):
        if other in known:
            return f"did you mean {other!r}?", True
    return suggest(key, known), False


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
