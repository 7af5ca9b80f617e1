"""Compiled seccomp filters mean what their profile says: beside a model, beside libseccomp, and in the kernel itself."""

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import bpf
import libseccomp
import pytest
import seccomp_model as model
from forked import forked
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hardener.errors import HardenError
from hardener.linux import bpf as programs
from hardener.linux import calls, filters, syscalls
from hardener.linux.consts import PR_SET_NO_NEW_PRIVS

ALLOW, EPERM, ENOSYS = filters.ALLOW, filters.ERRNO | 1, filters.ERRNO | 38
X86_64, I386, X32 = "x86_64", "i386", "x32"
SUB = {
    "x86_64": "SCMP_ARCH_X86_64",
    "i386": "SCMP_ARCH_X86",
    "x32": "SCMP_ARCH_X32",
    "aarch64": "SCMP_ARCH_AARCH64",
    "arm": "SCMP_ARCH_ARM",
}


def profile(*rules: dict[str, Any], default: str = "ERRNO", architectures: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    return {
        "defaultAction": f"SCMP_ACT_{default}",
        "architectures": [SUB[name] for name in architectures],
        "syscalls": list(rules),
        **more,
    }


def rule(
    names: str, action: str = "ALLOW", *tests: tuple[int, str, int] | tuple[int, str, int, int], errno: int | None = None
) -> dict[str, Any]:
    found: dict[str, Any] = {"names": names.split(), "action": f"SCMP_ACT_{action}"}
    if tests:
        found["args"] = [
            dict(zip(("index", "op", "value", "valueTwo"), (test[0], f"SCMP_CMP_{test[1]}", *test[2:]), strict=False)) for test in tests
        ]
    if errno is not None:
        found["errnoRet"] = errno
    return found


def decoded(seccomp: dict[str, Any], machine: str = X86_64) -> tuple[bpf.Instruction, ...]:
    return bpf.decode(filters.compile_filter(seccomp, machine))


def verdict(seccomp: dict[str, Any], name: str | int, *arguments: int, architecture: str = X86_64, machine: str = X86_64) -> int:
    number = name if isinstance(name, int) else syscalls.numbers(architecture)[name]
    return bpf.run(decoded(seccomp, machine), bpf.Call(number, syscalls.AUDIT[architecture], (*arguments, *[0] * (6 - len(arguments)))))


# --- what rules mean --------------------------------------------------------------------------------------------------------

HIGH = 1 << 32


@pytest.mark.parametrize(
    ("test", "yes", "no"),
    [
        ((0, "EQ", 5), [5], [4, 6, 5 + HIGH, 0]),
        ((0, "EQ", 5 + HIGH), [5 + HIGH], [5, HIGH, 5 + 2 * HIGH]),
        ((0, "NE", 5), [4, 5 + HIGH, 0], [5]),
        ((0, "LT", 5), [0, 4], [5, 6, HIGH]),
        ((0, "LE", 5), [0, 5], [6, HIGH]),
        ((0, "GE", 5), [5, 6, HIGH], [0, 4]),
        ((0, "GT", 5), [6, HIGH], [5, 0]),
        ((0, "GT", 0xFFFFFFFF), [HIGH], [0xFFFFFFFF]),
        ((0, "LE", model.WHOLE), [0, model.WHOLE], []),
        ((0, "GT", model.WHOLE), [], [0, model.WHOLE]),
        ((0, "GE", 0), [0, model.WHOLE], []),
        ((0, "LT", 0), [], [0, model.WHOLE]),
        ((0, "MASKED_EQ", 0xFF, 5), [5, 0x105, 5 + HIGH], [4, 0x15]),
        ((0, "MASKED_EQ", 0x30, 0), [0, 0xCF, 0xFF << 32], [0x10, 0x20, 0x30]),
        ((0, "MASKED_EQ", 0x10, 0x10), [0x10, 0xFF], [0, 0xEF]),
        ((0, "MASKED_EQ", 0x30, 0x10), [0x10, 0xDF], [0, 0x30, 0x20]),
        ((0, "MASKED_EQ", 0x30 << 32, 0x10 << 32), [0x10 << 32, 0xDF << 32], [0, 0x10, 0x30 << 32]),
        ((0, "MASKED_EQ", 0x3 | 0x30 << 32, 0x1 | 0x10 << 32), [0x1 | 0x10 << 32], [0x1, 0x10 << 32, 0x3 | 0x10 << 32]),
        ((0, "MASKED_EQ", model.WHOLE, 7), [7], [6, 7 + HIGH]),
        ((0, "MASKED_EQ", 0, 0), [0, model.WHOLE], []),
    ],
)
@pytest.mark.parametrize("index", range(6))
def test_a_comparison(test: tuple[Any, ...], yes: list[int], no: list[int], index: int) -> None:
    seccomp = profile(rule("futex", "ALLOW", (index, *test[1:])))
    others = [0] * index
    assert {value: verdict(seccomp, "futex", *others, value) for value in yes + no} == dict.fromkeys(yes, ALLOW) | dict.fromkeys(no, EPERM)


@pytest.mark.parametrize(
    ("rules", "arguments", "expected"),
    [
        pytest.param([rule("kill", "ALLOW", (0, "EQ", 1), (1, "EQ", 2))], (1, 2), ALLOW, id="both arguments"),
        pytest.param([rule("kill", "ALLOW", (0, "EQ", 1), (1, "EQ", 2))], (1, 3), EPERM, id="one of two arguments"),
        pytest.param([rule("kill", "ALLOW", (0, "EQ", 1)), rule("kill", "ALLOW", (1, "EQ", 2))], (9, 2), ALLOW, id="one of two rules"),
        pytest.param([rule("kill", "ALLOW", (0, "EQ", 1)), rule("kill", "ALLOW", (1, "EQ", 2))], (9, 9), EPERM, id="none of two rules"),
        pytest.param([rule("kill", "ALLOW", (0, "EQ", 1), (0, "EQ", 2))], (2, 0), ALLOW, id="several values of one argument"),
        pytest.param([rule("kill", "ALLOW", (0, "EQ", 1), (0, "EQ", 2))], (3, 0), EPERM, id="none of several values"),
        pytest.param(
            [rule("kill"), rule("kill", "ERRNO", (0, "EQ", 1), errno=7)], (1, 0), filters.ERRNO | 7, id="refusal beside permission"
        ),
        pytest.param([rule("kill", "ERRNO", (0, "EQ", 1), errno=7), rule("kill")], (1, 0), filters.ERRNO | 7, id="in any order"),
        pytest.param([rule("kill"), rule("kill", "ERRNO", (0, "EQ", 1), errno=7)], (2, 0), ALLOW, id="only what it refuses"),
        pytest.param([rule("kill", "ERRNO", errno=7), rule("kill", "ERRNO", errno=8)], (), filters.ERRNO | 7, id="the first of equals"),
        pytest.param([rule("kill", "TRAP"), rule("kill", "KILL")], (), filters.KILL_THREAD, id="the strictest"),
        pytest.param([rule("kill", "KILL_PROCESS"), rule("kill", "KILL_THREAD")], (), filters.KILL_PROCESS, id="the strictest of all"),
        pytest.param([rule("kill", "NOTIFY"), rule("kill", "TRACE", errno=9)], (), filters.NOTIFY, id="ask before tracing"),
        pytest.param([rule("kill", "TRACE", errno=9)], (), filters.TRACE | 9, id="trace with data"),
        pytest.param([rule("kill", "TRACE")], (), filters.TRACE | 1, id="trace without data"),
        pytest.param([rule("kill", "LOG")], (), filters.LOG, id="log"),
        pytest.param(
            [rule("kill", "ALLOW", (0, "MASKED_EQ", 6, 2)), rule("kill", "LOG", (0, "MASKED_EQ", 6, 4))],
            (4,),
            filters.LOG,
            id="one mask, two values",
        ),
        pytest.param(
            [rule("kill", "ALLOW", (0, "MASKED_EQ", 6, 2)), rule("kill", "LOG", (0, "MASKED_EQ", 12, 12))],
            (14,),
            filters.LOG,
            id="two masks",
        ),
        pytest.param(
            [rule("kill", "ALLOW", (0, "MASKED_EQ", 6, 2)), rule("kill", "LOG", (0, "MASKED_EQ", 12, 8))],
            (10,),
            filters.LOG,
            id="two masks hold",
        ),
        pytest.param([rule("kill", "ERRNO", errno=0)], (), filters.ERRNO, id="pretend success"),
    ],
)
def test_rules_together(rules: list[dict[str, Any]], arguments: tuple[int, ...], expected: int) -> None:
    assert verdict(profile(*rules), "kill", *arguments) == expected


@pytest.mark.parametrize(
    ("seccomp", "name", "architecture", "expected"),
    [
        (profile(rule("read")), "read", X86_64, ALLOW),
        (profile(rule("read write")), "open", X86_64, ENOSYS),  # 2: above all that the profile names
        (profile(rule("read openat2")), "open", X86_64, EPERM),
        (profile(rule("read openat2")), "openat2", X86_64, ALLOW),
        (profile(rule("read openat2")), "pidfd_getfd", X86_64, ENOSYS),
        (profile(rule("read openat2")), 0x3FFFFFFF, X86_64, ENOSYS),
        (profile(rule("read"), defaultErrnoRet=13), "read", X86_64, ALLOW),
        (profile(rule("listns"), defaultErrnoRet=13), "read", X86_64, filters.ERRNO | 13),
        (profile(rule("listns"), default="KILL_PROCESS"), "read", X86_64, filters.KILL_PROCESS),
        (profile(rule("openat2"), default="KILL_PROCESS"), "listns", X86_64, ENOSYS),
        (profile(rule("read", "ERRNO"), default="ALLOW"), "read", X86_64, EPERM),
        (profile(rule("read", "ERRNO"), default="ALLOW"), "listns", X86_64, ALLOW),
        (profile(rule("read", "ERRNO"), default="LOG"), "listns", X86_64, filters.LOG),
        (profile(rule("read", "ERRNO"), default="TRACE"), "listns", X86_64, filters.TRACE | 1),
        (profile(), "read", X86_64, EPERM),
        # x32 and 32 bits: only where named
        (profile(rule("read")), "read", X32, ENOSYS),
        (profile(rule("read", "ERRNO"), default="ALLOW"), "write", X32, ENOSYS),
        (profile(rule("read", "ERRNO"), default="ALLOW"), 520, X86_64, ENOSYS),  # x32's execve without its bit
        (profile(rule("read", "ERRNO"), default="ALLOW"), 548, X86_64, ALLOW),
        (profile(rule("read")), 0xFFFFFFFF, X86_64, ENOSYS),
        (profile(rule("read")), "read", I386, filters.KILL_PROCESS),
        (profile(rule("read"), default="ALLOW"), "read", I386, filters.KILL_PROCESS),
        (profile(rule("read")), "read", "aarch64", filters.KILL_PROCESS),
        (profile(rule("read execve"), architectures=(X86_64, X32)), "read", X32, ALLOW),
        (profile(rule("read execve"), architectures=(X86_64, X32)), "execve", X32, ALLOW),
        (profile(rule("read execve"), architectures=(X86_64, X32)), 0x40000000 | 59, X32, EPERM),  # not x32's number of execve
        (profile(rule("read execve"), architectures=(X86_64, X32)), "listns", X32, EPERM),  # x32's execve has a larger number
        (profile(rule("read execve"), architectures=(X86_64, X32)), 0x40000000 | 521, X32, ENOSYS),
        (profile(rule("read execve"), architectures=(X86_64, X32)), "listns", X86_64, ENOSYS),
        (profile(rule("read"), architectures=(I386,)), "read", I386, ALLOW),
        (profile(rule("read"), architectures=(I386,)), "read", X86_64, ALLOW),
        (profile(rule("read"), architectures=(I386,)), "write", I386, ENOSYS),
        # 32-bit machine words
        (profile(rule("read futex"), architectures=(I386,)), "futex", I386, ALLOW),
    ],
)
def test_numbers_and_architectures(seccomp: dict[str, Any], name: str | int, architecture: str, expected: int) -> None:
    assert verdict(seccomp, name, architecture=architecture) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("read", ALLOW), ("write", ENOSYS), ("set_tls", ALLOW), ("cacheflush", EPERM), ("get_tls", EPERM)],
)
def test_private_calls_of_arm_are_not_newer_than_the_profile(name: str, expected: int) -> None:
    seccomp = profile(rule("read set_tls"), architectures=("arm",))
    assert verdict(seccomp, name, architecture="arm", machine="aarch64") == expected


