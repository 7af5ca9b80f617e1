"""Waiting for a container: signals are handed on, and its end becomes an exit code."""

from __future__ import annotations

import posix

from hardener.linux import calls, procfs, signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

ENOENT, ESRCH = 2, 3

# What a user, a shell or a service manager may send us and mean the container.
FORWARDED: Final = (
    *(signals.HUP, signals.INT, signals.QUIT, signals.TERM, signals.USR1, signals.USR2, signals.CONT, signals.ALRM),
    signals.WINCH,
)
FATAL: Final = (signals.HUP, signals.INT, signals.QUIT, signals.TERM)
WATCHED: Final = (*FORWARDED, signals.CHLD)


def wait(pid: int, pidfd: int) -> int:
    """Wait for the end of the container, handing signals on; return its exit code."""
    while True:
        ended, status = posix.waitpid(pid, posix.WNOHANG)
        if ended:
            return exit_code(status)
        signal = signals.wait(WATCHED)
        if signal != signals.CHLD and forward(pid, pidfd, signal):
            posix.waitpid(pid, 0)
            return 128 + signal


def exit_code(status: int) -> int:
    """Return the exit code for a shell of a wait status."""
    code = posix.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def forward(pid: int, pidfd: int, signal: int) -> bool:
    """Send a signal on; True when the program had no say in it and was killed.

    The kernel keeps signals without a handler from the first process of a pid namespace. A program that would die of one outside dies of it
    here too: a plain `sleep` can be interrupted.
    """
    try:
        if signal in FATAL:
            status = procfs.parse_status(procfs.read(f"/proc/{pid}/status"))
            handled = {*procfs.signals(status["SigCgt"]), *procfs.signals(status["SigIgn"]), *procfs.signals(status["SigBlk"])}
            if signal not in handled:
                calls.pidfd_send_signal(pidfd, signals.KILL)
                return True
        calls.pidfd_send_signal(pidfd, signal)
    except OSError as error:
        if error.errno not in (ENOENT, ESRCH):  # it has just ended
            raise
    return False
