"""Landlock: a process gives up access to files, for good, without privileges. Source: docs.kernel.org/userspace-api/landlock.html."""

from __future__ import annotations

import posix

from hardener.linux.binding import attempt, check, words
from hardener.linux.consts import (
    LANDLOCK_ACCESS_FS,
    LANDLOCK_CREATE_RULESET_VERSION,
    LANDLOCK_RULE_PATH_BENEATH,
    SYSCALLS,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# How many of the rights each version of the interface knows, and from which version scopes exist.
_KNOWN = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
SCOPES_SINCE = 6
ABSENT = (1, 38, 95)  # ENOSYS, EOPNOTSUPP: not in this kernel, or switched off; EPERM: kept from us by an engine that we run inside of


def version() -> int:
    """Return the version of Landlock in this kernel, 0 where there is none."""
    result = attempt(SYSCALLS["landlock_create_ruleset"], 0, 0, LANDLOCK_CREATE_RULESET_VERSION)
    return 0 if -result in ABSENT else check(result, "landlock_create_ruleset(version)")


def rights(names: Iterable[str], abi: int) -> int:
    """Return a mask of rights (`write-file`, …), without those that a version of the interface does not know."""
    known = (1 << _KNOWN.get(abi, 16)) - 1
    mask = 0
    for name in names:
        mask |= 1 << LANDLOCK_ACCESS_FS.index(name)
    return mask & known


def create(handled: int, *, scopes: int = 0) -> int:
    """Return a ruleset that denies the handled rights everywhere until rules allow them somewhere."""
    request = words(handled, 0, scopes) if scopes else words(handled)
    return check(attempt(SYSCALLS["landlock_create_ruleset"], request, len(request), 0), "landlock_create_ruleset")


def allow(ruleset: int, mask: int, path_fd: int, *, name: str) -> None:
    """Allow rights beneath a directory, or on a file."""
    request = words(mask) + words(path_fd, size=4)
    check(attempt(SYSCALLS["landlock_add_rule"], ruleset, LANDLOCK_RULE_PATH_BENEATH, request, 0), f"landlock_add_rule({name})")


def restrict(ruleset: int) -> None:
    """Hold this process and its children to a ruleset; needs no_new_privs or CAP_SYS_ADMIN."""
    check(attempt(SYSCALLS["landlock_restrict_self"], ruleset, 0), "landlock_restrict_self")
    posix.close(ruleset)
