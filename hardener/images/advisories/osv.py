"""Records of the Open Source Vulnerability format -> advisories: what they affect, from which version on and until which.

Source: ossf.github.io/osv-schema, 1.7. What a record has beyond that is passed over; what it has in another shape than that makes it
unreadable, which is counted and told, and never taken for "affects nothing".
"""

from __future__ import annotations

import json
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from hardener.finding import Severity
from hardener.images.advisories import cvss
from hardener.record import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

KINDS: Final = ("introduced", "fixed", "last_affected", "limit")
LABELS: Final[Mapping[str, Severity]] = MappingProxyType(
    {
        "critical": Severity.CRITICAL,
        "high": Severity.HIGH,
        "important": Severity.HIGH,
        "medium": Severity.MEDIUM,
        "moderate": Severity.MEDIUM,
        "low": Severity.LOW,
        "minor": Severity.LOW,
        "negligible": Severity.INFO,
        "unimportant": Severity.INFO,
    }
)
# What a distribution says of an issue that it will not mend, by the word that it uses.
REMARKS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "unimportant": "the distribution calls it unimportant",
        "negligible": "the distribution calls it negligible",
        "no-dsa": "the distribution gives no advisory of its own for it (no-dsa)",
        "postponed": "the distribution has postponed it",
        "ignored": "the distribution will not mend it",
        "end-of-life": "the distribution no longer looks after the package",
    }
)
_UNGRADED: Final = frozenset({"", "none", "not yet assigned", "unknown", "unspecified", "untriaged"})
_LEADING_LABEL: Final = re.compile(r"(critical|important|moderate|low): ", re.IGNORECASE)
_SURROGATES: Final = re.compile("[\ud800-\udfff]")


class Event(NamedTuple):
    """A version at which something changes: `kind` is one of `KINDS`; of `introduced`, "0" is before every version."""

    kind: str
    version: str


class Range(NamedTuple):
    """A stretch of versions: `kind` is SEMVER, ECOSYSTEM or GIT, the events in the order of the record."""

    kind: str
    events: tuple[Event, ...]


class Affected(NamedTuple):
    """What one block of a record says of a package."""

    ecosystem: str  # with its release: Debian:12
    name: str
    ranges: tuple[Range, ...]
    versions: tuple[str, ...]
    severity: Severity | None  # of this package, when the record says so
    remark: str  # a value of `REMARKS`, or ""


class Advisory(NamedTuple):
    """One record."""

    id: str
    aliases: tuple[str, ...]  # the same vulnerability under other names
    upstream: tuple[str, ...]  # vulnerabilities of others that it passes on; of a distribution's advisory, often several
    withdrawn: bool
    modified: str  # RFC 3339, or ""
    summary: str
    severity: Severity | None
    score: float | None
    affected: tuple[Affected, ...]


def parse(data: bytes) -> Advisory:
    """Return the advisory of a record. Raises ValueError, with a reason, when it is no record."""
    try:
        record = json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return advisory(record)


def advisory(value: object) -> Advisory:
    """Return the advisory of a record that has been read. Raises ValueError."""
    record = _mapping(value, "the record")
    blocks = tuple(_affected(_mapping(block, "a block of affected")) for block in _list(record, "affected"))
    severity, score = _severity(record)
    return Advisory(
        _text(record, "id", needed=True),
        _texts(record, "aliases"),
        _texts(record, "upstream"),
        bool(record.get("withdrawn")),
        _text(record, "modified"),
        _summary(record),
        severity,
        score,
        tuple(block for block in blocks if block.name),
    )


def _affected(block: Mapping[str, object]) -> Affected:
    package = _mapping(block.get("package") or {}, "package")
    severity, _ = _severity(block)
    return Affected(
        _text(package, "ecosystem"),
        _text(package, "name"),
        tuple(_range(_mapping(each, "a range")) for each in _list(block, "ranges")),
        _texts(block, "versions"),
        severity,
        _remark(block),
    )


def _range(each: Mapping[str, object]) -> Range:
    kind = _text(each, "type", needed=True)
    events = []
    for entry in _list(each, "events"):
        event = _mapping(entry, "an event")
        named = [name for name in KINDS if name in event]
        if not named:
            raise ValueError(f"an event is none of {', '.join(KINDS)}")
        events += [Event(name, _text(event, name, needed=True)) for name in named]
    return Range(kind, tuple(events))


def _severity(record: Mapping[str, object]) -> tuple[Severity | None, float | None]:
    """Return how severe a record, or a block of it, says it is: the word of who wrote it before the score of a vector."""
    word: Severity | None = None
    scores: dict[str, float] = {}
    for entry in _list(record, "severity"):
        each = _mapping(entry, "a severity")
        kind, told = _text(each, "type"), _text(each, "score")
        if kind.startswith("CVSS_V"):
            points = cvss.score(told)
            if points is not None:
                scores[kind] = points
        elif word is None:  # "Ubuntu": a word instead of a vector
            word = LABELS.get(told.lower())
    score = scores[max(scores)] if scores else None
    for place in ("database_specific", "ecosystem_specific"):
        specific = record.get(place)
        if word is None and isinstance(specific, dict):
            for key in ("severity", "urgency"):
                told_word = specific.get(key)
                if word is None and isinstance(told_word, str) and told_word.lower() not in _UNGRADED:
                    word = LABELS.get(told_word.lower())
    if word is None and score is None and (found := _LEADING_LABEL.match(_text(record, "summary"))):  # of AlmaLinux, Rocky Linux, Red Hat
        word = LABELS[found[1].lower()]
    return word if word is not None else cvss.severity(score) if score is not None else None, score


def _remark(block: Mapping[str, object]) -> str:
    for place in ("ecosystem_specific", "database_specific"):
        specific = block.get(place)
        if isinstance(specific, dict):
            for key in ("urgency", "status", "priority"):
                word = specific.get(key)
                if isinstance(word, str) and word.lower() in REMARKS:
                    return REMARKS[word.lower()]
            for key, remark in (("no-dsa", "no-dsa"), ("nodsa", "no-dsa"), ("unimportant", "unimportant")):
                if specific.get(key):
                    return REMARKS[remark]
    return ""


def _summary(record: Mapping[str, object]) -> str:
    text = _text(record, "summary") or _text(record, "details").strip().partition("\n")[0]
    return text if len(text) <= 200 else text[:199] + "…"


def _mapping(value: object, what: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is no object")
    return value


def _list(record: Mapping[str, object], key: str) -> list[object]:
    value = record.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValueError(f"{key} is no list")
    return value


def _text(record: Mapping[str, object], key: str, *, needed: bool = False) -> str:
    value = record.get(key)
    if value is None and not needed:
        return ""
    if not isinstance(value, str) or (needed and not value):
        raise ValueError(f"{key} is no text")
    return _whole(value)


def _texts(record: Mapping[str, object], key: str) -> tuple[str, ...]:
    values = _list(record, key)
    if not all(isinstance(value, str) for value in values):
        raise ValueError(f"{key} has what is no text")
    return tuple(_whole(str(value)) for value in values)


def _whole(text: str) -> str:
    """Return a text without half characters, which JSON can spell and nothing can write."""
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)