def test_private_calls_of_arm_alone_make_nothing_newer() -> None:
    seccomp = profile(rule("set_tls"), architectures=("arm",))
    assert verdict(seccomp, "listns", architecture="arm", machine="aarch64") == EPERM


@pytest.mark.parametrize(
    ("rules", "name", "arguments", "expected"),
    [
        ([rule("socket rseq")], "socket", (38,), ALLOW),
        ([rule("socket rseq")], "socketcall", (1,), ALLOW),
        ([rule("socket rseq")], "socketcall", (2,), EPERM),
        ([rule("socket", "ALLOW", (0, "EQ", 1)), rule("rseq")], "socketcall", (1,), EPERM),  # the family is out of sight
        ([rule("socket", "ALLOW", (0, "EQ", 1)), rule("rseq")], "socket", (1,), ALLOW),
        ([rule("socket", "ALLOW", (0, "EQ", 1)), rule("rseq socketcall")], "socketcall", (1,), ALLOW),  # asked for
        ([rule("semtimedop rseq")], "ipc", (4,), ALLOW),
        ([rule("semtimedop rseq")], "ipc", (4 | 1 << 16,), EPERM),
        ([rule("semtimedop rseq")], "ipc", (24,), EPERM),
    ],
)
def test_i386_programs_call_sockets_and_ipc_through_one_syscall(
    rules: list[dict[str, Any]], name: str, arguments: tuple[int, ...], expected: int
) -> None:
    assert verdict(profile(*rules, architectures=(I386,)), name, *arguments, architecture=I386) == expected


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("socketcall", (1,), EPERM),  # the family is out of sight: refuse them all
        ("socketcall", (3,), ALLOW),
        ("ipc", (21,), EPERM),
        ("ipc", (21 | 1 << 16,), EPERM),  # the kernel does not mind the version in the upper half
        ("ipc", (22,), ALLOW),
    ],
)
def test_what_is_refused_is_refused_there_too(name: str, arguments: tuple[int, ...], expected: int) -> None:
    seccomp = profile(rule("socket", "ERRNO", (0, "EQ", 38)), rule("shmat", "ERRNO"), default="ALLOW", architectures=(I386,))
    assert verdict(seccomp, name, *arguments, architecture=I386) == expected


