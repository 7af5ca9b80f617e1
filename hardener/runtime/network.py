"""The network: none but the loopback interface, this machine's, or one that is joined."""

from __future__ import annotations

import posix

from hardener.linux import calls
from hardener.linux.binding import number, words
from hardener.linux.consts import AF_INET, IFF_UP, SIOCGIFFLAGS, SIOCSIFFLAGS, SOCK_CLOEXEC, SOCK_DGRAM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardener.oci.runtime import Spec


class Loopback:
    """A new network has a loopback interface, and it is down."""

    __slots__ = ()

    def lines(self) -> list[str]:
        """Return the plan for a reader."""
        return ["loopback up, nothing else"]


def plan(spec: Spec) -> Loopback | None:
    """Return what is to do in a new network namespace; None for one that is shared."""
    linux = spec.linux
    new = linux is not None and any(namespace.type == "network" and not namespace.path for namespace in linux.namespaces)
    return Loopback() if new else None


def apply(plan: Loopback) -> None:
    """Set the loopback interface up."""
    fd = calls.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC)
    try:
        request = calls.ioctl(fd, SIOCGIFFLAGS, b"lo".ljust(40, b"\0"), name="SIOCGIFFLAGS lo")
        flags = number(request, 16, 2) | IFF_UP if isinstance(request, bytes) else IFF_UP
        calls.ioctl(fd, SIOCSIFFLAGS, b"lo".ljust(16, b"\0") + words(flags, size=2).ljust(24, b"\0"), name="SIOCSIFFLAGS lo")
    finally:
        posix.close(fd)
