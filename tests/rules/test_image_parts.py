"""File capabilities, heads of programs, accounts and sizes, as bytes and as what they mean."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from image_specs import capability, elf

from hardener.linux.names import CAPABILITIES
from hardener.rules import file_capabilities, known_privileged
from hardener.rules.image_accounts import Accounts
from hardener.rules.image_programs import program
from hardener.rules.image_survey import size_text


def test_capabilities_are_the_kernels() -> None:
    assert file_capabilities.NAMES == CAPABILITIES


@pytest.mark.parametrize(
    ("value", "text", "trouble"),
    [
        (capability("NET_RAW"), "cap_net_raw=ep", ""),
        (capability("SETUID", "BPF"), "cap_setuid,cap_bpf=ep", ""),
        (struct.pack("<IIIII", 0x02000000, 1 << 10, 1 << 13, 0, 0), "cap_net_bind_service=p cap_net_raw+i", ""),
        (struct.pack("<III", 0x01000001, 1, 0), "cap_chown=ep", ""),
        (struct.pack("<IIIIII", 0x03000001, 0, 0, 1 << 8, 0, 1000), "cap_checkpoint_restore=ep", ""),
        (struct.pack("<IIIII", 0x02000001, 0, 0, 1 << 31, 0), "cap_63=ep", ""),
        (b"", "", "it is too short"),
        (b"\1\0\0\2", "", "it has 4 bytes, not 20"),
        (capability("KILL") + b"\0", "", "it has 21 bytes, not 20"),
        (struct.pack("<IIIII", 0x04000001, 1, 0, 0, 0), "", "its revision is 4"),
        (struct.pack("<IIIII", 0x02000011, 1, 0, 0, 0), "", "it has flags that nobody knows"),
    ],
)
def test_capability(value: bytes, text: str, trouble: str) -> None:
    found = file_capabilities.parse(value)
    assert (found.text, found.trouble) == (text, trouble)


@given(st.binary(max_size=40))
def test_any_attribute_means_something_or_has_trouble(value: bytes) -> None:
    found = file_capabilities.parse(value)
    assert not (found.trouble and found.text)


@pytest.mark.parametrize(
    ("head", "machine", "static", "script"),
    [
        (elf("amd64"), "amd64", False, ""),
        (elf("arm64", static=True), "arm64", True, ""),
        (elf("riscv64")[:63], "", False, ""),
        (b"#!/bin/sh -e\nexit", "", False, "/bin/sh"),
        (b"#! /usr/bin/env python3", "", False, "/usr/bin/env"),
        (b"#!", "", False, ""),
        (b"MZ", "", False, ""),
        (b"\x7fELF\x02\x02\x01" + bytes(9) + struct.pack(">HHIQQQIHHHHHH", 2, 0x16, 1, 0, 64, 0, 0, 64, 56, 0, 0, 0, 0),
         "s390x", False, ""),
        (b"\x7fELF\x01\x01\x01" + bytes(9) + struct.pack("<HHIIIIIHHHHHH", 2, 0x28, 1, 0, 52, 0, 0, 52, 32, 1, 0, 0, 0) + b"\1" + bytes(31),
         "arm", True, ""),
    ],
)  # fmt: skip
def test_program(head: bytes, machine: str, static: bool, script: str) -> None:
    found = program(head)
    assert (found.machine, found.static, found.script) == (machine, static, script)


@given(st.binary(max_size=80))
def test_any_head_of_a_program_is_read(rest: bytes) -> None:
    assert program(b"\x7fELF\x02\x01" + rest).script == ""


PASSWD = b"root:x:0:0:root:/root:/bin/sh\napp:x:1000:50::/home/app:/bin/sh\n0777:x:5:5::/:\nbad line\nx:y:z:1:::\n+::::::\n"
GROUP = b"root:x:0:\nstaff:x:50:app,root\n"


@pytest.mark.parametrize(
    ("user", "uid", "gid"),
    [
        ("", 0, 0),
        ("app", 1000, 50),
        ("1000", 1000, 50),
        ("2000", 2000, 0),
        ("2000:staff", 2000, 50),
        ("app:0", 1000, 0),
        ("app:7", 1000, 7),
        ("app:nobody", 1000, None),
        (":7", 0, 7),
        ("0777", 5, 5),  # a name, although it looks like a number (CVE-2016-3697)
        ("nobody", None, None),
        ("99999999999", None, None),
        ("+0", 0, 0),
        ("-0", 0, 0),
        ("-1", None, None),
        ("+1000", 1000, 50),
        ("١٢", None, None),
    ],
)
def test_who_a_user_is(user: str, uid: int | None, gid: int | None) -> None:
    found = Accounts(PASSWD, GROUP, None).who(user)
    assert (found.uid, found.gid) == (uid, gid)


def test_root_needs_no_account_where_there_are_none() -> None:
    assert Accounts(None, None, None).who("root").uid == 0
    assert Accounts(b"", None, None).who("root").uid is None


@given(st.binary(max_size=100))
def test_any_bytes_are_accounts(data: bytes) -> None:
    found = Accounts(data, data, data)
    assert found.who("").uid == 0


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (99_940, "100 kB"), (999_960, "1.0 MB"), (12_345_678, "12 MB"), (3 * 10**15, "3000 TB")],
)
def test_size(size: int, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("family", "path", "known"),
    [
        ("debian", "usr/bin/su", True),
        ("debian", "bin/su", True),
        ("", "bin/su", False),
        ("alpine", "usr/bin/sudo", False),
        ("rhel", "usr/sbin/suexec", True),
    ],
)
def test_what_distributions_ship(family: str, path: str, known: bool) -> None:
    assert known_privileged.ships(family, path) is known