# --- beside the model and libseccomp ----------------------------------------------------------------------------------------

NAMES = (
    "read",
    "close",
    "mprotect",
    "ioctl",
    "clone",
    "prctl",
    "futex",
    "openat",
    "personality",
    "statx",
    "clone3",
    "openat2",
    "epoll_pwait2",
)
PERMITTING = ("ALLOW", "LOG", "TRACE", "NOTIFY")
REFUSING = ("ERRNO", "TRAP", "KILL_THREAD", "KILL_PROCESS")
VALUES = st.one_of(
    st.sampled_from([0, 1, 2, 3, 7, 8, 0xFF, 0x5412, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]),
    st.sampled_from([HIGH, HIGH + 1, 3 * HIGH + 5, 1 << 63, model.WHOLE, model.WHOLE - 1]),
    st.integers(0, model.WHOLE),
)


@st.composite
def comparisons(draw: st.DrawFn, largest: int) -> dict[str, Any]:
    index = draw(st.integers(0, 5))
    operator = draw(st.sampled_from(filters.OPERATORS))
    value = draw(VALUES) & largest
    if operator == "SCMP_CMP_MASKED_EQ":
        return {"index": index, "op": operator, "value": value, "valueTwo": draw(VALUES) & value}
    return {"index": index, "op": operator, "value": value}


