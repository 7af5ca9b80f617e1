"""How far a transfer is: what whoever fetches tells, and whoever shows it hears."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from types import TracebackType


class Progress(Protocol):
    """Hears of transfers, from several threads at once. Names are what a person may see of a blob; sizes are in bytes."""

    def start(self, name: str, size: int, done: int = 0) -> None:
        """Begin a transfer, of which `done` bytes are here already."""

    def advance(self, name: str, count: int) -> None:
        """Count more bytes."""

    def finish(self, name: str) -> None:
        """End a transfer."""

    def note(self, text: str) -> None:
        """Say something in between."""

    def __enter__(self) -> Progress:
        """Begin to show."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Leave nothing behind."""


class Silent:
    """Shows nothing."""

    __slots__ = ()

    def start(self, name: str, size: int, done: int = 0) -> None:
        """Begin a transfer."""

    def advance(self, name: str, count: int) -> None:
        """Count more bytes."""

    def finish(self, name: str) -> None:
        """End a transfer."""

    def note(self, text: str) -> None:
        """Say something in between."""

    def __enter__(self) -> Silent:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        pass
