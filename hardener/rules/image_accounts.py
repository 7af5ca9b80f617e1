"""The accounts of an image: its passwd, group and shadow, read as data, and who a USER is by them.

Source: passwd(5), group(5), shadow(5); for USER moby/sys/user, GetExecUser: a name comes first, then a number; a number without an
account has group 0.
"""

from __future__ import annotations

from typing import Final

from hardener.record import NamedTuple

MOST: Final = 10_000  # lines of a file that are read


class Account(NamedTuple):
    """A line of passwd; `password` is its second field."""

    name: str
    password: str
    uid: int
    gid: int
    home: str
    shell: str


class Group(NamedTuple):
    """A line of group."""

    name: str
    gid: int
    members: tuple[str, ...]


class Who(NamedTuple):
    """Who a USER is. `uid` or `gid` is None when the image knows no such name."""

    uid: int | None
    gid: int | None
    name: str  # as written, without the group
    group: str  # as written; "" when no group is
    account: Account | None


LONGEST: Final = 20
"""Digits of an id that is one: no program reads more."""


class Accounts:
    """What passwd, group and shadow hold. `complete` tells whether there is a passwd at all."""

    __slots__ = ("accounts", "complete", "groups", "shadow")

    def __init__(self, passwd: bytes | None, group: bytes | None, shadow: bytes | None) -> None:
        self.complete = passwd is not None
        self.accounts = tuple(
            Account(fields[0], fields[1], int(fields[2]), int(fields[3]), fields[5], fields[6])
            for fields in _lines(passwd, 7)
            if _is_id(fields[2]) and _is_id(fields[3])
        )
        self.groups = tuple(
            Group(fields[0], int(fields[2]), tuple(fields[3].split(",")) if fields[3] else ())
            for fields in _lines(group, 4)
            if _is_id(fields[2])
        )
        self.shadow = {fields[0]: fields[1] for fields in _lines(shadow, 2)}

    def who(self, user: str) -> Who:
        """Return who a USER (`name`, `uid`, `name:group`, `uid:gid`) is; an empty one is root."""
        name, colon, group = user.partition(":")
        account = next((each for each in self.accounts if each.name == name), None) if name else None
        uid: int | None
        gid: int | None
        if account is not None:
            uid, gid = account.uid, account.gid
        elif not name:
            uid, gid = 0, 0
        elif is_number(name):
            uid = int(name)
            account = next((each for each in self.accounts if each.uid == uid), None)
            gid = account.gid if account is not None else 0
        elif name == "root" and not self.complete:
            uid, gid = 0, 0
        else:
            uid = gid = None
        if colon and group:
            found = next((each for each in self.groups if each.name == group), None)
            gid = found.gid if found is not None else int(group) if is_number(group) else None
        return Who(uid, gid, name, group if colon else "", account)

    def user_name(self, uid: int) -> str:
        """Return the name of an id, or the id."""
        return next((account.name for account in self.accounts if account.uid == uid), "root" if uid == 0 else str(uid))

    def group_name(self, gid: int) -> str:
        """Return the name of a group's id, or the id."""
        return next((group.name for group in self.groups if group.gid == gid), "root" if gid == 0 else str(gid))


def is_number(text: str) -> bool:
    """Whether a text is an id as Go's Atoi reads one (`+0`, `00`, `-0`), and the kernel may have it."""
    digits = text[1:] if text[:1] in ("+", "-") else text
    return digits.isdecimal() and digits.isascii() and len(digits) <= 10 and (text[0] != "-" or not digits.strip("0"))


def _is_id(text: str) -> bool:
    return text.isdecimal() and len(text) <= LONGEST


def _lines(data: bytes | None, fields: int) -> list[list[str]]:
    """Return the fields of the lines of a file; lines with fewer fields are none."""
    if not data:
        return []
    lines = data.decode("utf-8", "surrogateescape").split("\n")[:MOST]
    split = [line.rstrip("\r").split(":") for line in lines if line and not line.startswith("#")]
    return [[*parts] for parts in split if len(parts) >= fields and parts[0]]
