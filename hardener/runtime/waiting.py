"""Waiting for a container: signals are handed on, and its end becomes an exit code."""

from __future__ import annotations

import posix
import time

from hardener.linux import calls, procfs, signals
from hardener.linux.consts import SYSCALLS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

ENOENT, ESRCH = 2, 3
# For a moment in fork(3) the C library holds back everything; whoever always does it means it.
SAMPLES: Final = 100
PAUSE_S: Final = 0.002

FATAL: Final = (signals.HUP, signals.INT, signals.QUIT, signals.TERM)
WATCHED: Final = (*signals.ORDINARY, signals.CHLD)  # who sends us one of these means the container


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
        if signal in FATAL and _would_be_lost(pid, signal):
            calls.pidfd_send_signal(pidfd, signals.KILL)
            return True
        calls.pidfd_send_signal(pidfd, signal)
    except OSError as error:
        if error.errno not in (ENOENT, ESRCH):  # it has just ended
            raise
    return False


def _would_be_lost(pid: int, signal: int) -> bool:
    """Tell whether the kernel throws a signal away: a first process neither catches it nor ignores it, nor waits for it."""
    for _ in range(SAMPLES):
        status = procfs.parse_status(procfs.read(f"/proc/{pid}/status"))
        if status["NSpid"].split()[-1] != "1":
            return False
        if signal in {*procfs.signals(status["SigCgt"]), *procfs.signals(status["SigIgn"])}:
            return False
        if signal not in procfs.signals(status["SigBlk"]):
            return not _waits_for_signals(pid)
        time.sleep(PAUSE_S)
    return False  # held back for good: it is read from a descriptor, as signalfd(2) gives


def _waits_for_signals(pid: int) -> bool:
    """Tell whether a process is in sigwait(3), as small init programs are: meanwhile /proc does not show what it waits for as held back."""
    try:
        calls_now = [procfs.read(f"/proc/{pid}/task/{thread}/syscall") for thread in posix.listdir(f"/proc/{pid}/task")]
    except (PermissionError, FileNotFoundError):  # not ours to look into; a thread has just ended
        return False
    return any(call.split()[:1] == [str(SYSCALLS["rt_sigtimedwait"])] for call in calls_now)
