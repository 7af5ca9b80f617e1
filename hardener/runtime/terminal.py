"""The session of the process, and a terminal of its own when it asks for one."""

from __future__ import annotations

import posix

from hardener.errors import HardenError
from hardener.linux import calls
from hardener.linux.binding import number, words
from hardener.linux.consts import TIOCGPTPEER, TIOCSCTTY, TIOCSPTLCK, TIOCSWINSZ

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardener.oci.runtime import Spec


class Terminal:
    """A pseudo-terminal from the container's own devpts; `size` is (rows, columns)."""

    __slots__ = ("size",)

    def __init__(self, size: tuple[int, int] | None) -> None:
        self.size = size

    def lines(self) -> list[str]:
        """Return the plan for a reader."""
        return ["a terminal of its own"]


def plan(spec: Spec) -> Terminal | None:
    """Return the terminal of a process; None when it takes our descriptors."""
    process = spec.process
    if process is None or not process.terminal:
        return None
    if not any(mount.type == "devpts" for mount in spec.mounts):
        raise HardenError("a terminal needs a devpts filesystem in the container", where="process.terminal", how="mount devpts on /dev/pts")
    size = process.console_size
    if isinstance(size, dict) and all(isinstance(size.get(key), int) for key in ("height", "width")):
        return Terminal((size["height"], size["width"]))
    return Terminal(None)


def apply(plan: Terminal | None) -> int | None:
    """Lead a session of its own; with a terminal, make it the standard streams and return its other side.

    Without a controlling terminal nothing can be pushed into the input of the one that we were started from (TIOCSTI).
    """
    posix.setsid()
    if plan is None:
        return None
    # After the change of root /dev/pts is the container's; the number of its multiplexer shows that it is a devpts (CVE-2025-52565).
    master = posix.open("/dev/pts/ptmx", posix.O_RDWR | posix.O_NOCTTY | posix.O_CLOEXEC | posix.O_NOFOLLOW)
    if posix.fstat(master).st_rdev != posix.makedev(5, 2):
        raise OSError(19, "/dev/pts/ptmx is not the multiplexer of a devpts filesystem")
    calls.ioctl(master, TIOCSPTLCK, words(0, size=4), name="TIOCSPTLCK")
    peer = calls.ioctl(master, TIOCGPTPEER, posix.O_RDWR | posix.O_NOCTTY, name="TIOCGPTPEER")
    slave = peer if isinstance(peer, int) else number(peer)
    calls.ioctl(slave, TIOCSCTTY, 0, name="TIOCSCTTY")
    if plan.size is not None:
        calls.ioctl(slave, TIOCSWINSZ, words(*plan.size, 0, 0, size=2), name="TIOCSWINSZ")
    for stream in (0, 1, 2):
        posix.dup2(slave, stream)
    posix.close(slave)
    return master
