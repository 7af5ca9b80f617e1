"""What parent and init say to each other, over a pair of connected sockets that keep messages apart.

    parent                                      init (the child, in its namespaces)
      | clone3 ──────────────────────────────────▶ seals the interpreter, waits
      | id maps, cgroups, rlimits, idmapped mounts
      | GO ──────────────────────────────────────▶ the INSIDE steps, in order
      | ◀──────────────────────────────── TERMINAL   (only with a terminal: the descriptor of its master side follows)
      | ◀────────────────────────────────── READY   all walls but the last are up
      | START ───────────────────────────────────▶ seccomp, execve
      | ◀─────────────────────────────── (closed)   the program runs
      | ◀── ERROR step, errno, text ─────────────   instead of any of its messages: a step failed, and init is gone

Errors travel as data: the child has no standard error of its own to print on, and the parent decides what a user sees. A socket that closes
without READY means that init was killed.
"""

from __future__ import annotations

import posix

from hardener.linux import calls
from hardener.linux.consts import AF_UNIX, SOCK_CLOEXEC, SOCK_SEQPACKET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

GO: Final = "go"
BORN: Final = "born"
TERMINAL: Final = "terminal"
READY: Final = "ready"
START: Final = "start"
ERROR: Final = "error"

_LIMIT: Final = 1 << 16


def describe(error: OSError) -> str:
    """Return what an error of the system says, with the file where it names one."""
    text = error.strerror or str(error)
    return f"{error.filename}: {text}" if isinstance(error.filename, str) else text


class Channel:
    """One end of the conversation."""

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def send(self, kind: str, *fields: str) -> None:
        """Say something; an error when nobody is left to hear it."""
        payload = "\0".join((kind, *fields)).encode("utf-8", "surrogateescape")[:_LIMIT]
        posix.write(self.fd, payload)

    def receive(self) -> tuple[str, ...]:
        """Return the next message, or () when the other end is closed."""
        try:
            payload = posix.read(self.fd, _LIMIT)
        except ConnectionResetError:  # closed with something of ours unread
            return ()
        return tuple(payload.decode("utf-8", "surrogateescape").split("\0")) if payload else ()

    def close(self) -> None:
        """Hang up."""
        if self.fd >= 0:
            posix.close(self.fd)
            self.fd = -1


def pair() -> tuple[Channel, Channel]:
    """Return the two ends, for the parent and for init; neither survives an exec."""
    ours, theirs = calls.socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC)
    return Channel(ours), Channel(theirs)
