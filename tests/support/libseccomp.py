"""libseccomp as an oracle: builds the filter that runc would, and hands out its BPF program."""

import ctypes
import functools
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import bpf
import pytest

OPERATORS = ("SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ")  # from 1 on
BAD_ARCHITECTURE = 2  # SCMP_FLTATR_ACT_BADARCH


class Comparison(ctypes.Structure):
    _fields_ = (("index", ctypes.c_uint), ("operator", ctypes.c_int), ("first", ctypes.c_uint64), ("second", ctypes.c_uint64))


class Rule(NamedTuple):
    """One rule for one syscall."""

    name: str
    action: int  # SECCOMP_RET_*
    arguments: tuple[Mapping[str, Any], ...] = ()


@functools.cache
def library() -> ctypes.CDLL:
    """Return the library, or skip the test."""
    try:
        found = ctypes.CDLL("libseccomp.so.2")
    except OSError:
        pytest.skip("libseccomp: apt-get install libseccomp2")
    found.seccomp_init.restype = ctypes.c_void_p
    found.seccomp_init.argtypes = [ctypes.c_uint32]
    found.seccomp_release.argtypes = [ctypes.c_void_p]
    found.seccomp_attr_set.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32]
    found.seccomp_arch_add.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
    found.seccomp_arch_remove.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
    found.seccomp_rule_add_array.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.POINTER(Comparison)]
    found.seccomp_export_bpf.argtypes = [ctypes.c_void_p, ctypes.c_int]
    found.seccomp_syscall_resolve_name.argtypes = [ctypes.c_char_p]
    found.seccomp_syscall_resolve_name_arch.argtypes = [ctypes.c_uint32, ctypes.c_char_p]
    found.seccomp_arch_native.restype = ctypes.c_uint32
    return found


TOKENS = {"x86_64": 0xC000003E, "i386": 0x40000003, "x32": 0x4000003E, "aarch64": 0xC00000B7, "arm": 0x40000028}
"""SCMP_ARCH_*: those of the kernel, but for x32."""


UNKNOWN = -1


def number(name: str, architecture: str) -> int:
    """Return libseccomp's number of a syscall, for x32 with its bit: `UNKNOWN`, or below that, for what it has no number of."""
    found: int = library().seccomp_syscall_resolve_name_arch(TOKENS[architecture], name.encode())
    return found


def program(default: int, rules: Iterable[Rule], architectures: Sequence[str], *, elsewhere: int) -> tuple[bpf.Instruction, ...]:
    """Return libseccomp's program; `elsewhere` is the action for architectures that it is not for. The first one is the machine's own.

    Rules for names that it does not know, or that do what the default does, are left out, as runc does.
    """
    lib = library()
    context = lib.seccomp_init(default)
    assert context
    try:
        native = lib.seccomp_arch_native()
        for architecture in architectures:
            if TOKENS[architecture] != native:
                _check(lib.seccomp_arch_add(context, TOKENS[architecture]))
        if native not in [TOKENS[architecture] for architecture in architectures]:
            _check(lib.seccomp_arch_remove(context, native))
        _check(lib.seccomp_attr_set(context, BAD_ARCHITECTURE, elsewhere))
        for rule in rules:
            known = lib.seccomp_syscall_resolve_name(rule.name.encode())
            if rule.action == default or known == UNKNOWN:
                continue
            tests = [
                Comparison(argument["index"], OPERATORS.index(argument["op"]) + 1, argument["value"], argument.get("valueTwo", 0))
                for argument in rule.arguments
            ]
            _check(lib.seccomp_rule_add_array(context, rule.action, known, len(tests), (Comparison * len(tests))(*tests)), rule)
        file = os.memfd_create("bpf")
        try:
            _check(lib.seccomp_export_bpf(context, file))
            return bpf.decode(os.pread(file, 1 << 20, 0))
        finally:
            os.close(file)
    finally:
        lib.seccomp_release(context)


def _check(result: int, what: object = "") -> None:
    assert result == 0, f"libseccomp: {os.strerror(-result)} {what}"
