"""A policy's `runtime:` kept as JSON, so that a launch reads no YAML; what is kept counts only while its files are what they were.

A launch imports this module. It uses the interpreter's own hash, not the package around it, which takes long to import.
"""

from __future__ import annotations

import posix
from _blake2 import blake2b

from hardener.errors import HardenError
from hardener.oci import json_text
from hardener.policies.runtime import Runtime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from hardener.policies.model import Policy

VERSION: Final = 1
"""Changes whenever the same policy may be stored differently."""


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
        stored = json_text.scan(text)
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
