"""Signals as numbers: the C half of the `signal` module, without the enumerations that make importing it slow."""

from __future__ import annotations

import posix
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signals
    from collections.abc import Iterable
    from typing import Final
else:
    import _signal as _signals

HUP: Final[int] = _signals.SIGHUP
INT: Final[int] = _signals.SIGINT
QUIT: Final[int] = _signals.SIGQUIT
USR1: Final[int] = _signals.SIGUSR1
USR2: Final[int] = _signals.SIGUSR2
ALRM: Final[int] = _signals.SIGALRM
TERM: Final[int] = _signals.SIGTERM
CONT: Final[int] = _signals.SIGCONT
KILL: Final[int] = _signals.SIGKILL
CHLD: Final[int] = _signals.SIGCHLD
WINCH: Final[int] = _signals.SIGWINCH
TTOU: Final[int] = _signals.SIGTTOU

# What tells a process of its own mistake, and what a terminal stops a background process with: not for handing on. Source: tini.c.
_OWN: Final = (
    *(_signals.SIGFPE, _signals.SIGILL, _signals.SIGSEGV, _signals.SIGBUS, _signals.SIGABRT, _signals.SIGTRAP, _signals.SIGSYS),
    *(_signals.SIGTTIN, _signals.SIGTTOU, _signals.SIGKILL, _signals.SIGSTOP),
)

# What a user, a shell or a service manager may send to anything.
ORDINARY: Final = (HUP, INT, QUIT, USR1, USR2, ALRM, TERM, CONT, WINCH)


def block(signals: Iterable[int]) -> set[int]:
    """Hold signals back; return the mask of before, for `restore`."""
    return {int(one) for one in _signals.pthread_sigmask(_signals.SIG_BLOCK, signals)}


def restore(mask: Iterable[int]) -> None:
    """Make this the mask of signals that are held back."""
    _signals.pthread_sigmask(_signals.SIG_SETMASK, mask)


def every() -> tuple[int, ...]:
    """Return all signals that can be meant for another process than the one that gets them."""
    return tuple([int(one) for one in _signals.valid_signals() if one not in _OWN])


def catch(signals: Iterable[int]) -> None:
    """Show in /proc that these signals do not go unheard; they are held back and waited for, so that no handler ever runs."""
    for one in signals:
        _signals.signal(one, _unused)


def _unused(*_: object) -> None: ...


def hear_children() -> None:
    """Let children that have ended be waited for: who started us may have had them ignored, which we would inherit."""
    _signals.signal(_signals.SIGCHLD, _signals.SIG_DFL)


def wait(signals: Iterable[int]) -> int:
    """Wait for one of some blocked signals, and take it."""
    return int(_signals.sigwait(signals))


def read(fd: int) -> int | None:
    """Take a signal from the descriptor of `calls.signalfd`; None when there is none."""
    try:
        return int.from_bytes(posix.read(fd, 128)[:4], sys.byteorder)  # struct signalfd_siginfo begins with the number
    except BlockingIOError:
        return None


def reset() -> None:
    """Let every signal do what it does in a fresh process: an exec would go on ignoring what Python or who started us ignores."""
    for number in range(1, _signals.NSIG):
        if _signals.getsignal(number) not in (_signals.SIG_DFL, None):
            _signals.signal(number, _signals.SIG_DFL)


def send(pidfd: int, signal: int) -> None:
    """Send a signal to exactly the process of a pidfd; one that has just ended needs none."""
    try:
        _signals.pidfd_send_signal(pidfd, signal)
    except ProcessLookupError:
        return


def listen(signals: Iterable[int]) -> int:
    """Return a descriptor from which the numbers of some signals can be read, a byte each, as they come; they do nothing else any more."""
    ours, theirs = posix.pipe2(posix.O_NONBLOCK | posix.O_CLOEXEC)
    posix.set_blocking(theirs, False)
    _signals.set_wakeup_fd(theirs, warn_on_full_buffer=False)
    catch(signals)
    return ours
