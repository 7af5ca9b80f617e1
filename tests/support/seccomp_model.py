"""What a seccomp profile means, evaluated rule by rule: the slow truth that compiled filters are held to."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import bpf
import libseccomp

from hardener.linux import filters, syscalls

Profile = Mapping[str, Any]

WHOLE = (1 << 64) - 1
MOST = 80  # arguments that are tried for one syscall


def holds(test: Mapping[str, Any], value: int) -> bool:
    wanted = test["value"]
    match test["op"]:
        case "SCMP_CMP_NE":
            return bool(value != wanted)
        case "SCMP_CMP_LT":
            return bool(value < wanted)
        case "SCMP_CMP_LE":
            return bool(value <= wanted)
        case "SCMP_CMP_EQ":
            return bool(value == wanted)
        case "SCMP_CMP_GE":
            return bool(value >= wanted)
        case "SCMP_CMP_GT":
            return bool(value > wanted)
        case "SCMP_CMP_MASKED_EQ":
            return bool(value & wanted == test.get("valueTwo", 0))
    raise AssertionError(test)


def action(entry: Mapping[str, Any]) -> int:
    return filters.read_action(entry["action"], entry.get("errnoRet"), "")


def default(profile: Profile) -> int:
    return filters.read_action(profile["defaultAction"], profile.get("defaultErrnoRet"), "")


def strictness(value: int) -> int:
    """Return a number that is lower for the stricter action: signed, as in the kernel."""
    return (value & 0xFFFF0000) - ((value & 0x80000000) << 1)


def lets_through(value: int) -> bool:
    return value & 0xFFFF0000 in (filters.ALLOW, filters.LOG, filters.TRACE)


def verdict(profile: Profile, name: str, arguments: Sequence[int]) -> int:
    """Return the action of a profile for a named syscall: the strictest of the rules that hold, the first of equals."""
    matching = [
        action(entry)
        for entry in profile["syscalls"]
        if name in entry["names"] and all(holds(test, arguments[test["index"]]) for test in entry.get("args", ()))
    ]
    return min(matching, key=strictness, default=default(profile))


def newest(profile: Profile, architecture: str) -> int:
    """Return the largest number that a profile names: what is above is newer than the profile."""
    table = syscalls.numbers(architecture)
    limit = syscalls.ARM_PRIVATE if architecture == "arm" else 1 << 32
    named = (table.get(name, -1) for entry in profile["syscalls"] for name in entry["names"])
    return max((number for number in named if number < limit), default=-1)


def is_newer(profile: Profile, architecture: str, number: int) -> bool:
    """Tell whether a syscall did not exist for who wrote a profile, which then refuses it with ENOSYS."""
    if lets_through(default(profile)) or (architecture == "arm" and number >= syscalls.ARM_PRIVATE):
        return False
    return -1 < newest(profile, architecture) < number


def arguments_worth_trying(profile: Profile, name: str, bits: int) -> list[tuple[int, ...]]:
    """Return arguments on both sides of every test, with high bits, and otherwise plain ones."""
    tests = [test for entry in profile["syscalls"] if name in entry["names"] for test in entry.get("args", ())]
    limit = (1 << bits) - 1
    values: dict[int, set[int]] = {index: {0} for index in range(6)}
    for test in tests:
        for value in (test["value"], test.get("valueTwo", 0), test["value"] | test.get("valueTwo", 0)):
            near = {value - 1, value, value + 1, value ^ 1 << 31, value ^ 1 << 32, value ^ 1 << 63, value & 0xFFFFFFFF, value >> 32}
            values[test["index"]] |= {one & limit for one in near} | {limit, 1 << bits - 1}
    found = {tuple(0 for _ in range(6)), (limit,) * 6}
    indexes = [index for index in values if len(values[index]) > 1]
    for index in indexes:
        for value in values[index]:
            for others in [
                (0,) * 6,
                *[tuple(sorted(values[one])[position % len(values[one])] for one in range(6)) for position in range(12)],
            ]:
                found.add((*others[:index], value, *others[index + 1 :]))
    ordered = sorted(found)
    return ordered[:: 1 + len(ordered) // MOST]


def rules(profile: Profile, *, only: int | None = None) -> Iterable[libseccomp.Rule]:
    """Return the rules of a profile for libseccomp: all, or those of one action."""
    for entry in profile["syscalls"]:
        if only is None or action(entry) == only:
            for name in entry["names"]:
                yield libseccomp.Rule(name, action(entry), tuple(entry.get("args", ())))


def call(name: str, architecture: str, arguments: tuple[int, ...]) -> bpf.Call:
    return bpf.Call(syscalls.numbers(architecture)[name], syscalls.AUDIT[architecture], arguments)