@st.composite
def profiles(draw: st.DrawFn, *, largest: int = model.WHOLE, architectures: tuple[str, ...] = ()) -> dict[str, Any]:
    default = draw(st.sampled_from(["ERRNO", "KILL_PROCESS", "KILL_THREAD", "TRAP", "ALLOW", "LOG", "TRACE"]))
    entries = []
    for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True)):
        for _ in range(draw(st.integers(1, 4))):
            action = draw(st.sampled_from(PERMITTING + REFUSING))
            entry: dict[str, Any] = {"names": [name], "action": f"SCMP_ACT_{action}"}
            if tests := draw(st.lists(comparisons(largest), max_size=3, unique_by=lambda test: test["index"])):
                entry["args"] = tests
            if action in {"ERRNO", "TRACE"} and draw(st.booleans()):
                entry["errnoRet"] = draw(st.sampled_from([0, 1, 38, 95]))
            entries.append(entry)
    return profile(*entries, default=default, architectures=architectures)


@st.composite
def simple_profiles(draw: st.DrawFn, *, largest: int, architectures: tuple[str, ...]) -> dict[str, Any]:
    """Return a profile that libseccomp gets right as a whole: for each syscall one rule, or rules for values of one argument.

    With more, libseccomp 2.5 forgets rules: a call that meets the first comparison of one and fails in the second is not tried on others.
    """
    entries = []
    for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=6, unique=True)):
        action = draw(st.sampled_from(PERMITTING + REFUSING))
        if draw(st.booleans()):
            alternatives = [draw(st.lists(comparisons(largest), max_size=3, unique_by=lambda test: test["index"]))]
        else:
            index, values = draw(st.integers(0, 5)), draw(st.lists(VALUES, min_size=2, max_size=6, unique_by=lambda value: value & largest))
            alternatives = [[{"index": index, "op": "SCMP_CMP_EQ", "value": value & largest}] for value in values]
        entries += [{"names": [name], "action": f"SCMP_ACT_{action}", "args": tests} for tests in alternatives]
    return profile(*entries, default=draw(st.sampled_from(["ERRNO", "KILL_PROCESS", "TRAP", "ALLOW", "LOG"])), architectures=architectures)


