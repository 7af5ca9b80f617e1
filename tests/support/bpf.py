"""Runs seccomp filters as the kernel would: an interpreter for the instructions of classic BPF that a filter may have."""

import struct
from collections.abc import Sequence
from typing import NamedTuple

WORD = (1 << 32) - 1


class Instruction(NamedTuple):
    code: int
    yes: int
    no: int
    constant: int


class Call(NamedTuple):
    """What a filter sees of a syscall: `struct seccomp_data`."""

    number: int
    architecture: int
    arguments: tuple[int, ...] = (0, 0, 0, 0, 0, 0)

    def words(self) -> tuple[int, ...]:
        return struct.unpack("<16I", struct.pack("<IIQ6Q", self.number & WORD, self.architecture, 0, *self.arguments))


def decode(program: bytes) -> tuple[Instruction, ...]:
    return tuple(Instruction(*fields) for fields in struct.iter_unpack("<HBBI", program))


def run(program: Sequence[Instruction], call: Call) -> int:
    """Return the SECCOMP_RET_* value of a filter for a call. Fails on any instruction that the kernel would not take or that jumps out."""
    words = call.words()
    accumulator = position = 0
    while True:
        code, yes, no, constant = program[position]
        position += 1
        if code == 0x15:
            position += yes if accumulator == constant else no
        elif code == 0x20:  # load a word of seccomp_data
            assert constant % 4 == 0 and constant < 64
            accumulator = words[constant // 4]
        elif code == 0x06:
            return constant
        elif code == 0x05:
            position += constant
        elif code == 0x25:
            position += yes if accumulator > constant else no
        elif code == 0x35:
            position += yes if accumulator >= constant else no
        elif code == 0x45:
            position += yes if accumulator & constant else no
        elif code == 0x54:
            accumulator &= constant
        else:
            raise AssertionError(f"instruction {position - 1} has the code {code:#x}")


def listing(program: Sequence[Instruction]) -> str:
    """Return a program as text, for the message of a test that fails."""
    names = {0x20: "load", 0x06: "return", 0x05: "jump", 0x15: "==", 0x25: ">", 0x35: ">=", 0x45: "&", 0x54: "and"}
    lines = []
    for position, (code, yes, no, constant) in enumerate(program):
        jumps = f" ? {position + 1 + yes} : {position + 1 + no}" if code & 0x07 == 0x05 and code != 0x05 else ""
        goal = position + 1 + constant if code == 0x05 else constant
        lines.append(f"{position:4} {names.get(code, hex(code))} {goal:#x}{jumps}")
    return "\n".join(lines)
