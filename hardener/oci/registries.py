"""Lists of registries, as configurations and policies have them: `docker.io`, `*.example.org`, `ghcr.io/acme/*`.

A launch imports this module, too.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

_DOCKER_HUB: Final = frozenset({"docker.io", "hub.docker.com", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"})


def covers(registry: str, repository: str | None, patterns: Iterable[str]) -> bool:
    """Whether a list of registries (with `*`, and paths where wanted) covers an image; a `repository` that is not known may be covered."""
    registry = registry_name(registry)
    for pattern in patterns:
        host, slash, path = pattern.lower().removeprefix("https://").removeprefix("http://").rstrip("/").partition("/")
        if not matches(registry_name(host), registry):
            continue
        if not slash or repository is None or matches(path, repository) or matches(f"{path}/*", repository):
            return True
    return False


def registry_name(host: str) -> str:
    """Return the one name of a registry that can be written in several ways: case means nothing in it, and 443 is its port anyway."""
    host = host.lower().removesuffix(":443")
    return "docker.io" if host in _DOCKER_HUB else host


def matches(pattern: str, text: str) -> bool:
    """Whether a text matches a pattern of `*`s; each piece is looked for once, so the cost is linear."""
    first, *rest = pattern.split("*")
    if not rest:
        return first == text
    last = rest.pop()
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for piece in rest:
        found = text.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True
