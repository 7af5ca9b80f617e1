"""Who the process is and what it may: keyring, groups and ids, the five capability sets, no_new_privs."""

from __future__ import annotations

import posix

from hardener.errors import HardenError, suggest
from hardener.linux import calls, signals
from hardener.linux.consts import (
    PR_SET_DUMPABLE,
    PR_SET_KEEPCAPS,
    PR_SET_NO_NEW_PRIVS,
    PR_SET_PDEATHSIG,
    PR_SET_SECUREBITS,
    SECBIT_KEEP_CAPS_LOCKED,
    SECBIT_NO_CAP_AMBIENT_RAISE,
    SECBIT_NO_SETUID_FIXUP,
    SECBIT_NOROOT,
)
from hardener.linux.names import CAPABILITIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from hardener.oci.runtime import Spec

SETS: Final = ("bounding", "effective", "permitted", "inheritable", "ambient")
# For a container without any capability: that it runs as root makes no difference, and none of this can be changed. Where a capability is
# granted the bits stay as they are: programs that are given CAP_SETUID rely on what a change of ids does to the others.
NO_CAPABILITIES: Final = SECBIT_NOROOT | SECBIT_NO_SETUID_FIXUP | SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE


class Privileges:
    """The ids and the capability sets, as bit masks."""

    __slots__ = (*("ambient", "bounding", "effective", "gid", "groups", "inheritable", "no_new_privileges", "permitted", "uid", "umask"),)

    def __init__(self, uid: int, gid: int, groups: tuple[int, ...], umask: int, no_new_privileges: bool) -> None:
        self.uid = uid
        self.gid = gid
        self.groups = groups
        self.umask = umask
        self.no_new_privileges = no_new_privileges
        self.bounding = self.effective = self.permitted = self.inheritable = self.ambient = 0

    @property
    def securebits(self) -> int:
        """Return the secure bits, 0 to leave them alone."""
        return 0 if self.bounding | self.permitted | self.inheritable else NO_CAPABILITIES

    def lines(self) -> list[str]:
        """Return the plan for a reader."""
        held = [f"{name} {' '.join(names(getattr(self, name)))}" for name in SETS if getattr(self, name)]
        return [
            f"user {self.uid}:{self.gid} groups {' '.join(map(str, self.groups)) or 'none'} umask {self.umask:03o}",
            *(held or ["no capability in any of the five sets"]),
            "no_new_privs" if self.no_new_privileges else "no_new_privs is off",
        ]


def number(name: str, where: str = "process.capabilities") -> int:
    """Return the number of a capability, with or without `CAP_`, in any case; an unknown name is an error."""
    plain = name.upper().removeprefix("CAP_")
    if plain not in CAPABILITIES:
        close = (
            suggest(plain, CAPABILITIES)
            if not name.upper().startswith("CAP_")
            else suggest(f"CAP_{plain}", [f"CAP_{one}" for one in CAPABILITIES])
        )
        raise HardenError(f"unknown capability {name!r}", where=where, how=close or "capabilities(7) lists them all")
    return CAPABILITIES.index(plain)


def names(mask: int) -> list[str]:
    """Return the names in a mask."""
    return [calls.capability_name(bit) for bit in range(mask.bit_length()) if mask >> bit & 1]


def plan(spec: Spec) -> Privileges:
    """Return the privileges of the process; what the specification does not grant it does not get."""
    process = spec.process
    if process is None:
        raise HardenError("there is no process to run", where="process")
    user = process.user
    uid, gid = (user.uid or 0, user.gid or 0) if user else (0, 0)
    groups = user.additional_gids if user else ()
    for key, value in (("uid", uid), ("gid", gid), *(("additionalGids", one) for one in groups)):
        if not 0 <= value <= 2**32 - 2:
            raise HardenError(f"{value} is not an id", where=f"process.user.{key}")
    if user is not None and user.username:
        raise HardenError("user names are for Windows containers", where="process.user.username", how="give uid and gid")
    umask = user.umask if user and user.umask is not None else 0o022
    made = Privileges(uid, gid, groups, umask & 0o777, bool(process.no_new_privileges))
    if process.capabilities is not None:
        for kind in SETS:
            mask = 0
            for capability in getattr(process.capabilities, kind):
                mask |= 1 << number(capability, f"process.capabilities.{kind}")
            setattr(made, kind, mask)
    if made.effective & ~made.permitted:
        missing = names(made.effective & ~made.permitted)
        raise HardenError(f"{' '.join(missing)} cannot be effective without being permitted", where="process.capabilities")
    if made.ambient & ~(made.permitted & made.inheritable):
        # runc writes such documents, and gives what can be given: capabilities(7), "ambient".
        made.ambient &= made.permitted & made.inheritable
    return made


def apply(plan: Privileges, *, parent_gone: bool = False) -> None:
    """Give everything else up. The bounding set goes first, while we may; the ids before the sets that allow changing them."""
    calls.join_session_keyring()
    for capability in range(calls.last_capability() + 1):
        if not plan.bounding >> capability & 1:
            calls.drop_bounding(capability)
    if plan.securebits:  # capabilities survive the change of ids, which lets us give them up ourselves
        calls.prctl(PR_SET_SECUREBITS, plan.securebits, name="PR_SET_SECUREBITS")
    else:
        calls.prctl(PR_SET_KEEPCAPS, 1, name="PR_SET_KEEPCAPS")
    _set_groups(plan.groups)
    posix.setresgid(plan.gid, plan.gid, plan.gid)
    posix.setresuid(plan.uid, plan.uid, plan.uid)
    if not plan.securebits:
        calls.prctl(PR_SET_KEEPCAPS, 0, name="PR_SET_KEEPCAPS")
    calls.capset(plan.permitted, plan.permitted, plan.inheritable)
    calls.set_ambient([bit for bit in range(plan.ambient.bit_length()) if plan.ambient >> bit & 1])
    calls.capset(plan.effective, plan.permitted, plan.inheritable)
    posix.umask(plan.umask)
    # Again: a change of ids or capabilities sets it to what fs.suid_dumpable says, which may be 1.
    calls.prctl(PR_SET_DUMPABLE, 0, name="PR_SET_DUMPABLE")
    if not parent_gone:  # a change of ids resets it: it comes after them
        calls.prctl(PR_SET_PDEATHSIG, signals.KILL, name="PR_SET_PDEATHSIG")
    if plan.no_new_privileges:
        calls.prctl(PR_SET_NO_NEW_PRIVS, 1, name="PR_SET_NO_NEW_PRIVS")


def _set_groups(groups: tuple[int, ...]) -> None:
    try:
        posix.setgroups(list(groups))
    except PermissionError:
        # A user namespace with one's own id alone denies setgroups(2): what we have are the groups of who started us, mapped or not.
        if groups:
            raise OSError(1, f"setgroups({', '.join(map(str, groups))}): this user namespace has no range of group ids") from None
