"""Moments as RFC 3339 writes them, in UTC and with nanoseconds, as docker's records and logs have them."""

from __future__ import annotations

import time

from hardener.errors import HardenError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

SECOND_NS: Final = 1_000_000_000
_LONGEST_S: Final = 366 * 86400
_UNITS_S: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def moment(ns: int | None = None) -> str:
    """Return a number of nanoseconds since 1970, by default those of now, as `2024-05-01T12:00:00.123456789Z`."""
    seconds, rest = divmod(time.time_ns() if ns is None else ns, SECOND_NS)
    year, month, day, hour, minute, second = time.gmtime(seconds)[:6]
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{rest:09}Z"


def parse(text: str) -> int:
    """Return the nanoseconds since 1970 of a moment, which may lack its time, its fraction or its zone. Raises ValueError."""
    from calendar import timegm

    date, _, clock = text.partition("T")
    shift_s = 0
    if clock.endswith("Z"):
        clock = clock[:-1]
    elif len(clock) > 6 and clock[-6] in "+-" and clock[-3] == ":":
        shift_s = (int(clock[-5:-3]) * 60 + int(clock[-2:])) * (60 if clock[-6] == "+" else -60)
        clock = clock[:-6]
    whole, _, fraction = clock.partition(".")
    form = "%Y-%m-%dT%H:%M:%S"
    shapes = {10: "T00:00:00", 13: ":00:00", 16: ":00", 19: ""}
    given = f"{date}T{whole}" if whole else date
    if len(given) not in shapes or (fraction and not fraction.isdigit()):
        raise ValueError(f"{text!r} is not a moment")
    seconds = timegm(time.strptime(given + shapes[len(given)], form)) - shift_s
    return seconds * SECOND_NS + int(f"{fraction:0<9}"[:9])


def since(text: str, flag: str, now_ns: int | None = None) -> int:
    """Return the nanoseconds since 1970 that a user means: a moment, seconds since 1970, or a time ago like `10m` or `1h30m`."""
    now_ns = time.time_ns() if now_ns is None else now_ns
    whole, _, fraction = text.partition(".")
    if whole.isascii() and whole.isdigit() and (not fraction or fraction.isdigit()):
        return int(whole) * SECOND_NS + int(f"{fraction:0<9}"[:9])
    ago = _duration_s(text)
    if ago is not None:
        return now_ns - int(ago * SECOND_NS)
    try:
        return parse(text)
    except ValueError:
        how = "write 10m, 1h30m, 2024-05-01T12:00:00Z or seconds since 1970"
        raise HardenError(f"{text!r} is not a moment", where=flag, how=how) from None


def _duration_s(text: str) -> float | None:
    if not text:
        return None
    total = 0.0
    while text:
        digits = len(text) - len(text.lstrip("0123456789."))
        unit = next((unit for unit in ("ns", "us", "µs", "ms", "s", "m", "h") if text[digits:].startswith(unit)), None)
        if not digits or unit is None or text[:digits].count(".") > 1 or text[:digits] == ".":
            return None
        total += float(text[:digits]) * _UNITS_S[unit]
        text = text[digits + len(unit) :]
    return total


def duration_ns(text: str, flag: str) -> int:
    """Return the nanoseconds of a time like `30s`, `1m30s` or `500ms`; 0 is none, and below a millisecond is an error."""
    seconds = 0.0 if text == "0" else _duration_s(text)
    if seconds is None or seconds > _LONGEST_S or 0 < seconds < 0.001:
        raise HardenError(f"{text!r} is not a time", where=flag, how="write 30s, 1m30s or 500ms: at least 1ms, at most a year")
    return round(seconds * SECOND_NS)


def lasting(seconds: float) -> str:
    """Return how long something lasts for a reader, in docker's words: `About a minute`, `3 hours`."""
    minutes, hours = int(seconds // 60), int(seconds / 3600 + 0.5)
    if seconds < 1:
        return "Less than a second"
    for limit, text in (
        (2, "1 second"),
        (60, f"{int(seconds)} seconds"),
        (120, "About a minute"),
        (3600, f"{minutes} minutes"),
        (5400, "About an hour"),
        (48 * 3600, f"{hours} hours"),
        (14 * 86400, f"{hours // 24} days"),
        (60 * 86400, f"{hours // 168} weeks"),
        (730 * 86400, f"{hours // 720} months"),
    ):
        if seconds < limit:
            return text
    return f"{int(seconds // (365 * 86400))} years"
