"""One advisory against one version: is it affected, is it not, or can that not be told?

Source: "Evaluation" in the OSV schema: a version is affected when it is listed, or when the events of a range, walked in their order,
leave it so. What cannot be compared makes the answer `UNKNOWN`, never `CLEAR`.
"""

from __future__ import annotations

from functools import cmp_to_key
from typing import TYPE_CHECKING, Final

from hardener.images.advisories.versions import comparison
from hardener.record import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hardener.images.advisories.osv import Affected, Event, Range

    Compare = Callable[[str, str], int | None]

AFFECTED: Final = "affected"
CLEAR: Final = "clear"
UNKNOWN: Final = "unknown"
_FIRST: Final = "0"  # of `introduced`: before every version
_EVERY: Final = "*"  # of `limit`: after every version


class Answer(NamedTuple):
    """What an advisory means for a version: `state` is `AFFECTED`, `CLEAR` or `UNKNOWN`."""

    state: str
    fixed: str = ""  # the version that mends it; "" when there is none, or when it is not affected
    reason: str = ""  # why it cannot be told


class _Undecided(Exception):
    """Why something cannot be told."""


def judge(blocks: Iterable[Affected], version: str, scheme: str) -> Answer:
    """Return what blocks of one advisory, all on one package, mean for a version of it."""
    unknown = ""
    affected = False
    fixes: list[str] = []
    for block in blocks:
        state, told = _block(block, version, scheme)
        if state == AFFECTED:
            affected = True
            fixes += [told] if told else []
        elif state == UNKNOWN:
            unknown = unknown or told
    if affected:
        return Answer(AFFECTED, highest(fixes, comparison(scheme)))
    return Answer(UNKNOWN, reason=unknown) if unknown else Answer(CLEAR)


def _block(block: Affected, version: str, scheme: str) -> tuple[str, str]:
    """Return the state, and the version that mends it, or why it is not known."""
    listed = version in block.versions or _equal_one(block.versions, version, scheme)
    fixes: list[str] = []
    later: list[str] = []  # of ranges that it is not in, for one that is listed only
    unknown = ""
    affected = listed
    ranges = [each for each in block.ranges if each.kind != "GIT"]
    for each in ranges:
        compare = comparison("semver" if each.kind == "SEMVER" and scheme != "golang" else scheme)
        try:
            hit, fixed = walk(each, version, compare)
        except _Undecided as reason:
            unknown = unknown or str(reason)
        else:
            affected = affected or hit
            if fixed:
                (fixes if hit else later).append(fixed)
    if affected:
        return AFFECTED, highest(fixes or later[:1], comparison(scheme))
    if unknown:
        return UNKNOWN, unknown
    if not ranges and not block.versions:
        return UNKNOWN, "the advisory tells of commits alone" if block.ranges else "the advisory names no versions"
    return CLEAR, ""


def _equal_one(versions: tuple[str, ...], version: str, scheme: str) -> bool:
    """Whether a version is a listed one that is written otherwise: 1.0 and 1.0.0 of PyPI."""
    if scheme not in ("pep440", "golang"):
        return False
    compare = comparison(scheme)
    return any(compare(listed, version) == 0 for listed in versions)


def walk(each: Range, version: str, compare: Compare) -> tuple[bool, str]:
    """Return whether a version lies in a range, and the next version behind it that is fixed ("" for none). Raises `_Undecided`."""
    events = _sorted(each.events, version, compare)
    limits = [event.version for event in events if event.kind == "limit"]
    inside = not limits or any(limit == _EVERY or _order(version, limit, compare) < 0 for limit in limits)
    hit = False
    fixed = ""
    for event in events:
        reached = 1 if event.kind == "introduced" and event.version == _FIRST else None
        if event.kind == "limit":
            continue
        order = reached if reached is not None else _order(version, event.version, compare)
        if event.kind == "introduced" and order >= 0:
            hit = True
        elif (event.kind == "fixed" and order >= 0) or (event.kind == "last_affected" and order > 0):
            hit = False
        elif event.kind == "fixed" and not fixed:
            fixed = event.version
    return hit and inside, fixed


def _sorted(events: tuple[Event, ...], version: str, compare: Compare) -> list[Event]:
    """Return events by version; of one version in the order of the record, but what is so from the beginning on comes first."""
    for event in events:
        special = (event.kind == "introduced" and event.version == _FIRST) or (event.kind == "limit" and event.version == _EVERY)
        if not special:
            _order(version, event.version, compare)

    def order(one: Event, other: Event) -> int:
        first, second = (event.kind == "introduced" and event.version == _FIRST for event in (one, other))
        if first or second:
            return second - first
        return _order(one.version, other.version, compare)

    return sorted((event for event in events if event.kind != "limit"), key=cmp_to_key(order)) + [
        event for event in events if event.kind == "limit"
    ]


def _order(one: str, other: str, compare: Compare) -> int:
    order = compare(one, other)
    if order is None:
        wrong = one if compare(one, one) is None else other
        raise _Undecided(f"{wrong!r} is no version that can be compared")
    return order


def highest(versions: list[str], compare: Compare) -> str:
    """Return the highest version, which mends what each of them mends; the first when they cannot be compared."""
    highest = versions[0] if versions else ""
    for version in versions[1:]:
        if (compare(version, highest) or 0) > 0:
            highest = version
    return highest
