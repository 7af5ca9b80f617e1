"""The filter of system calls: compiled before the fork, installed as the last act before execve."""

from __future__ import annotations

from hardener import __version__, linux
from hardener.errors import HardenError
from hardener.linux import calls
from hardener.linux.binding import MACHINE
from hardener.runtime import kept

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from hardener.oci.runtime import Spec

FLAGS: Final = {"SECCOMP_FILTER_FLAG_TSYNC": 1, "SECCOMP_FILTER_FLAG_LOG": 2, "SECCOMP_FILTER_FLAG_SPEC_ALLOW": 4}


class Filter:
    """A BPF program and the flags to install it with."""

    __slots__ = ("flags", "program")

    def __init__(self, program: bytes, flags: int) -> None:
        self.program = program
        self.flags = flags

    def lines(self) -> list[str]:
        """Return the plan for a reader."""
        return [f"filter of {len(self.program) // 8} instructions"]


def plan(spec: Spec, cache: str = "") -> Filter | None:
    """Return the filter of a specification, compiled or from a folder of what is kept (kept.py); None without one."""
    seccomp = spec.linux.seccomp if spec.linux else None
    if not seccomp:
        return None
    if not isinstance(seccomp, dict):
        raise HardenError("linux.seccomp must be an object", where="linux.seccomp")
    if seccomp.get("listenerPath"):
        raise HardenError("a seccomp listener is not supported", where="linux.seccomp.listenerPath")
    flags = 0
    for flag in seccomp.get("flags") or ():
        if flag not in FLAGS:
            raise HardenError(f"unknown flag {flag!r}", where="linux.seccomp.flags", how=f"known: {', '.join(FLAGS)}")
        flags |= FLAGS[flag]
    return Filter(_program(seccomp, cache), flags)


def _program(seccomp: dict[str, object], cache: str) -> bytes:
    name = _key(seccomp) if cache else ""
    program = kept.read(cache, "filter", name) if name else None
    if program:
        return program
    from hardener.linux.filters import compile_filter

    program = compile_filter(seccomp, MACHINE)
    if name:
        kept.write(cache, "filter", name, program)
    return program


def _key(seccomp: dict[str, object]) -> str:
    """Return the name of a filter: of all its rules in their order, the machine, and the compiler; "" where that has no files."""
    try:
        compiler = kept.makers(linux.__path__, "bpf", "filters", "syscalls")
    except OSError:
        return ""
    return kept.key((__version__, compiler, MACHINE, repr(seccomp)))


def apply(plan: Filter) -> None:
    """Install it; from here on only execve and the report of its failure are left to do."""
    calls.seccomp_filter(plan.program, plan.flags)
