"""Between the terminal we were started from and the one of the container: bytes, window size, signals."""

from __future__ import annotations

import posix

from hardener.linux import calls, signals
from hardener.linux.consts import TIOCGWINSZ, TIOCSWINSZ
from hardener.runtime import waiting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

CHUNK: Final = 1 << 14
EIO: Final = 5


def relay(screen: int, pid: int, pidfd: int) -> int:
    """Carry bytes both ways until the container ends; return its exit code. Our own terminal is raw meanwhile, and as before afterwards."""
    import select
    import termios

    saved = termios.tcgetattr(0) if posix.isatty(0) else None
    if saved is not None:
        raw = termios.tcgetattr(0)
        raw[0] &= ~(termios.BRKINT | termios.ICRNL | termios.INPCK | termios.ISTRIP | termios.IXON)
        raw[1] &= ~termios.OPOST
        raw[3] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN | termios.ISIG)
        termios.tcsetattr(0, termios.TCSADRAIN, raw)
        resize(screen)
    try:
        inputs = [0, screen]
        while True:
            # Signals are blocked: a look every tenth of a second is soon enough for a window that changes its size.
            ready, _, _ = select.select([*inputs, pidfd], [], [], 0.1)
            while (signal := signals.take(waiting.WATCHED)) is not None:
                if signal == signals.WINCH:
                    resize(screen)
                elif signal != signals.CHLD and waiting.forward(pid, pidfd, signal):
                    _, status = posix.waitpid(pid, 0)
                    return 128 + signal
            if 0 in ready and not _copy(0, screen):
                inputs.remove(0)
                posix.write(screen, b"\x04")  # the end of our input is the end of its
            if screen in ready and not _copy(screen, 1):
                inputs.remove(screen)
            if pidfd in ready:
                while screen in inputs and select.select([screen], [], [], 0)[0] and _copy(screen, 1):
                    pass
                _, status = posix.waitpid(pid, 0)
                return waiting.exit_code(status)
    finally:
        if saved is not None:
            termios.tcsetattr(0, termios.TCSADRAIN, saved)


def _copy(source: int, target: int) -> bool:
    """Carry one chunk; False at the end of the source."""
    try:
        chunk = posix.read(source, CHUNK)
    except OSError as error:
        if error.errno != EIO:  # how a terminal says that nobody has its other side open any more
            raise
        return False
    while chunk:
        chunk = chunk[posix.write(target, chunk) :]
        if not chunk:
            return True
    return False


def resize(screen: int) -> None:
    """Give the container's terminal the window size of ours."""
    size = calls.ioctl(0, TIOCGWINSZ, bytes(8), name="TIOCGWINSZ")
    calls.ioctl(screen, TIOCSWINSZ, size, name="TIOCSWINSZ")
