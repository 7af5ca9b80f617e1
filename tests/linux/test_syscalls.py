"""The tables of syscall numbers, beside libseccomp's and beside the headers of this machine."""

import re
from pathlib import Path

import libseccomp
import pytest

from hardener.linux import syscalls

HEADERS = {"x86_64": "unistd_64.h", "i386": "unistd_32.h", "x32": "unistd_x32.h"}


@pytest.mark.parametrize(
    ("architecture", "name", "number"),
    [
        ("x86_64", "read", 0),
        ("x86_64", "clone3", 435),
        ("x86_64", "rseq_slice_yield", 471),
        ("x32", "read", 0x40000000),
        ("x32", "execve", 0x40000000 + 520),
        ("i386", "socketcall", 102),
        ("i386", "clock_gettime64", 403),
        ("aarch64", "openat", 56),
        ("aarch64", "wait4", 260),
        ("arm", "set_tls", 0xF0005),
        ("arm", "sync_file_range2", 341),
        ("arm", "arm_sync_file_range", 341),
    ],
)
def test_a_syscall_has_its_number(architecture: str, name: str, number: int) -> None:
    assert syscalls.numbers(architecture)[name] == number


@pytest.mark.parametrize(
    ("architecture", "name"),
    [
        ("aarch64", "open"),
        ("x86_64", "socketcall"),
        ("x86_64", "clock_gettime64"),
        ("x32", "uselib"),
        ("arm", "memfd_secret"),
        ("arm", "mmap"),
    ],
)
def test_a_syscall_is_absent_where_the_kernel_has_none(architecture: str, name: str) -> None:
    assert name not in syscalls.numbers(architecture)


@pytest.mark.parametrize("architecture", syscalls.ARCHITECTURES)
def test_numbers_are_those_of_libseccomp(architecture: str) -> None:
    ours = syscalls.numbers(architecture)
    theirs = {name: libseccomp.number(name, architecture) for name in ours}
    # An older library lacks the newest ones, and knows 341 of ARM under one of its two names only. Negative are names that a program
    # of this architecture calls through another syscall.
    assert {name: found for name, found in theirs.items() if found >= 0 and found != ours[name]} == {}
    missing = {name for name, found in theirs.items() if found == libseccomp.UNKNOWN} - {"sync_file_range2"}
    assert {name for name in missing if (syscalls.since(name) or (0, 0)) < (5, 17)} == set()


@pytest.mark.parametrize(("architecture", "header"), HEADERS.items())
def test_numbers_are_those_of_the_headers(architecture: str, header: str) -> None:
    path = Path("/usr/include/x86_64-linux-gnu/asm", header)
    if not path.exists():
        pytest.skip("kernel: no headers for x86_64 on this machine")
    found = re.findall(r"^#define __NR_(\w+) \(?(?:__X32_SYSCALL_BIT \+ )?(\d+)\)?$", path.read_text(encoding="utf-8"), re.MULTILINE)
    bit = syscalls.X32_BIT if architecture == "x32" else 0
    ours = syscalls.numbers(architecture)
    assert {(name, int(number) | bit) for name, number in found} - set(ours.items()) == set()


@pytest.mark.parametrize("architecture", syscalls.ARCHITECTURES)
def test_new_syscalls_have_one_number_everywhere(architecture: str) -> None:
    bit = syscalls.X32_BIT if architecture == "x32" else 0
    native = {name: number for name, number in syscalls.numbers("aarch64").items() if number >= 424}
    ours = {name: number - bit for name, number in syscalls.numbers(architecture).items() if name in native}
    assert ours == {name: number for name, number in native.items() if name in ours}
    assert set(native) - set(ours) <= {"memfd_secret"}


@pytest.mark.parametrize(
    ("name", "version"),
    [("read", None), ("openat2", (5, 6)), ("futex_time64", (5, 1)), ("mseal", (6, 10)), ("listns", (6, 19)), ("no_such_call", None)],
)
def test_the_kernel_that_brought_a_syscall(name: str, version: tuple[int, int] | None) -> None:
    assert syscalls.since(name) == version


def test_every_syscall_from_424_on_has_its_kernel() -> None:
    assert [name for name, number in syscalls.numbers("aarch64").items() if number >= 424 and syscalls.since(name) is None] == []


@pytest.mark.parametrize(("name", "known"), [("read", True), ("s390_sthyi", True), ("umount", True), ("raed", False), ("", False)])
def test_known_is_what_any_linux_has(name: str, known: bool) -> None:
    assert syscalls.is_known(name) is known
