"""How far a transfer is, for whoever looks at a terminal: one line, drawn over again and gone at the end. Elsewhere nothing is shown."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import TracebackType
    from typing import TextIO

    from hardener.images.progress import Progress

DRAW_S: Final = 0.1
BAR: Final = 20  # cells
_CLEAR: Final = "\r\x1b[K"


def display(stream: TextIO | None = None) -> Progress:
    """Return what shows transfers on a stream (standard error): a line on a terminal, only notes elsewhere."""
    from hardener.cli import terminal

    out = stream or sys.stderr
    return Line(out) if terminal.color_wanted("auto", out) else Notes(out)


class Notes:
    """Shows no transfer, and says what is to be said."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def start(self, name: str, size: int, done: int = 0) -> None:
        """Begin a transfer."""

    def advance(self, name: str, count: int) -> None:
        """Count more bytes."""

    def finish(self, name: str) -> None:
        """End a transfer."""

    def note(self, text: str) -> None:
        """Say something in between."""
        from hardener.cli import tame

        self._out.write(f"harden: {tame(text)}\n")

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        pass


class Line(Notes):
    """One line of a terminal: how much has come, how fast, and how long the rest will take."""

    def __init__(self, out: TextIO) -> None:
        super().__init__(out)
        self._lock = threading.Lock()
        self._transfers: dict[str, list[int]] = {}  # name -> [size, done]
        self._fetched = 0
        self._began = self._drawn = time.monotonic()

    def start(self, name: str, size: int, done: int = 0) -> None:
        """Begin a transfer, of which `done` bytes are here already; one that begins again starts where it is."""
        with self._lock:
            self._transfers[name] = [size, done]

    def advance(self, name: str, count: int) -> None:
        """Count more bytes, and draw when it is time."""
        with self._lock:
            self._transfers[name][1] += count
            self._fetched += count
            now = time.monotonic()
            if now - self._drawn >= DRAW_S:
                self._drawn = now
                self._draw(now)

    def finish(self, name: str) -> None:
        """End a transfer."""
        with self._lock:
            self._transfers[name][1] = self._transfers[name][0]

    def note(self, text: str) -> None:
        """Say something above the line."""
        with self._lock:
            self._out.write(_CLEAR)
            super().note(text)
            self._out.flush()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._lock:
            self._out.write(_CLEAR)
            self._out.flush()

    def _draw(self, now: float) -> None:
        size = sum([transfer[0] for transfer in self._transfers.values()])
        done = sum([min(transfer) for transfer in self._transfers.values()])
        running = sum([transfer[1] < transfer[0] for transfer in self._transfers.values()])
        rate = self._fetched / max(now - self._began, DRAW_S)
        filled = done * BAR // size if size else BAR
        text = f"{'#' * filled}{'.' * (BAR - filled)} {amount(done)} of {amount(size)}, {amount(rate)}/s, {running} running"
        if rate >= 1:
            text += f", {(size - done) / rate:.0f} s left"
        self._out.write(f"{_CLEAR}{text[: _columns() - 1]}")
        self._out.flush()


def amount(count: float) -> str:
    """Return a number of bytes as docker writes it: in units of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g}{unit}" if count < 100 else f"{count:.0f}{unit}"
        count /= 1000
    return f"{count:.3g}TB"


def _columns() -> int:
    from os import get_terminal_size

    try:
        return max(get_terminal_size(2).columns, 20)
    except OSError:
        return 80
