"""A policy's `runtime:` and `images:` kept as JSON, so that a launch reads no YAML; what is kept counts while its files are the same.

A launch imports this module. It uses the interpreter's own hash, not the package around it, which takes long to import. The profile of
system calls is most of a policy, and a launch whose filter is compiled already never looks into it: it is kept as a text of its own.
"""

from __future__ import annotations

import posix
from _blake2 import blake2b

from hardener.errors import HardenError
from hardener.oci import json_text
from hardener.oci.runtime import Spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from hardener.policies.images import Images
    from hardener.policies.model import Policy
    from hardener.policies.runtime import Runtime

VERSION: Final = 5
"""Changes whenever the same policy may be stored differently."""

APART: Final = {"defaultAction": "kept apart"}
"""What stands for the profile in `Stored.spec`: it is no filter, and whoever takes it for one gets an error."""


class Stored:
    """What a policy asks for. `profile` is its profile of system calls as text ("" without one), `name` is the name of that."""

    __slots__ = ("_images", "_runtime", "_spec", "name", "profile")

    def __init__(self, runtime: object, images: object, spec: object, profile: str, name: str) -> None:
        self._runtime = runtime
        self._images = images
        self._spec = spec
        self.profile = profile
        self.name = name

    def runtime(self) -> Runtime:
        """Return the `runtime:` itself."""
        from hardener.policies.runtime import Runtime

        made = Runtime.parse(self._runtime, "runtime")
        if made.seccomp == APART:
            made.seccomp = json_text.scan(self.profile)
        return made

    def images(self) -> Images | None:
        """Return the `images:`; None where the policy asks for nothing of images."""
        if self._images is None:
            return None
        from hardener.policies.images import Images

        return Images.parse(self._images, "images")

    def settled(self) -> Spec:
        """Return what the policy makes of a specification that asks for nothing; `linux.seccomp` is APART where there is a profile."""
        return Spec.parse(self._spec)


def store(policy: Policy, nothing: Spec) -> str:
    """Return the `runtime:` of a policy as text, what it makes of a specification that asks for nothing, and hashes of its files."""
    import os
    from json import dumps

    from hardener.policies import enforce
    from hardener.policies.load import load
    from hardener.policies.runtime import over

    if policy.runtime is None:
        raise HardenError(
            f"the policy {policy.name} says nothing of containers that run",
            where=policy.path,
            how="take one with `runtime:`: default, strict or a file",
        )
    runtime = policy.runtime.dump()
    shipped = load("default")
    # What a policy leaves open is not open for that: nobody has asked for anything yet.
    spec = enforce.apply(over(policy.runtime, shipped.runtime), nothing).dump()
    linux = spec.get("linux")
    profile = linux.get("seccomp") if isinstance(linux, dict) else None
    if isinstance(linux, dict) and profile:
        linux["seccomp"] = APART
        if runtime.get("seccomp") == profile:  # with debuggers let in it is another
            runtime["seccomp"] = APART
    kept = {
        "version": VERSION,
        "files": {os.path.abspath(path): _hash(path) for path in (*policy.files, *shipped.files)},
        "runtime": runtime,
        "images": None if policy.images is None else policy.images.dump(),
        "spec": spec,
        "profile": dumps(profile, separators=(",", ":")) if profile else "",
        "name": policy.runtime.seccomp_name or policy.name,
    }
    return dumps(kept, separators=(",", ":"))


def restore(text: str) -> Stored | None:
    """Return what was stored; None when one of its files has changed since, or when it is no such text."""
    try:
        kept = json_text.scan(text)
        if not isinstance(kept, dict) or kept.get("version") != VERSION or not isinstance(kept.get("files"), dict):
            return None
        if not all(_hash(path) == known for path, known in kept["files"].items()):
            return None
        return Stored(kept["runtime"], kept["images"], kept["spec"], kept["profile"], kept["name"])
    except (KeyError, OSError, ValueError):
        return None


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