def differences(
    seccomp: dict[str, Any],
    machine: str,
    architecture: str,
    expected: Callable[[str, tuple[int, ...]], int],
    names: tuple[str, ...] = NAMES,
) -> list[str]:
    """Return the calls for which our filter says something else."""
    program = decoded(seccomp, machine)
    bits = 64 if architecture in {"x86_64", "aarch64"} else 32  # x32's arguments have 64 bits, of which libseccomp looks at 32
    found = []
    for name in names:
        if name not in syscalls.numbers(architecture):
            continue
        number = syscalls.numbers(architecture)[name]
        newer = model.is_newer(seccomp, architecture, number)
        for arguments in model.arguments_worth_trying(seccomp, name, bits):
            ours = bpf.run(program, bpf.Call(number, syscalls.AUDIT[architecture], arguments))
            theirs = ENOSYS if newer else expected(name, arguments)
            if ours != theirs:
                found.append(f"{architecture} {name}{tuple(map(hex, arguments))}: {ours:#x}, not {theirs:#x}\n{bpf.listing(program)}")
    return found[:1]


@given(profiles())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_filter_does_what_the_rules_say_one_by_one(seccomp: dict[str, Any]) -> None:
    assert differences(seccomp, X86_64, X86_64, lambda name, arguments: model.verdict(seccomp, name, arguments)) == []


MACHINES = pytest.mark.parametrize(
    ("machine", "architectures", "largest"),
    [(X86_64, (X86_64,), model.WHOLE), (X86_64, (X86_64, I386, X32), 0xFFFFFFFF), ("aarch64", ("aarch64", "arm"), 0xFFFFFFFF)],
    ids=["x86_64", "x86_64 with 32 bits", "aarch64 with 32 bits"],
)


@MACHINES
@given(data=st.data())
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_filter_is_equal_to_libseccomps(machine: str, architectures: tuple[str, ...], largest: int, data: st.DataObject) -> None:
    seccomp = data.draw(simple_profiles(largest=largest, architectures=architectures))
    program = libseccomp.program(model.default(seccomp), model.rules(seccomp), architectures, elsewhere=filters.KILL_PROCESS)
    for architecture in architectures:

        def theirs(name: str, arguments: tuple[int, ...], architecture: str = architecture) -> int:
            return bpf.run(program, model.call(name, architecture, arguments))

        assert differences(seccomp, machine, architecture, theirs) == []


@MACHINES
@given(data=st.data())
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_filter_is_the_strictest_of_libseccomps_for_each_rule(
    machine: str, architectures: tuple[str, ...], largest: int, data: st.DataObject
) -> None:
    seccomp = data.draw(profiles(largest=largest, architectures=architectures))
    silent = filters.TRACE | 0xFFFF  # what each says where its rule does not hold
    single = [
        (rule.name, rule.action, libseccomp.program(silent, [rule], architectures, elsewhere=filters.KILL_PROCESS))
        for rule in model.rules(seccomp)
    ]
    for architecture in architectures:

        def theirs(name: str, arguments: tuple[int, ...], architecture: str = architecture) -> int:
            call = model.call(name, architecture, arguments)
            said = [action for about, action, program in single if about == name and bpf.run(program, call) != silent]
            return min(said, key=model.strictness, default=model.default(seccomp))

        assert differences(seccomp, machine, architecture, theirs) == []


# --- programs ---------------------------------------------------------------------------------------------------------------


def length(seccomp: dict[str, Any], machine: str = X86_64) -> int:
    return len(decoded(seccomp, machine))


@pytest.mark.parametrize(
    ("rules", "instructions"),
    [
        pytest.param([rule("read")], 7, id="architecture, number, and three ends"),
        pytest.param([rule("read write open close")], 7, id="neighbours cost nothing"),
        pytest.param([rule("read open listns")], 11, id="one test for each name that stands alone"),
        pytest.param([rule("kill read listns", "ALLOW", (0, "MASKED_EQ", 0xFFFFFFFF, 9))], 13, id="half a word"),
        pytest.param([rule("kill", "ALLOW", (0, "EQ", value)) for value in range(200)], 13, id="values that lie together"),
    ],
)
def test_programs_are_small(rules: list[dict[str, Any]], instructions: int) -> None:
    assert length(profile(*rules)) == instructions


