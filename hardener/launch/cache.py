"""Policies and their profiles of system calls as a launch wants them: from what is kept (kept.py), or made now and kept.

A policy is YAML, and its profile has conditions on the machine, the kernel and capabilities: to read both takes ten times as long as to
start a container. What is kept says which files it was made of, and counts while their content is the same.
"""

from __future__ import annotations

from hardener import __version__, launch, linux, policies
from hardener.errors import HardenError
from hardener.launch import base
from hardener.oci import json_text
from hardener.policies import stored
from hardener.runtime import kept

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

    from hardener.policies.stored import Stored

_READERS: Final = ("enforce", "images", "images_load", "load", "runtime", "runtime_load", "runtime_tighten", "seccomp", "stored")
_WALLS: Final = ("files", "gap", "kernel", "limits", "process")
_COMPILER: Final = ("bpf", "filters", "syscalls")


def load(what: str, cache: str) -> Stored:
    """Return a policy by its name, or from a file by its absolute path. Raises `HardenError` for anything that is none."""
    name = _key("policy", what) if cache else ""
    text = kept.read(cache, "policy", name) if name else None
    found = stored.restore(text.decode()) if text else None
    if found is not None:
        return found
    from hardener.policies.load import load as read

    made = stored.store(read(what), base.nothing())
    if name:
        kept.write(cache, "policy", name, made.encode())
    found = stored.restore(made)
    if found is None:
        raise HardenError("the policy changes while it is read", where=what, how="try again")
    return found


def filter_rules(
    profile: str, where: str, *, machine: str, kernel: tuple[int, int], capabilities: Iterable[str], cache: str
) -> dict[str, object]:
    """Return `linux.seccomp` of a config.json: what a profile (the text of one in Docker's format) says there, for capabilities (CAP_…)."""
    held = sorted(capabilities)
    name = _key("rules", profile, machine, f"{kernel[0]}.{kernel[1]}", *held) if cache else ""
    text = kept.read(cache, "rules", name) if name else None
    rules = json_text.scan(text.decode()) if text else None
    if isinstance(rules, dict):
        return rules
    from json import dumps

    from hardener.policies import seccomp

    made = seccomp.resolved(seccomp.parse(profile.encode(), where), machine=machine, capabilities=held, kernel=kernel)
    if name:
        kept.write(cache, "rules", name, dumps(made, separators=(",", ":")).encode())
    return made


def _key(*parts: str) -> str:
    """Return the name of what is made of some parts by this version of the code; "" where the code has no files to tell it by."""
    try:
        code = (
            kept.makers(policies.__path__, *_READERS, *(f"walls/{name}" for name in _WALLS)),
            kept.makers(linux.__path__, *_COMPILER),
            kept.makers(launch.__path__, "base"),
        )
    except OSError:
        return ""
    return kept.key((__version__, *code, *parts))
