"""A policy's `runtime:` kept as JSON, so that a launch reads no YAML; what is kept counts only while its files are what they were.

A launch imports this module. It uses the interpreter's own JSON scanner and hash, not the packages around them, which take longer to
import than everything else that a launch does.
"""

from __future__ import annotations

import _json
import posix
from _blake2 import blake2b

from hardener.errors import HardenError
from hardener.policies.runtime import Runtime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from hardener.policies.model import Policy

VERSION: Final = 1
"""Changes whenever the same policy may be stored differently."""


class _Context:
    """What the scanner asks of a decoder."""

    __slots__ = ("memo", "object_hook", "object_pairs_hook", "parse_constant", "parse_float", "parse_int", "strict")

    def __init__(self) -> None:
        self.strict = True
        self.object_hook = None
        self.object_pairs_hook = None
        self.parse_float = float
        self.parse_int = int
        self.parse_constant = float
        self.memo: dict[str, str] = {}


def scan(text: str) -> object:
    """Return the value of a JSON text that has nothing around it. Raises ValueError for anything else."""
    scanner: Callable[[str, int], tuple[object, int]] = vars(_json)["make_scanner"](_Context())
    try:
        value, end = scanner(text, 0)
    except StopIteration as stop:
        raise ValueError(f"no JSON at character {stop.value}") from None
    if end != len(text):
        raise ValueError(f"something behind the JSON, at character {end}")
    return value


def store(policy: Policy) -> str:
    """Return the `runtime:` of a policy as text, with the hash of every file that took part."""
    import os
    from json import dumps

    if policy.runtime is None:
        raise HardenError(f"the policy {policy.name} says nothing of containers that run", where=policy.path, how="add `runtime:`")
    files = {os.path.abspath(path): _hash(path) for path in policy.files}
    return dumps({"version": VERSION, "files": files, "runtime": policy.runtime.dump()}, separators=(",", ":"))


def restore(text: str) -> Runtime | None:
    """Return what was stored; None when one of its files has changed since, or when it is no such text."""
    try:
        stored = scan(text)
        if not isinstance(stored, dict) or stored.get("version") != VERSION or not isinstance(stored.get("files"), dict):
            return None
        runtime = Runtime.parse(stored.get("runtime"), "runtime")
        fresh = all(_hash(path) == known for path, known in stored["files"].items())
    except (HardenError, OSError, ValueError):
        return None
    return runtime if fresh else None


def _hash(path: str) -> str:
    """Return a hash of a file's content, as hexadecimal digits."""
    digest = blake2b(digest_size=32)
    fd = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    try:
        while part := posix.read(fd, 1 << 16):
            digest.update(part)
    finally:
        posix.close(fd)
    return digest.hexdigest()