def big(values: int, step: int = 3) -> dict[str, Any]:
    return profile(rule("getppid"), *[rule("getppid", "ERRNO", (0, "EQ", value * step), errno=1 + value % 3) for value in range(values)])


@pytest.mark.parametrize("values", [100, 250, 260, 300, 900])
def test_jumps_that_are_too_far_for_a_test(values: int) -> None:
    seccomp = big(values)
    program = decoded(seccomp)
    number = syscalls.numbers(X86_64)["getppid"]
    for value in range(0, 3 * values + 3, 1 + values // 60):
        assert bpf.run(program, bpf.Call(number, syscalls.AUDIT[X86_64], (value, 0, 0, 0, 0, 0))) == model.verdict(
            seccomp, "getppid", [value] * 6
        )


def test_a_section_that_is_too_far_for_a_test() -> None:
    """300 tests for a syscall that only x86_64 has, 300 for one that only i386 has: they share nothing."""
    steps = {"tuxcall": 3, "socketcall": 5}
    several = [rule(name, "ERRNO", (0, "EQ", step * value), errno=1 + value % 3) for value in range(300) for name, step in steps.items()]
    seccomp = profile(rule("tuxcall socketcall"), *several, architectures=(I386,))
    program = decoded(seccomp)
    for name, architecture in (("tuxcall", X86_64), ("socketcall", I386)):
        for value in (0, 3, 4, 6, 450, 897, 900):
            said = bpf.run(program, model.call(name, architecture, (value, 0, 0, 0, 0, 0)))
            assert said == model.verdict(seccomp, name, [value] * 6)


def test_rules_that_multiply_are_tried_one_by_one() -> None:
    """Each of six arguments is in one of many ranges: all cases together would be thousands, one rule after the other few tests each."""
    tests = [[(index, "GT", (place * (index + 3) * 7919) % 1009) for index in range(6)] for place in range(14)]
    seccomp = profile(*[rule("futex", "ALLOW", *several) for several in tests])
    assert length(seccomp) < 14 * 6 * 5
    assert differences(seccomp, X86_64, X86_64, lambda name, arguments: model.verdict(seccomp, name, arguments), ("futex",)) == []


def test_a_program_that_the_kernel_would_not_take_is_an_error() -> None:
    graph = programs.Graph()
    node = graph.action(filters.ALLOW)
    for value in range(programs.LIMIT - 3):
        node = graph.equal(value * 2, graph.action(filters.ERRNO | value % 2), node)
    root = graph.load(programs.NUMBER, node)
    with pytest.raises(HardenError, match=r"takes 4\d+ instructions, and the kernel's limit is 4096"):
        graph.assemble(root)


def test_the_same_rules_give_the_same_program() -> None:
    assert filters.compile_filter(big(50), X86_64) == filters.compile_filter(json.loads(json.dumps(big(50))), X86_64)


# --- errors -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seccomp", "message", "how"),
    [
        (profile(rule("raed")), "linux.seccomp.syscalls[0].names: unknown syscall 'raed'", "did you mean 'read'?"),
        (profile(default="ALOW"), "linux.seccomp.defaultAction: unknown seccomp action 'SCMP_ACT_ALOW'", "did you mean 'SCMP_ACT_ALLOW'?"),
        ({}, "linux.seccomp.defaultAction: unknown seccomp action None", "there are SCMP_ACT_KILL"),
        (profile(rule("read", "ALLOW", errno=1)), "linux.seccomp.syscalls[0]: SCMP_ACT_ALLOW takes no errno", "only SCMP_ACT_ERRNO"),
        (profile(default="KILL", defaultErrnoRet=1), "linux.seccomp.defaultAction: SCMP_ACT_KILL takes no errno", "only SCMP_ACT_ERRNO"),
        (profile(rule("read", "ERRNO", errno=4096)), "linux.seccomp.syscalls[0]: 4096 is no errno of SCMP_ACT_ERRNO", "from 0 to 4095"),
        (profile(rule("read", "ERRNO", errno=True)), "linux.seccomp.syscalls[0]: True is no errno", "from 0 to 4095"),
        (profile(rule("read", "TRACE", errno=65536)), "linux.seccomp.syscalls[0]: 65536 is no errno of SCMP_ACT_TRACE", "from 0 to 65535"),
        (profile({"action": "SCMP_ACT_ALLOW"}), "linux.seccomp.syscalls[0]: a seccomp rule needs the names", ""),
        (profile({"names": ["read", 1], "action": "SCMP_ACT_ALLOW"}), "linux.seccomp.syscalls[0]: a seccomp rule needs the names", ""),
        (profile(syscalls=7), "linux.seccomp.syscalls: the rules of a seccomp filter are a list", ""),
        (profile(rule("read") | {"args": {}}), "linux.seccomp.syscalls[0].args: the arguments of a seccomp rule are a list", ""),
        (profile(rule("read") | {"args": [7]}), "linux.seccomp.syscalls[0].args[0]: an argument of a seccomp rule is an object", ""),
        (profile(rule("read", "ALLOW", (6, "EQ", 1))), "linux.seccomp.syscalls[0].args[0].index: 6 is not a number from 0 to 5", ""),
        (profile(rule("read", "ALLOW", (0, "EQ", -1))), "linux.seccomp.syscalls[0].args[0].value: -1 is not a number", ""),
        (profile(rule("read", "ALLOW", (0, "EQ", 1 << 64))), "linux.seccomp.syscalls[0].args[0].value: 18446744073709551616 is not", ""),
        (profile(rule("read", "ALLOW", (0, "EQ", True))), "linux.seccomp.syscalls[0].args[0].value: True is not a number", ""),
        (
            profile(rule("read", "ALLOW", (0, "EQQ", 1))),
            "linux.seccomp.syscalls[0].args[0].op: unknown operator 'SCMP_CMP_EQQ'",
            "did you mean",
        ),
        (profile(rule("read") | {"args": [{"index": 0, "value": 1, "op": 3}]}), "args[0].op: unknown operator 3", "there are SCMP_CMP_NE"),
        (profile(rule("read") | {"args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ", "valeu": 2}]}), "unknown key 'valeu'", "has index"),
        (profile(rule("clone", "ALLOW", (0, "MASKED_EQ", 0, 0x7E020000))), "no argument under the mask 0x0 equals 0x7e020000", "swapped?"),
        (
            profile(rule("read", "ALLOW", (0, "EQ", 1, 2))),
            "args[0].valueTwo: SCMP_CMP_EQ compares with one value",
            "only SCMP_CMP_MASKED_EQ",
        ),
        (profile(rule("read", "ALLOW", (0, "GT", 1), (0, "LT", 9))), "a seccomp rule tests argument 0 more than once", "a rule for each"),
        (profile(rule("read", "ALLOW", (0, "EQ", 1), (0, "EQ", 9), (1, "EQ", 0))), "tests argument 0 more than once", "a rule for each"),
        (profile() | {"architectures": 7}, "linux.seccomp.architectures: the architectures of a seccomp filter are a list", ""),
        (profile() | {"architectures": ["SCMP_ARCH_X68"]}, "unknown architecture 'SCMP_ARCH_X68'", "did you mean 'SCMP_ARCH_X86'?"),
        (profile() | {"architectures": [7]}, "linux.seccomp.architectures: unknown architecture 7", "SCMP_ARCH_X86_64 is one"),
    ],
)
def test_what_the_specification_does_not_have_is_an_error(seccomp: dict[str, Any], message: str, how: str) -> None:
    with pytest.raises(HardenError) as caught:
        filters.compile_filter(seccomp, X86_64)
    assert message in str(caught.value).splitlines()[0]
    assert how in caught.value.how


