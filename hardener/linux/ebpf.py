"""eBPF programs that decide which devices a control group may use: an assembler of the few instructions they take, and bpf(2).

Source: docs.kernel.org/bpf/standardization/instruction-set.html, <linux/bpf.h>, bpf(2).
"""

from __future__ import annotations

import posix

from hardener.linux.binding import address, attempt, check, memory, text, words
from hardener.linux.consts import SYSCALLS

R0, R1, R2, R3, R4, R5 = range(6)
"""Registers: R0 is the verdict, R1 holds the address of the context at the start."""

_LOAD_WORD = 0x61  # BPF_LDX | BPF_MEM | BPF_W
_SET, _COPY = 0xB7, 0xBF  # BPF_ALU64 | BPF_MOV with BPF_K, BPF_X
_OR, _AND, _SHIFT_RIGHT, _XOR = 0x47, 0x57, 0x77, 0xA7  # BPF_ALU64 | BPF_K
_AND_REGISTER = 0x5F  # BPF_ALU64 | BPF_AND | BPF_X
_JUMP_EQUAL, _JUMP_UNEQUAL = 0x15, 0x55  # BPF_JMP | BPF_K
_EXIT = 0x95

_PROG_LOAD, _PROG_ATTACH = 5, 8
_CGROUP_DEVICE_PROGRAM, _CGROUP_DEVICE_ATTACH = 15, 6
_ALLOW_MULTI = 2  # a program of a group above, such as systemd's, stays in force too: all must agree
_LOG_SIZE = 1 << 16


class Assembler:
    """Instructions one after another. Jumps go forward to a mark that is set later."""

    __slots__ = ("_code", "_waiting")

    def __init__(self) -> None:
        self._code: list[tuple[int, int, int, int, int]] = []  # code, target, source, offset, constant
        self._waiting: dict[str, list[int]] = {}

    def __len__(self) -> int:
        return len(self._code)

    def load_word(self, target: int, source: int, offset: int) -> None:
        """Load 32 bits from memory."""
        self._code.append((_LOAD_WORD, target, source, offset, 0))

    def set(self, target: int, value: int) -> None:
        """Make a register a constant."""
        self._code.append((_SET, target, 0, 0, value))

    def copy(self, target: int, source: int) -> None:
        """Make a register another one."""
        self._code.append((_COPY, target, source, 0, 0))

    def shift_right(self, target: int, bits: int) -> None:
        """Shift a register."""
        self._code.append((_SHIFT_RIGHT, target, 0, 0, bits))

    def mask(self, target: int, bits: int) -> None:
        """Leave only some bits of a register."""
        self._code.append((_AND, target, 0, 0, bits))

    def mask_by(self, target: int, source: int) -> None:
        """Leave only the bits that another register has."""
        self._code.append((_AND_REGISTER, target, source, 0, 0))

    def add_bits(self, target: int, bits: int) -> None:
        """Set bits of a register."""
        self._code.append((_OR, target, 0, 0, bits))

    def flip(self, target: int, bits: int) -> None:
        """Turn bits of a register over."""
        self._code.append((_XOR, target, 0, 0, bits))

    def unless_equal(self, target: int, value: int, mark: str) -> None:
        """Go to a mark unless a register has a value."""
        self._waiting.setdefault(mark, []).append(len(self._code))
        self._code.append((_JUMP_UNEQUAL, target, 0, 0, value))

    def if_equal(self, target: int, value: int, mark: str) -> None:
        """Go to a mark when a register has a value."""
        self._waiting.setdefault(mark, []).append(len(self._code))
        self._code.append((_JUMP_EQUAL, target, 0, 0, value))

    def mark(self, name: str) -> None:
        """Be where the jumps to a mark lead."""
        for at in self._waiting.pop(name, []):
            code, target, source, _, constant = self._code[at]
            self._code[at] = (code, target, source, len(self._code) - at - 1, constant)

    def leave(self) -> None:
        """End the program; R0 is its result."""
        self._code.append((_EXIT, 0, 0, 0, 0))

    def assemble(self) -> bytes:
        """Return the program as `struct bpf_insn[]` (little-endian machines only)."""
        if self._waiting:
            raise ValueError(f"no mark {', '.join(self._waiting)}")
        rows = [
            bytes((code, target | source << 4)) + words(offset, size=2) + words(constant, size=4)
            for code, target, source, offset, constant in self._code
        ]
        return b"".join(rows)


def load_device_program(program: bytes) -> int:
    """Load a program that decides about devices; return its descriptor. The kernel's own reason is in the error."""
    code, license_, log = memory(program), memory(text("Apache-2.0")), memory(_LOG_SIZE)
    head = words(_CGROUP_DEVICE_PROGRAM, len(program) // 8, size=4) + words(address(code), address(license_))
    tail = words(0, 0, size=4) + b"harden_devices".ljust(16, b"\0")
    quiet = head + words(0, 0, size=4) + words(0) + tail
    result = attempt(SYSCALLS["bpf"], _PROG_LOAD, quiet, len(quiet))
    if result >= 0:
        return result
    said = head + words(1, _LOG_SIZE, size=4) + words(address(log)) + tail
    again = attempt(SYSCALLS["bpf"], _PROG_LOAD, said, len(said))
    if again >= 0:
        return again
    reason = bytes(log).split(b"\0", 1)[0].decode("utf-8", "replace").strip()
    return check(result, f"bpf(BPF_PROG_LOAD, devices){f' [{reason[-300:]}]' if reason else ''}")


def attach_device_program(directory: str, program: bytes) -> None:
    """Let a program decide about the devices of a control group of version 2 and of all below it."""
    fd = load_device_program(program)
    try:
        group = posix.open(directory, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)
        try:
            request = words(group, fd, _CGROUP_DEVICE_ATTACH, _ALLOW_MULTI, size=4)
            check(attempt(SYSCALLS["bpf"], _PROG_ATTACH, request, len(request)), f"bpf(BPF_PROG_ATTACH, {directory})")
        finally:
            posix.close(group)
    finally:
        posix.close(fd)
