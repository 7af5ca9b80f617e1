"""Seccomp profiles in Docker's format, and our own default: what is in them, what they become, what they let through."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import bpf
import libseccomp
import pytest
import seccomp_model as model

from hardener.errors import HardenError
from hardener.linux import filters, syscalls
from hardener.linux.names import CAPABILITIES
from hardener.policies import seccomp

ROOT = Path(__file__).parents[2]
KERNEL = (6, 18)
ALLOW, EPERM, ENOSYS = filters.ALLOW, filters.ERRNO | 1, filters.ERRNO | 38
EAFNOSUPPORT, EPROTONOSUPPORT = filters.ERRNO | 97, filters.ERRNO | 93

EVERYTHING: dict[str, Any] = {
    "comment": "a profile that uses all of the format",
    "defaultAction": "SCMP_ACT_ERRNO",
    "defaultErrnoRet": 13,
    "archMap": [
        {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
        {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
        {"architecture": "SCMP_ARCH_RISCV64", "subArchitectures": None},
    ],
    "flags": ["SECCOMP_FILTER_FLAG_LOG"],
    "listenerPath": "/run/listener.sock",
    "listenerMetadata": "web",
    "syscalls": [
        {"names": ["read", "write", "listns"], "action": "SCMP_ACT_ALLOW", "args": [], "comment": "", "includes": {}, "excludes": {}},
        {"name": "close", "action": "SCMP_ACT_LOG", "args": None},
        {"names": ["s390_sthyi"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["s390x"]}},
        {"names": ["arch_prctl"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["amd64", "x32"]}},
        {"names": ["cacheflush"], "action": "SCMP_ACT_ALLOW", "excludes": {"arches": ["amd64"]}},
        {"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
        {"names": ["io_uring_setup"], "action": "SCMP_ACT_ALLOW", "excludes": {"minKernel": "5.1"}},
        {"names": ["mount", "umount2"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN", "CAP_SYS_CHROOT"]}},
        {
            "names": ["clone"],
            "action": "SCMP_ACT_ALLOW",
            "args": [{"index": 0, "value": 2114060288, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}],
            "excludes": {"caps": ["CAP_SYS_ADMIN"], "arches": ["s390", "s390x"]},
        },
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
        {"names": ["getppid"], "action": "SCMP_ACT_TRACE", "errnoRet": 500},
        {"names": ["acct"], "action": "SCMP_ACT_KILL_PROCESS"},
        {"names": ["reboot"], "action": "SCMP_ACT_KILL"},
        {"names": ["bpf"], "action": "SCMP_ACT_TRAP"},
        {"names": ["openat"], "action": "SCMP_ACT_NOTIFY", "args": [{"index": 2, "value": 3, "op": "SCMP_CMP_GT"}]},
    ],
}


def parsed(profile: object, path: str = "web.json") -> seccomp.Profile:
    return seccomp.parse(json.dumps(profile).encode(), path)


def resolve(profile: object, *capabilities: str, machine: str = "x86_64", kernel: tuple[int, int] = KERNEL) -> dict[str, Any]:
    found = profile if isinstance(profile, seccomp.Profile) else parsed(profile)
    return seccomp.resolved(found, machine=machine, capabilities=capabilities, kernel=kernel)


def named(resolved: dict[str, Any]) -> set[str]:
    return {name for entry in resolved["syscalls"] for name in entry["names"]}


RULE: dict[str, Any] = {"names": ["read"], "action": "SCMP_ACT_ALLOW"}


def with_rule(**changes: Any) -> dict[str, Any]:
    return {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [RULE, RULE | changes]}


# --- the format -------------------------------------------------------------------------------------------------------------


def test_a_profile_becomes_what_the_runtime_specification_has() -> None:
    assert resolve(EVERYTHING, "CAP_CHOWN") == {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 13,
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "flags": ["SECCOMP_FILTER_FLAG_LOG"],
        "listenerPath": "/run/listener.sock",
        "listenerMetadata": "web",
        "syscalls": [
            {"names": ["read", "write", "listns"], "action": "SCMP_ACT_ALLOW"},
            {"names": ["close"], "action": "SCMP_ACT_LOG"},
            {"names": ["arch_prctl"], "action": "SCMP_ACT_ALLOW"},
            {"names": ["ptrace"], "action": "SCMP_ACT_ALLOW"},
            {
                "names": ["clone"],
                "action": "SCMP_ACT_ALLOW",
                "args": [{"index": 0, "value": 2114060288, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}],
            },
            {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
            {"names": ["getppid"], "action": "SCMP_ACT_TRACE", "errnoRet": 500},
            {"names": ["acct"], "action": "SCMP_ACT_KILL_PROCESS"},
            {"names": ["reboot"], "action": "SCMP_ACT_KILL"},
            {"names": ["bpf"], "action": "SCMP_ACT_TRAP"},
            {"names": ["openat"], "action": "SCMP_ACT_NOTIFY", "args": [{"index": 2, "value": 3, "op": "SCMP_CMP_GT"}]},
        ],
    }


@pytest.mark.parametrize(
    ("capabilities", "machine", "kernel", "has", "has_not"),
    [
        ((), "x86_64", (6, 18), {"ptrace", "arch_prctl", "clone"}, {"mount", "io_uring_setup", "cacheflush", "s390_sthyi"}),
        ((), "x86_64", (4, 8), {"ptrace", "io_uring_setup"}, set()),
        ((), "x86_64", (4, 7), {"io_uring_setup"}, {"ptrace"}),
        ((), "x86_64", (5, 1), {"ptrace"}, {"io_uring_setup"}),
        ((), "x86_64", (10, 0), {"ptrace"}, {"io_uring_setup"}),
        ((), "aarch64", (6, 18), {"cacheflush"}, {"arch_prctl"}),
        (("CAP_SYS_ADMIN",), "x86_64", (6, 18), set(), {"mount", "clone"}),  # one of two
        (("CAP_SYS_CHROOT", "CAP_SYS_ADMIN"), "x86_64", (6, 18), {"mount", "umount2"}, {"clone"}),
    ],
)
def test_rules_count_under_their_conditions(
    capabilities: tuple[str, ...], machine: str, kernel: tuple[int, int], has: set[str], has_not: set[str]
) -> None:
    found = named(resolve(EVERYTHING, *capabilities, machine=machine, kernel=kernel))
    assert (has - found, has_not & found) == (set(), set())


@pytest.mark.parametrize(
    ("architectures", "machine", "expected"),
    [
        ({"architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]}, "x86_64", ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]),
        ({"architectures": ["SCMP_ARCH_X86_64"]}, "aarch64", ["SCMP_ARCH_X86_64"]),
        ({"architectures": None}, "x86_64", None),
        ({"archMap": EVERYTHING["archMap"]}, "aarch64", ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]),
        ({"archMap": EVERYTHING["archMap"][1:]}, "x86_64", None),
        ({}, "x86_64", None),
    ],
)
def test_architectures_are_those_of_the_machine(architectures: dict[str, Any], machine: str, expected: list[str] | None) -> None:
    assert resolve({"defaultAction": "SCMP_ACT_ALLOW", **architectures}, machine=machine).get("architectures") == expected


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_a_resolved_profile_compiles(machine: str) -> None:
    program = bpf.decode(filters.compile_filter(resolve(EVERYTHING, machine=machine), machine))
    call = bpf.Call(syscalls.numbers(machine)["getppid"], syscalls.AUDIT[machine])
    assert bpf.run(program, call) == filters.TRACE | 500


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"errno": "EACCES"}, 13),
        ({"errno": "EACCES", "errnoRet": 13}, 13),
        ({"errno": "", "errnoRet": 7}, 7),
        ({"errnoRet": 0}, 0),
        ({}, None),
    ],
)
def test_podman_names_errnos(written: dict[str, Any], expected: int | None) -> None:
    assert parsed(with_rule(action="SCMP_ACT_ERRNO", **written)).rules[1].errno == expected
    default = {f"default{key[0].upper()}{key[1:]}": value for key, value in written.items()}
    assert parsed({"defaultAction": "SCMP_ACT_ERRNO", **default}).default_errno == expected


def test_another_machine_is_an_error() -> None:
    with pytest.raises(HardenError, match="no seccomp filters for riscv64 machines"):
        resolve(EVERYTHING, machine="riscv64")


@pytest.mark.parametrize(
    ("profile", "what", "where", "how"),
    [
        ([], "a seccomp profile is a JSON object", "web.json", ""),
        ({}, "the profile has no defaultAction", "web.json", "SCMP_ACT_ERRNO refuses"),
        ({"defaultAction": "ALLOW"}, "unknown seccomp action 'ALLOW'", "web.json: defaultAction", "SCMP_ACT_ALLOW"),
        ({"defaultAction": "SCMP_ACT_ALLOW", "syscals": []}, "unknown key 'syscals'", "web.json", "did you mean 'syscalls'?"),
        ({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": {}}, "a list was expected here", "web.json: syscalls", ""),
        (
            {"defaultAction": "SCMP_ACT_ALLOW", "flags": ["LOG"]},
            "unknown flag 'LOG'",
            "web.json: flags",
            "there are SECCOMP_FILTER_FLAG_TSYNC",
        ),
        ({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": 7}, "7 is no text", "web.json: listenerPath", ""),
        (
            {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X68"]},
            "unknown architecture 'SCMP_ARCH_X68'",
            "architectures",
            "X86",
        ),
        ({"defaultAction": "SCMP_ACT_ALLOW", "architectures": [7]}, "7 is no text", "web.json: architectures", ""),
        (
            EVERYTHING | {"architectures": ["SCMP_ARCH_X86"]},
            "the profile has both architectures and archMap",
            "web.json: archMap",
            "one of them",
        ),
        (EVERYTHING | {"archMap": [{}]}, "None is no text", "web.json: archMap[0].architecture", ""),
        (
            EVERYTHING | {"archMap": [{"architecture": "SCMP_ARCH_X86_64", "sub": []}]},
            "unknown key 'sub'",
            "web.json: archMap[0]",
            "there are",
        ),
        (EVERYTHING | {"archMap": [7]}, "an object was expected here", "web.json: archMap[0]", ""),
        (with_rule(names=["raed"]), "unknown syscall 'raed'", "web.json: syscalls[1].names", "did you mean 'read'?"),
        (with_rule(names=[]), "the rule names no syscalls", "web.json: syscalls[1]", ""),
        (with_rule(names=["read", 1]), "1 is no text", "web.json: syscalls[1].names", ""),
        (with_rule(name="write"), "the rule has both name and names", "web.json: syscalls[1]", "one of them"),
        (with_rule(action="SCMP_ACT_DENY"), "unknown seccomp action 'SCMP_ACT_DENY'", "web.json: syscalls[1]", "did you mean"),
        (with_rule(errnoRet=1), "SCMP_ACT_ALLOW takes no errno", "web.json: syscalls[1]", ""),
        (
            with_rule(action="SCMP_ACT_ERRNO", errno="EPREM"),
            "unknown errno 'EPREM'",
            "web.json: syscalls[1].errno",
            "did you mean 'EPERM'?",
        ),
        (
            with_rule(action="SCMP_ACT_ERRNO", errno="EPERM", errnoRet=2),
            "EPERM is 1, and errnoRet says 2",
            "web.json: syscalls[1].errno",
            "",
        ),
        (with_rule(action="SCMP_ACT_ERRNO", errnoRet="1"), "'1' is no errno", "web.json: syscalls[1].errnoRet", ""),
        (with_rule(action="SCMP_ACT_ERRNO", errnoRet=4096), "4096 is no errno of SCMP_ACT_ERRNO", "web.json: syscalls[1]", ""),
        ({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": True}, "True is no errno", "web.json: defaultErrnoRet", ""),
        (with_rule(comment=7), "7 is no text", "web.json: syscalls[1].comment", ""),
        (with_rule(exclude={}), "unknown key 'exclude'", "web.json: syscalls[1]", "did you mean 'excludes'?"),
        (with_rule(includes=[]), "an object was expected here", "web.json: syscalls[1].includes", ""),
        (with_rule(includes={"cap": []}), "unknown key 'cap'", "web.json: syscalls[1].includes", "did you mean 'caps'?"),
        (
            with_rule(includes={"caps": ["SYS_ADMIN"]}),
            "unknown capability 'SYS_ADMIN'",
            "web.json: syscalls[1].includes.caps",
            "'CAP_SYS_ADMIN'",
        ),
        (with_rule(excludes={"arches": ["x86_64"]}), "unknown architecture 'x86_64'", "web.json: syscalls[1].excludes.arches", ""),
        (with_rule(includes={"minKernel": "4"}), "'4' is no version of a kernel", "web.json: syscalls[1].includes.minKernel", '"4.8"'),
        (with_rule(includes={"minKernel": 4.8}), "4.8 is no text", "web.json: syscalls[1].includes.minKernel", ""),
        (with_rule(args=[{"index": 9, "value": 0, "op": "SCMP_CMP_EQ"}]), "9 is not a number", "web.json: syscalls[1].args[0].index", ""),
        (
            with_rule(args=[{"index": 0, "value": 1.5, "op": "SCMP_CMP_EQ"}]),
            "1.5 is not a number",
            "web.json: syscalls[1].args[0].value",
            "",
        ),
        ({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read"]}]}, "the rule has no action", "web.json: syscalls[0]", ""),
    ],
)
def test_what_docker_would_overlook_is_an_error(profile: object, what: str, where: str, how: str) -> None:
    with pytest.raises(HardenError) as caught:
        parsed(profile)
    assert (what in caught.value.what, where in caught.value.where, how in caught.value.how) == (True, True, True), str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{\n  oops", "web.json:2:3: not JSON: Expecting property name"),
        (b"\xff\xfe{", "web.json: byte 0: the seccomp profile is not UTF-8"),
        (b'{"defaultAction": "SCMP_ACT_ALLOW", "defaultAction": "SCMP_ACT_ERRNO"}', "web.json: the key 'defaultAction' stands twice"),
        (b"[" * 100_000, "web.json: the profile is nested too deeply"),
        (b" " * (seccomp.LARGEST + 1), "web.json: a seccomp profile has no more than 4 MiB"),
    ],
)
def test_what_is_not_json_is_an_error(content: bytes, message: str) -> None:
    with pytest.raises(HardenError) as caught:
        seccomp.parse(content, "web.json")
    assert str(caught.value).startswith(message)


def test_a_byte_order_mark_is_no_error() -> None:
    assert seccomp.parse(b'\xef\xbb\xbf{"defaultAction": "SCMP_ACT_ALLOW"}', "").default_action == "SCMP_ACT_ALLOW"


def test_profiles_are_found_by_name_and_by_path(tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    path.write_text('{"defaultAction": "SCMP_ACT_LOG"}', encoding="utf-8")
    assert seccomp.load(str(path)).default_action == "SCMP_ACT_LOG"
    assert seccomp.load("default").path.endswith("policies/seccomp/default.json")
    assert "default" in seccomp.names()
    with pytest.raises(HardenError, match=r"unknown seccomp profile 'defualt'\n  did you mean 'default'"):
        seccomp.load("defualt")
    with pytest.raises(HardenError, match="cannot read the seccomp profile: No such file"):
        seccomp.load(str(tmp_path / "none.json"))


def test_a_key_is_equal_only_where_the_program_is() -> None:
    base: dict[str, Any] = {"machine": "x86_64", "capabilities": ("CAP_CHOWN", "CAP_KILL"), "kernel": KERNEL}
    same = seccomp.key(b"{}", **base | {"capabilities": ("CAP_KILL", "CAP_CHOWN")})
    others = [base | {"machine": "aarch64"}, base | {"capabilities": ()}, base | {"kernel": (6, 1)}]
    keys = [seccomp.key(b"{}", **base), seccomp.key(b"{} ", **base), *[seccomp.key(b"{}", **other) for other in others]]
    assert keys[0] == same
    assert len(set(keys)) == len(keys)


def test_a_key_changes_with_the_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    before = seccomp.key(b"{}", machine="x86_64", capabilities=(), kernel=KERNEL)
    monkeypatch.setattr(filters, "VERSION", filters.VERSION + 1)
    assert seccomp.key(b"{}", machine="x86_64", capabilities=(), kernel=KERNEL) != before


# --- our default ------------------------------------------------------------------------------------------------------------

DEFAULT = seccomp.load("default")


def verdict(
    name: str | int, *arguments: int, grants: tuple[str, ...] = (), machine: str = "x86_64", profile: seccomp.Profile = DEFAULT
) -> int:
    program = bpf.decode(filters.compile_filter(resolve(profile, *grants, machine=machine), machine))
    number = name if isinstance(name, int) else syscalls.numbers(machine)[name]
    return bpf.run(program, bpf.Call(number, syscalls.AUDIT[machine], (*arguments, *[0] * (6 - len(arguments)))))


UNIX, INET, INET6, NETLINK, PACKET, STREAM, DGRAM, RAW = 1, 2, 10, 16, 17, 1, 2, 3
NEWUSER, VFORK, THREAD = 0x10000011, 0x4111, 0x3D0F00
HIGH = 1 << 32


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        # what every program does
        *[
            (name, (), ALLOW)
            for name in ("read", "openat", "execve", "mmap", "futex", "rt_sigaction", "clock_gettime", "exit_group", "rseq")
        ],
        *[
            (name, (), ALLOW)
            for name in ("bind", "sendmsg", "setuid", "capset", "semget", "io_setup", "memfd_create", "seccomp", "openat2")
        ],
        *[(name, (), ALLOW) for name in ("mseal", "futex_wait", "cachestat", "fchmodat2", "landlock_add_rule", "pidfd_open", "mknodat")],
        # sockets
        ("socket", (UNIX, STREAM, 0), ALLOW),
        ("socket", (INET, STREAM, 0), ALLOW),
        ("socket", (INET, STREAM, 6), ALLOW),
        ("socket", (INET, DGRAM | 0o2000000, 17), ALLOW),
        ("socket", (INET, DGRAM, 1), ALLOW),
        ("socket", (INET6, STREAM, 0), ALLOW),
        ("socket", (INET6, DGRAM, 58), ALLOW),
        ("socket", (NETLINK, RAW, 0), ALLOW),
        ("socketpair", (UNIX, STREAM, 0), ALLOW),
        *[("socket", (INET, STREAM, protocol), EPERM) for protocol in (132, 262, 256, 136, 33, 255, 2)],
        *[("socket", (NETLINK, RAW, protocol), EPROTONOSUPPORT) for protocol in (4, 6, 9, 12, 15, 16, 21)],
        *[("socket", (family, STREAM, 0), EAFNOSUPPORT) for family in (17, 21, 29, 30, 31, 33, 38, 40, 41, 43, 44, 45, 99)],
        *[("socket", (family, STREAM, 0), EPERM) for family in (0, 3, 4, 5, 9, 15)],
        ("socket", (38 + HIGH, STREAM, 0), EAFNOSUPPORT),  # the kernel would take it for 38
        ("socket", (NETLINK, RAW, 12 + HIGH), EPROTONOSUPPORT),
        ("socket", (INET, STREAM, 132 + HIGH), EPERM),
        ("socketpair", (30, STREAM, 0), EPERM),
        # terminals
        ("ioctl", (0, 0x5401), ALLOW),
        ("ioctl", (0, 0x5413), ALLOW),
        *[("ioctl", (0, request), EPERM) for request in (0x5412, 0x541C, 0x5423, 0x541D)],
        *[("ioctl", (0, request + high), EPERM) for request in (0x5412, 0x541C) for high in (HIGH, 1 << 63, 0xFFFFFFFF << 32)],
        ("ioctl", (0, 0xFFFFFFFF80045430), ALLOW),  # as musl extends a request with its highest bit set
        # namespaces
        ("clone", (THREAD,), ALLOW),
        ("clone", (VFORK,), ALLOW),
        *[("clone", (17 | flag,), EPERM) for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)],
        ("clone", (NEWUSER | 1 << 40,), EPERM),
        ("clone3", (), ENOSYS),
        *[
            (name, (), EPERM)
            for name in ("unshare", "setns", "mount", "umount2", "pivot_root", "fsopen", "open_tree", "move_mount", "chroot")
        ],
        # personality
        *[("personality", (value,), ALLOW) for value in (0, 8, 0x20000, 0x20008, 0xFFFFFFFF, model.WHOLE)],
        *[("personality", (value,), EPERM) for value in (0x40000, 0x400000, 0x40008, 1, 0xFFFFFFFE)],
        # bits that lend a user of the host to everybody
        *[("fchmod", (3, mode), EPERM) for mode in (0o4755, 0o2755, 0o6000, 0x10000 | 0o4000)],
        *[("fchmodat", (3, 0, mode), EPERM) for mode in (0o4755, 0o2755)],
        *[("fchmodat", (3, 0o4755, mode), ALLOW) for mode in (0, 0o755, 0o1777)],
        # what hardly anything needs, and exploits do
        *[(name, (), ENOSYS) for name in ("io_uring_setup", "io_uring_enter", "io_uring_register", "memfd_secret", "statmount", "listns")],
        *[(name, (), EPERM) for name in ("userfaultfd", "bpf", "perf_event_open", "keyctl", "add_key", "request_key", "ptrace", "kcmp")],
        *[
            (name, (), EPERM)
            for name in ("process_vm_readv", "process_vm_writev", "pidfd_getfd", "kexec_load", "init_module", "finit_module")
        ],
        *[
            (name, (), EPERM)
            for name in ("open_by_handle_at", "name_to_handle_at", "reboot", "swapon", "acct", "quotactl", "syslog", "vmsplice")
        ],
        *[
            (name, (), EPERM)
            for name in ("settimeofday", "clock_settime", "mbind", "move_pages", "fanotify_init", "sethostname", "vhangup")
        ],
        # what is to come
        (472, (), ENOSYS),
        (100_000, (), ENOSYS),
    ],
)
def test_the_default(machine: str, name: str | int, arguments: tuple[int, ...], expected: int) -> None:
    assert verdict(name, *arguments, machine=machine) == expected


@pytest.mark.parametrize(("machine", "others"), [("x86_64", ("i386", "x32")), ("aarch64", ("arm", "x86_64"))])
def test_the_default_is_for_one_abi(machine: str, others: tuple[str, ...]) -> None:
    program = bpf.decode(filters.compile_filter(resolve(DEFAULT, machine=machine), machine))
    said = {
        bpf.run(program, model.call(name, other, (0,) * 6))
        for other in others
        for name in ("read", "socket", "execve", "getpid")
        if name in syscalls.numbers(other)
    }
    assert said <= {filters.KILL_PROCESS, ENOSYS}


@pytest.mark.parametrize(
    ("capability", "name", "arguments", "expected"),
    [
        ("SYS_PTRACE", "ptrace", (), ALLOW),
        ("SYS_PTRACE", "process_vm_readv", (), ALLOW),
        ("SYS_ADMIN", "mount", (), ALLOW),
        ("SYS_ADMIN", "unshare", (NEWUSER,), ALLOW),
        ("SYS_ADMIN", "clone", (NEWUSER,), ALLOW),
        ("SYS_ADMIN", "clone3", (), ALLOW),
        ("SYS_ADMIN", "io_uring_setup", (), ENOSYS),
        ("SYS_ADMIN", "bpf", (), EPERM),
        ("SYS_CHROOT", "chroot", (), ALLOW),
        ("DAC_READ_SEARCH", "open_by_handle_at", (), ALLOW),
        ("SYS_TIME", "clock_settime", (), ALLOW),
        ("SYS_NICE", "mbind", (), ALLOW),
        ("SYSLOG", "syslog", (), ALLOW),
        ("FSETID", "fchmod", (3, 0o4755), ALLOW),
        ("NET_RAW", "socket", (PACKET, RAW, 3), ALLOW),
        ("NET_RAW", "socket", (INET, RAW, 255), ALLOW),
        ("NET_RAW", "socket", (38, STREAM, 0), EAFNOSUPPORT),
        ("NET_ADMIN", "socket", (NETLINK, RAW, 12), ALLOW),
        ("NET_ADMIN", "socket", (NETLINK, RAW, 6), EPERM),
        ("SYS_MODULE", "init_module", (), EPERM),
        ("BPF", "bpf", (), ALLOW),
        ("PERFMON", "perf_event_open", (), ALLOW),
    ],
)
def test_a_capability_brings_its_syscalls(capability: str, name: str, arguments: tuple[int, ...], expected: int) -> None:
    assert capability in CAPABILITIES
    assert verdict(name, *arguments, grants=(f"CAP_{capability}",)) == expected


def test_nothing_brings_terminal_injection_back() -> None:
    everything = tuple(f"CAP_{name}" for name in CAPABILITIES)
    assert verdict("ioctl", 0, 0x5412, grants=everything) == EPERM
    assert verdict("keyctl", grants=everything) == EPERM
    assert verdict("personality", 0x40000, grants=everything) == EPERM


def test_a_policy_may_allow_more() -> None:
    more = seccomp.allowing(DEFAULT, ["ptrace", "process_vm_readv", "ioctl"])
    assert verdict("ptrace", profile=more) == ALLOW
    assert verdict("ioctl", 0, 0x5412, profile=more) == ALLOW  # whatever the arguments
    assert verdict("process_vm_writev", profile=more) == EPERM
    assert seccomp.allowing(DEFAULT, []) == DEFAULT
    with pytest.raises(HardenError, match=r"unknown syscall 'ptrase'\n  did you mean 'ptrace'"):
        seccomp.allowing(DEFAULT, ["ptrase"])


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_default_decides_every_syscall(machine: str) -> None:
    decided = {name for rule in DEFAULT.rules for name in rule.names}
    assert sorted(set(syscalls.numbers(machine)) - decided) == []


def test_every_rule_says_why() -> None:
    assert [rule.names for rule in DEFAULT.rules if len(rule.comment) < 5] == []


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_default_is_small(machine: str) -> None:
    assert len(filters.compile_filter(resolve(DEFAULT, machine=machine), machine)) // 8 < 120


# --- beside libseccomp ------------------------------------------------------------------------------------------------------

# Where podman is installed, its profile is: written by others, and four times as long.
PROFILES = [
    pytest.param(DEFAULT, id="default"),
    pytest.param(parsed(EVERYTHING), id="everything"),
    *[
        pytest.param(seccomp.load(path), id=path)
        for path in ("/usr/share/containers/seccomp.json", "/etc/containers/seccomp.json")
        if Path(path).exists()
    ],
]
ALL_CAPABILITIES = tuple(f"CAP_{name}" for name in CAPABILITIES)


@pytest.mark.parametrize("capabilities", [(), ALL_CAPABILITIES], ids=["no capability", "all capabilities"])
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("profile", PROFILES)
def test_each_rule_means_what_it_means_to_libseccomp(profile: seccomp.Profile, machine: str, capabilities: tuple[str, ...]) -> None:
    """Every syscall, with arguments on both sides of every test: the strictest that libseccomp says of the rules, each on its own."""
    resolved = resolve(profile, *capabilities, machine=machine)
    architectures = [filters.OCI_ARCHITECTURES[name] for name in resolved["architectures"]]
    ours = bpf.decode(filters.compile_filter(resolved, machine))
    silent = filters.TRACE | 0xFFFF
    single = [
        (entry["names"], model.action(entry), libseccomp.program(silent, model.rules({"syscalls": [entry]}), architectures, elsewhere=0))
        for entry in resolved["syscalls"]
    ]
    different, tried = [], 0
    for architecture in architectures:
        through_another = {"socketcall", "ipc", *filters._SOCKETCALLS, *filters._IPCCALLS} if architecture == "i386" else set()
        for name, number in syscalls.numbers(architecture).items():
            if libseccomp.number(name, architecture) != number or name in through_another:
                continue
            newer = model.is_newer(resolved, architecture, number)
            for arguments in model.arguments_worth_trying(resolved, name, 64 if architecture == machine else 32):
                call = bpf.Call(number, syscalls.AUDIT[architecture], arguments)
                said = [action for names, action, program in single if name in names and bpf.run(program, call) != silent]
                expected = ENOSYS if newer else min(said, key=model.strictness, default=model.default(resolved))
                tried += 1
                if bpf.run(ours, call) != expected:
                    different.append((architecture, name, arguments, hex(bpf.run(ours, call)), hex(expected)))
    assert different[:5] == []
    assert tried > 300


# --- real programs ----------------------------------------------------------------------------------------------------------

LAUNCHER = """
import os, sys
from hardener.linux import calls, filters
from hardener.linux.consts import PR_SET_NO_NEW_PRIVS
from hardener.policies import seccomp
machine = os.uname().machine
profile = seccomp.resolved(seccomp.load("default"), machine=machine, capabilities=(), kernel=(6, 18))
calls.prctl(PR_SET_NO_NEW_PRIVS, 1)
calls.seccomp_filter(filters.compile_filter(profile, machine))
os.execvp(sys.argv[1], sys.argv[1:])
"""

PYTHON = """
import asyncio, multiprocessing, os, socket, ssl, subprocess, tempfile, threading
async def talk():
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    reader, _ = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
    assert await reader.read() == b""
    return await (await asyncio.create_subprocess_exec("true")).wait()
