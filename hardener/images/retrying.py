"""When a request is sent again, and how long we wait before: what failed for the moment alone, five times at most.

The pauses double, with a part of chance so that many clients of a registry that comes back do not all return at once. A registry that says
itself how long to wait is believed, up to a limit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardener.errors import HardenError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Final, TypeVar

    T = TypeVar("T")

TRIES: Final = 5
PAUSE_S: Final = 0.5
LONGEST_S: Final = 30.0  # of our own pauses
PATIENCE_S: Final = 120.0  # what a registry may ask of us: somebody is waiting
AGAIN: Final = frozenset((408, 425, 429, 500, 502, 503, 504))


class Trouble(HardenError):
    """A request that failed. `again`: it may succeed later; `status`: of HTTP, or 0; `pause_s`: what the server asks for, or None."""

    def __init__(
        self, what: str, *, where: str = "", how: str = "", again: bool = False, status: int = 0, pause_s: float | None = None
    ) -> None:
        super().__init__(what, where=where, how=how)
        self.again = again
        self.status = status
        self.pause_s = pause_s


class Patience:
    """How often something is tried, and what a pause is; `tell` hears of each."""

    __slots__ = ("pause_s", "tell", "tries")

    def __init__(self, tries: int = TRIES, pause_s: float = PAUSE_S, tell: Callable[[str], None] | None = None) -> None:
        self.tries = tries
        self.pause_s = pause_s
        self.tell = tell

    def run(self, action: Callable[[], T]) -> T:
        """Return what an action returns; where it fails for the moment, try again."""
        attempt = 1
        while True:
            try:
                return action()
            except Trouble as trouble:
                if attempt >= self.tries:
                    trouble.again = False  # it has been tried often enough, whoever asked for it
                    raise
                self.wait(trouble, attempt)
            attempt += 1

    def wait(self, trouble: Trouble, attempt: int) -> None:
        """Sleep before the next attempt; raise the trouble when another would be of no use, or too late."""
        from time import sleep

        pause_s = trouble.pause_s if trouble.pause_s is not None else backoff_s(attempt, self.pause_s)
        if not trouble.again or pause_s > PATIENCE_S:
            raise trouble
        if self.tell is not None:
            self.tell(f"{trouble.where}: {trouble.what}; trying again in {pause_s:.1f} s ({attempt} of {self.tries - 1})")
        sleep(pause_s)


def backoff_s(attempt: int, first_s: float) -> float:
    """Return seconds to wait after the attempt of a number, from 1: twice as long each time, give or take a half."""
    from random import uniform

    bounded: float = min(first_s * 2 ** (attempt - 1), LONGEST_S)
    return bounded * uniform(0.5, 1.5)  # noqa: S311  # nosec B311  (no secret: it spreads clients)


def retry_after_s(value: str | None, now_s: float) -> float | None:
    """Return seconds of a `Retry-After` header, which holds them or a date (`now_s`: of time.time()); None when it says nothing."""
    if not value:
        return None
    if value.strip().isascii() and value.strip().isdecimal():
        return float(value.strip()[:9])
    from email.utils import parsedate_to_datetime

    try:
        return max(parsedate_to_datetime(value).timestamp() - now_s, 0.0)
    except (ValueError, OverflowError, TypeError):
        return None


def too_many(headers: Mapping[str, str], pause_s: float | None) -> tuple[str, str]:
    """Return what to say about 429: what the limit is, and what helps. Source: docs.docker.com, "Docker Hub pull usage and limits"."""
    what = "the registry refuses more requests for now"
    limit, window_s = _rate(headers.get("ratelimit-limit", ""))
    if limit is not None:
        left, _ = _rate(headers.get("ratelimit-remaining", ""))
        what += (
            f": its limit is {limit}{f' in {_duration(window_s)}' if window_s else ''}{f', {left} are left' if left is not None else ''}"
        )
    how = f"wait {_duration(pause_s)}" if pause_s else "wait a while"
    return what, f"{how}, or log in (--creds USER, or docker login): limits are higher for known users; a mirror (--mirror) has its own"


def _rate(text: str) -> tuple[int | None, int]:
    """Return number and window in seconds of `100;w=21600`."""
    number, _, rest = text.partition(";")
    window = rest.strip().removeprefix("w=")
    known = number.strip()[:9]
    return (int(known) if _digits(known) else None), (int(window[:9]) if _digits(window[:9]) else 0)


def _digits(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _duration(seconds: float) -> str:
    for unit, size in (("hour", 3600), ("minute", 60)):
        if seconds >= 2 * size or seconds == size:
            return f"{seconds / size:.0f} {unit}{'' if seconds == size else 's'}"
    return f"{max(seconds, 1):.0f} s"
