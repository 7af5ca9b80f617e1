"""Between the terminal we were started from and the one of the container: bytes, window size, signals, and the keys that let go of it."""

from __future__ import annotations

import posix

from hardener.errors import HardenError
from hardener.linux import calls, signals
from hardener.linux.consts import TIOCGWINSZ, TIOCSWINSZ
from hardener.runtime import waiting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Final

CHUNK: Final = 4096  # what a pipe takes without waiting once it can take anything
FULL: Final = 1 << 16
END_OF_INPUT: Final = b"\x04"
GONE: Final = (5, 9)  # EIO: nobody has the other side of a terminal open any more; EBADF: there never was one


class Detached(Exception):
    """The keys were pressed that leave the container alone with its terminal."""


class Keys:
    """A sequence of keys that leaves the container alone with its terminal, as `docker run --detach-keys`: `ctrl-p,ctrl-q`, `ctrl-@,x`."""

    __slots__ = ("seen", "sequence")

    def __init__(self, text: str) -> None:
        self.sequence = b"".join([_key(word, text) for word in text.split(",")]) if text else b""
        self.seen = 0

    def feed(self, typed: bytes) -> tuple[bytes, bool]:
        """Return what is for the container of what was typed, and whether the sequence is complete; a part of it is held back."""
        if not self.sequence:
            return typed, False
        passed = bytearray()
        for at in range(len(typed)):
            key = typed[at : at + 1]
            if key != self.sequence[self.seen : self.seen + 1]:
                passed += self.sequence[: self.seen]
                self.seen = 0
            if key == self.sequence[self.seen : self.seen + 1]:
                self.seen += 1
                if self.seen == len(self.sequence):
                    self.seen = 0
                    return bytes(passed), True
            else:
                passed += key
        return bytes(passed), False


def _key(word: str, text: str) -> bytes:
    if len(word) == 1 and word.isascii():
        return word.encode()
    name = word.removeprefix("ctrl-").upper()
    if word.startswith("ctrl-") and len(name) == 1 and "@" <= name <= "_":
        return bytes([ord(name) & 0x1F])
    raise HardenError(f"{word!r} is not a key", where=f"--detach-keys {text}", how="write characters and ctrl-x: ctrl-p,ctrl-q")


class Raw:
    """Our terminal hands every key on while a `with` lasts, and is as before afterwards, however that ends; nothing without a terminal."""

    __slots__ = ("fd", "saved")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.saved: list[int | list[bytes | int]] | None = None

    def __enter__(self) -> Raw:
        if posix.isatty(self.fd):
            import termios

            self.saved = termios.tcgetattr(self.fd)
            self.again()
        return self

    def again(self) -> None:
        """Be raw again: a shell that has stopped and continued us has set its terminal as it likes it."""
        if self.saved is None:
            return
        import termios

        raw = termios.tcgetattr(self.fd)
        raw[0] &= ~(termios.IGNBRK | termios.BRKINT | termios.PARMRK | termios.ISTRIP | termios.INLCR | termios.IGNCR | termios.ICRNL)
        raw[0] &= ~(termios.INPCK | termios.IXON)
        raw[1] &= ~termios.OPOST
        raw[2] = raw[2] & ~(termios.CSIZE | termios.PARENB) | termios.CS8
        raw[3] &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.IEXTEN | termios.ISIG)
        raw[6][termios.VMIN], raw[6][termios.VTIME] = 1, 0
        termios.tcsetattr(self.fd, termios.TCSADRAIN, raw)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.saved is not None:
            import termios

            termios.tcsetattr(self.fd, termios.TCSADRAIN, self.saved)


def relay(screen: int, pid: int, pidfd: int, keys: Keys | None = None, *, typing: bool = True) -> int:
    """Carry bytes both ways until the process ends, and return its exit code; raises `Detached` when the keys say to leave it.

    Without `typing` our input is not for it.
    """
    posix.set_blocking(screen, False)
    listener = calls.signalfd(waiting.WATCHED)
    try:
        with Raw(0 if typing else -1) as terminal:
            fit(screen)
            return _relay(screen, pid, pidfd, keys, listener, terminal)
    finally:
        posix.close(listener)


def _relay(screen: int, pid: int, pidfd: int, keys: Keys | None, listener: int, terminal: Raw) -> int:
    import select

    typed, shown = bytearray(), bytearray()  # on their way in and out: neither side can make us wait for it
    listening, showing = terminal.fd == 0, True
    wanted: dict[int, int] = {}
    poll = select.poll()
    while True:
        wants = {listener: select.POLLIN, pidfd: select.POLLIN}
        if listening and len(typed) < FULL:
            wants[0] = select.POLLIN
        if shown:
            wants[1] = select.POLLOUT
        if showing:
            wants[screen] = (select.POLLIN if len(shown) < FULL else 0) | (select.POLLOUT if typed else 0)
        for fd in wanted.keys() - wants.keys():
            poll.unregister(fd)
        for fd, events in wants.items():
            poll.register(fd, events)
        wanted = wants
        ready = dict(poll.poll())
        if listener in ready and (signal := signals.read(listener)) is not None:
            if signal == signals.WINCH:
                fit(screen)
            elif signal == signals.CONT:
                terminal.again()
            if signal != signals.CHLD and waiting.forward(pid, pidfd, signal):
                posix.waitpid(pid, 0)
                _flush(screen, shown)
                return 128 + signal
        if 0 in ready:
            chunk = _read(0) or b""
            if not chunk:
                listening = False
                typed += END_OF_INPUT  # the end of our input is the end of its
            passed, leave = keys.feed(chunk) if keys is not None else (chunk, False)
            typed += passed
            if leave:
                raise Detached
        if screen in ready:
            if ready[screen] & ~select.POLLOUT:
                said = _read(screen)
                shown += said or b""
                showing = said != b""
            if showing and typed:
                del typed[: _write(screen, typed)]
        if 1 in ready:
            del shown[: _write(1, shown[:CHUNK])]
        if pidfd in ready:
            _, status = posix.waitpid(pid, 0)
            _flush(screen, shown)
            return waiting.exit_code(status)


def _read(fd: int) -> bytes | None:
    """Return what there is, b"" at the end, None when there is nothing yet."""
    try:
        return posix.read(fd, CHUNK)
    except BlockingIOError:
        return None
    except OSError as error:
        if error.errno not in GONE:
            raise
        return b""


def _write(fd: int, content: bytes | bytearray) -> int:
    """Return how much is gone: all of it when nobody is there to take it."""
    try:
        return posix.write(fd, content)
    except BlockingIOError:
        return 0
    except BrokenPipeError:
        return len(content)
    except OSError as error:
        if error.errno not in GONE:
            raise
        return len(content)


def _flush(screen: int, shown: bytearray) -> None:
    """Show the last words of a process that has ended."""
    while chunk := _read(screen):
        shown += chunk
    while shown:
        del shown[: _write(1, shown[:CHUNK])]


def fit(screen: int) -> None:
    """Give the container's terminal the window size of ours, if we have one."""
    for stream in (0, 1, 2):
        if posix.isatty(stream):
            size = calls.ioctl(stream, TIOCGWINSZ, bytes(8), name="TIOCGWINSZ")
            calls.ioctl(screen, TIOCSWINSZ, size, name="TIOCSWINSZ")
            return
