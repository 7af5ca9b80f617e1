"""The values of flags, read as `docker run` reads them."""

from __future__ import annotations

from hardener.errors import HardenError, suggest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Final

_FACTORS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}
_TRUE: Final = ("1", "t", "T", "true", "TRUE", "True")
_FALSE: Final = ("0", "f", "F", "false", "FALSE", "False")
MOST: Final = (1 << 63) - 1
SIGNALS: Final = (
    *("HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM", "STKFLT", "CHLD"),
    *("CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS"),
)
"""By number, from 1. Source: signal(7), for the machines that we run on."""
REALTIME: Final = (34, 64)  # SIGRTMIN of the C library, SIGRTMAX


def boolean(text: str, flag: str) -> bool:
    """Return what a switch with a value says: `--init=false`."""
    if text not in (*_TRUE, *_FALSE):
        raise HardenError(f"{text!r} is neither true nor false", where=flag, how=f"write {flag}, or {flag}=false")
    return text in _TRUE


def size(text: str, flag: str) -> int:
    """Return the bytes of `512m`, `1g`, `1.5g`, `1GiB` or a plain number: powers of 1024."""
    digits = text.rstrip("bBiIkKmMgGtTpP")
    unit = text[len(digits) :].lower().removesuffix("ib").removesuffix("b")
    whole, point, part = digits.rstrip(" ").partition(".")
    if unit not in _FACTORS or not _digits(whole) or (point and not _digits(part)):
        raise HardenError(f"{text!r} is not a size", where=flag, how="write a number and b, k, m or g: 512m")
    value = int(whole) * _FACTORS[unit] + (int(part) * _FACTORS[unit] // 10 ** len(part) if point else 0)
    if not value:
        raise HardenError(f"{text!r} is no limit", where=flag, how="write a number above 0")
    if value > MOST:
        raise HardenError(f"{text!r} is more than any machine has", where=flag, how="write a smaller number")
    return value


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20


def limit(text: str, flag: str) -> int:
    """Return a size; -1 for 0 and -1, with which docker means no limit."""
    return -1 if text in ("0", "-1") else size(text, flag)


def threads(text: str, flag: str) -> int:
    """Return a number of processes; -1 for 0 and -1, with which docker means no limit."""
    return -1 if text in ("0", "-1") else count(text, flag)


def swap(text: str, flag: str) -> int:
    """Return memory and swap together; -1 is no limit."""
    return -1 if text == "-1" else size(text, flag)


def count(text: str, flag: str) -> int:
    """Return a whole number above 0."""
    if not _digits(text) or not 0 < int(text) < 1 << 62:
        raise HardenError(f"{text!r} is not a whole number above 0", where=flag, how="write digits: 100")
    return int(text)


def integer(text: str, flag: str) -> int:
    """Return a whole number, which may be negative or 0."""
    if not _digits(text.removeprefix("-")):
        raise HardenError(f"{text!r} is not a whole number", where=flag, how="write digits: 100, or -100")
    return int(text)


def processors(text: str, flag: str) -> float:
    """Return a number of processors above 0; -1 for 0, with which docker means all."""
    if text == "0":
        return -1
    whole, _, part = text.partition(".")
    if not (_digits(whole or "0") and _digits(part or "0") and (whole or part)) or float(text) <= 0:
        raise HardenError(f"{text!r} is not a number above 0", where=flag, how="write 0.5, 1 or 2")
    return float(text)


def signal(text: str, flag: str) -> int:
    """Return the number of `SIGTERM`, `TERM`, `15` or `RTMIN+3`."""
    name = text.upper().removeprefix("SIG")
    number = 0
    if _digits(name):
        number = int(name)
    elif name in SIGNALS:
        number = SIGNALS.index(name) + 1
    elif name[:5] in ("RTMIN", "RTMAX") and (len(name) == 5 or (name[5] == ("+" if name[:5] == "RTMIN" else "-") and _digits(name[6:]))):
        number = REALTIME[0] + int(name[6:] or 0) if name[:5] == "RTMIN" else REALTIME[1] - int(name[6:] or 0)
    if not (0 < number <= len(SIGNALS) or REALTIME[0] <= number <= REALTIME[1]):
        raise HardenError(f"{text!r} is not a signal", where=flag, how=suggest(name, SIGNALS) or "a name (TERM) or a number (15)")
    return number


def csv(text: str, flag: str) -> Iterator[tuple[str, str | None]]:
    """Yield the (key, value) pairs of `key=value,key,"key=va,lue"`; a key alone has None."""
    field, quoted, fields = "", False, []
    for at, letter in enumerate(text):
        if letter == '"' and (quoted or not field):
            if quoted and text[at + 1 : at + 2] not in ("", ","):
                raise HardenError(f"a quote in the middle of {text!r}", where=flag, how='quote a whole field: "source=/a,b"')
            quoted = not quoted
        elif letter == "," and not quoted:
            fields.append(field)
            field = ""
        else:
            field += letter
    if quoted:
        raise HardenError(f"the quote in {text!r} does not end", where=flag, how='close it: "source=/a,b"')
    for entry in (*fields, field):
        key, equals, value = entry.partition("=")
        if not key:
            raise HardenError(f"an empty field in {text!r}", where=flag, how="write key=value, with commas between")
        yield key.strip().lower(), value if equals else None


def pairs(entries: Iterable[str], flag: str) -> dict[str, str]:
    """Return the names and values of `NAME=value` entries; of a name that is there twice the last one counts."""
    found = {}
    for entry in entries:
        name, _, value = entry.partition("=")
        if not name:
            raise HardenError(f"{entry!r} is not NAME=value", where=flag, how="begin with a name, then = and a value")
        found[name] = value
    return found


def variables(files: Iterable[str], entries: Iterable[str], environment: Mapping[str, str]) -> list[str]:
    """Return the NAME=value entries that `--env-file` and `--env` make, whose NAME alone stands for the variable of `environment`."""
    found: list[str] = []
    for path in files:
        found += _file_variables(text_of(path, "--env-file"), path, environment)
    for entry in entries:
        name, equals, _ = entry.partition("=")
        if not name:
            raise HardenError(f"{entry!r} is not NAME=value", where="--env", how="-e NAME=VALUE, or -e NAME to hand on ours")
        if equals:
            found.append(entry)
        elif name in environment:
            found.append(f"{name}={environment[name]}")
        else:  # as docker: what is not set here is not set there, whatever a file says
            found = [other for other in found if other.partition("=")[0] != name]
    return found


def text_of(path: str, flag: str) -> str:
    """Return the text of a file that a flag names."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise HardenError(f"{path} cannot be read: {reason}", where=flag, how="name a text file that is there, and yours to read") from None


def _file_variables(text: str, path: str, environment: Mapping[str, str]) -> list[str]:
    # As docker reads them: no quotes, `#` only at the start of a line.
    entries = []
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        entry = line.lstrip()
        if not entry or entry.startswith("#"):
            continue
        name, equals, _ = entry.partition("=")
        if not name or name != name.rstrip() or " " in name or "\t" in name:
            raise HardenError(f"{name!r} is not the name of a variable", where=f"{path}:{number}", how="write NAME=value, a line each")
        if equals:
            entries.append(entry)
        elif name in environment:
            entries.append(f"{name}={environment[name]}")
    return entries
