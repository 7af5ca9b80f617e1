"""Sizes, durations and switches as compose reads them. Every function returns None for what compose would refuse.

Sources: github.com/docker/go-units (sizes), github.com/xhit/go-str2duration (durations), compose-go's loader/interpolate.go (switches).
"""

from typing import Final

from hardener.text import Pattern

_SIZE: Final = Pattern(r"\s*([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))\s*([a-zA-Z]*)\s*")
_FACTORS: Final = {
    f"{prefix}{unit}": 1024**power
    for power, prefix in enumerate(("", "k", "m", "g", "t", "p"))
    for unit in (("", "b") if not prefix else ("", "b", "ib"))
}
_DURATION: Final = Pattern(r"[+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h|d|w))+")
_DURATION_PART: Final = Pattern(r"([0-9.]+)([a-zµμ]+)")
_SECONDS: Final = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0,
}  # fmt: skip
_SWITCHES: Final = {"true": True, "false": False, "y": True, "yes": True, "on": True, "n": False, "no": False, "off": False}
_INTEGER: Final = Pattern(r"[+-]?[0-9]+")
_NUMBER: Final = Pattern(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def size(text: str) -> int | None:
    """Return bytes: `1.5g`, `512MiB`, `64kb` and bare numbers; powers of 1024 throughout."""
    if text.isascii() and text.isdigit():
        return int(text)
    found = _SIZE.fullmatch(text)
    if found is None:
        return None
    factor = _FACTORS.get(found[2].lower())
    return None if factor is None else int(float(found[1]) * factor)


def duration(text: str) -> float | None:
    """Return seconds: `1m30s`, `500ms`, `1d`; a bare 0 is the only number without a unit."""
    if text in ("0", "+0", "-0"):
        return 0.0
    if _DURATION.fullmatch(text) is None:
        return None
    # To the nanosecond, which is what Docker keeps.
    seconds = round(sum(float(part[1]) * _SECONDS[part[2]] for part in _DURATION_PART.finditer(text)), 9)
    return -seconds if text[0] == "-" else seconds


def switch(text: str) -> bool | None:
    """Return true or false; `yes`, `on` and their kin are words that compose still takes for switches, with a warning."""
    return _SWITCHES.get(text.lower())


def integer(text: str) -> int | None:
    """Return a whole number."""
    return int(text) if len(text) < 20 and _INTEGER.fullmatch(text) else None


def number(text: str) -> float | None:
    """Return a number."""
    return float(text) if len(text) < 40 and _NUMBER.fullmatch(text) else None