def test_architectures_of_other_machines_change_nothing() -> None:
    seccomp = profile(rule("read"))
    more = seccomp | {"architectures": ["SCMP_ARCH_AARCH64", "SCMP_ARCH_X86_64", "SCMP_ARCH_S390X", "SCMP_ARCH_ARM"]}
    assert filters.compile_filter(more, X86_64) == filters.compile_filter(seccomp, X86_64)


def test_a_machine_without_filters_is_an_error() -> None:
    with pytest.raises(HardenError, match="no seccomp filters for riscv64 machines"):
        filters.compile_filter(profile(rule("read")), "riscv64")


def test_a_name_of_the_future_may_be_left_out_where_it_only_permits() -> None:
    seccomp = profile(rule("read from_the_future"))
    assert filters.compile_filter(seccomp, X86_64, ignore_unknown=True) == filters.compile_filter(profile(rule("read")), X86_64)
    with pytest.raises(HardenError, match="unknown syscall 'from_the_future'"):
        filters.compile_filter(profile(rule("from_the_future", "ERRNO"), default="ALLOW"), X86_64, ignore_unknown=True)


def test_a_name_of_another_architecture_is_no_error() -> None:
    assert verdict(profile(rule("read s390_sthyi arm_fadvise64_64 socketcall")), "read") == ALLOW


