"""Signals as numbers: the C half of the `signal` module, without the enumerations that make importing it slow."""

from __future__ import annotations

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
PIPE: Final[int] = _signals.SIGPIPE
XFSZ: Final[int] = _signals.SIGXFSZ


def block(signals: Iterable[int]) -> set[int]:
    """Hold signals back; return the mask of before, for `restore`."""
    return {int(one) for one in _signals.pthread_sigmask(_signals.SIG_BLOCK, signals)}


def restore(mask: Iterable[int]) -> None:
    """Make this the mask of signals that are held back."""
    _signals.pthread_sigmask(_signals.SIG_SETMASK, mask)


def wait(signals: Iterable[int]) -> int:
    """Wait for one of some blocked signals, and take it."""
    return int(_signals.sigwait(signals))


def take(signals: Iterable[int]) -> int | None:
    """Take one of some blocked signals if one is pending."""
    pending = _signals.sigtimedwait(signals, 0)
    return None if pending is None else pending.si_signo


def default(signal: int) -> None:
    """Let a signal do what it does in a fresh process."""
    _signals.signal(signal, _signals.SIG_DFL)