if __name__ == "__main__":
    assert asyncio.run(talk()) == 0
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(abs, [-1, -2]) == [1, 2]
    thread = threading.Thread(target=os.getpid); thread.start(); thread.join()
    with tempfile.TemporaryDirectory() as folder:
        os.mkfifo(folder + "/fifo"); os.symlink("fifo", folder + "/link"); os.chmod(folder, 0o700)
    assert socket.getaddrinfo("localhost", 80)
    a, b = socket.socketpair(); a.send(b"x"); assert b.recv(1) == b"x"
    print("done", subprocess.run(["echo", "well"], capture_output=True, text=True, check=True).stdout, end="")
"""

SHELL = "for i in 1 2 3; do (sleep 0.01; exit 0) & done; wait; ls / >/dev/null && echo a b | { read x y; echo $y; }; trap 'echo bye' EXIT"


def under_the_default(*command: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")} | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", LAUNCHER, *command],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("command", "output"),
    [
        pytest.param(["sh", "-c", SHELL], "b\nbye\n", id="sh"),
        pytest.param(["ls", "-d", "-l", "/"], None, id="ls"),
        pytest.param(["sh", "-c", "ls -la /etc | sort | tail -n 1 | wc -l"], "1\n", id="a pipeline"),
        pytest.param([sys.executable, "-c", PYTHON], "done well\n", id="python"),
        *[
            pytest.param(command, output, id=command[0])
            for command, output in [(["busybox", "sh", "-c", SHELL], "b\nbye\n"), (["node", "-e", "console.log(1 + 1)"], "2\n")]
            if shutil.which(command[0])
        ],
    ],
)
def test_ordinary_programs_run_under_the_default(command: list[str], output: str | None) -> None:
    run = under_the_default(*command)
    assert (run.returncode, run.stderr) == (0, "")
    assert output in (run.stdout, None)


@pytest.mark.parametrize(
    ("statement", "errno"),
    [
        ("socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET)", "EAFNOSUPPORT"),
        ("socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)", "EAFNOSUPPORT"),
        ("socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)", "EPROTONOSUPPORT"),
        ("socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)", "EPERM"),
        ("fcntl.ioctl(0, 0x5412, b'x')", "EPERM"),
        ("os.chroot('/')", "EPERM"),
        ("os.sched_setaffinity(0, os.sched_getaffinity(0))", None),
        ("socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)", None),
    ],
)
def test_the_kernel_refuses_what_the_default_does(statement: str, errno: str | None) -> None:
    code = f"import errno, fcntl, os, socket\ntry:\n    {statement}\n    print(None)\n"
    code += "except OSError as error:\n    print(errno.errorcode[error.errno])"
    run = under_the_default(sys.executable, "-c", code)
    assert run.stdout == f"{errno}\n", run.stderr