# --- in the kernel ----------------------------------------------------------------------------------------------------------

NATIVE = os.uname().machine
on_x86_64 = pytest.mark.skipif(NATIVE != X86_64, reason="kernel: int 0x80 and x32 are of x86_64")


def under(seccomp: dict[str, Any], number: int, several: Sequence[tuple[int, ...]]) -> list[int]:
    """Return what a real syscall with these arguments gives under a filter: 0, or the errno."""

    def child() -> list[int]:
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        libc.syscall.restype = ctypes.c_long
        calls.prctl(PR_SET_NO_NEW_PRIVS, 1)
        calls.seccomp_filter(filters.compile_filter(seccomp, NATIVE))
        results = []
        for arguments in several:
            ctypes.set_errno(0)
            results.append(0 if libc.syscall(ctypes.c_long(number), *map(ctypes.c_ulong, arguments)) >= 0 else ctypes.get_errno())
        return results

    return forked(child)


@pytest.mark.parametrize(
    "test",
    [
        (0, "EQ", 5),
        (1, "NE", HIGH),
        (2, "LT", HIGH),
        (3, "LE", 7),
        (4, "GE", HIGH + 1),
        (5, "GT", 1 << 63),
        (0, "MASKED_EQ", 0xF0 | HIGH, HIGH),
    ],
)
def test_the_kernel_tests_arguments_the_same_way(test: tuple[int, str, int]) -> None:
    getppid = syscalls.numbers(NATIVE)["getppid"]
    seccomp = profile(rule("getppid", "ERRNO", test, errno=77), default="ALLOW")
    several = model.arguments_worth_trying(seccomp, "getppid", 64)
    expected = [77 if model.verdict(seccomp, "getppid", arguments) != ALLOW else 0 for arguments in several]
    assert set(expected) == {0, 77}
    assert under(seccomp, getppid, several) == expected


@pytest.mark.parametrize("values", [1, 260, 900])
def test_the_kernel_takes_programs_of_any_size(values: int) -> None:
    several = [(value, 0, 0, 0, 0, 0) for value in range(0, 3 * values + 3, 7)]
    seccomp = big(values) | {"defaultAction": "SCMP_ACT_ALLOW"}
    seccomp["syscalls"] = seccomp["syscalls"][1:]
    expected = [
        model.verdict(seccomp, "getppid", arguments) & 0xFFFF if arguments[0] % 3 == 0 and arguments[0] < 3 * values else 0
        for arguments in several
    ]
    assert under(seccomp, syscalls.numbers(NATIVE)["getppid"], several) == expected


@on_x86_64
@pytest.mark.parametrize("number", [syscalls.X32_BIT | 39, 0x7FFFFFFF, syscalls.X32_BIT | 520])
def test_the_kernel_never_sees_x32_calls(number: int) -> None:
    assert under(profile(rule("read", "ERRNO"), default="ALLOW"), number, [(0,) * 6]) == [errno.ENOSYS]


INT80 = b"\xb8\x14\x00\x00\x00\xcd\x80\xc3"  # mov eax, 20 (getpid); int 0x80; ret


@on_x86_64
def test_a_32_bit_call_kills_the_process() -> None:
    code = (
        "import ctypes, mmap, sys\n"
        "from hardener.linux import calls, filters\n"
        "from hardener.linux.consts import PR_SET_NO_NEW_PRIVS\n"
        "area = mmap.mmap(-1, 4096, prot=7)\n"
        f"area.write({INT80!r})\n"
        "call = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(area)))\n"
        "print(call() > 0 or call() == -38, flush=True)\n"  # a kernel without IA32 emulation has no such call
        "calls.prctl(PR_SET_NO_NEW_PRIVS, 1)\n"
        "calls.seccomp_filter(filters.compile_filter({'defaultAction': 'SCMP_ACT_ALLOW'}, 'x86_64'))\n"
        "call()\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    if run.returncode == -signal.SIGSEGV:
        pytest.skip("kernel: no 32-bit emulation")
    assert (run.stdout, run.returncode) == ("True\n", -signal.SIGSYS)


@pytest.mark.parametrize("action", ["KILL_PROCESS", "TRAP"])
def test_actions_that_end_a_process_end_it(action: str) -> None:
    pid = os.fork()
    if pid == 0:
        try:
            calls.prctl(PR_SET_NO_NEW_PRIVS, 1)
            calls.seccomp_filter(filters.compile_filter(profile(rule("getppid", action), default="ALLOW"), NATIVE))
            os.getppid()
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGSYS
