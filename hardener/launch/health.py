"""How a container's health is checked: what its image says (HEALTHCHECK), with what a user puts in its place."""

from __future__ import annotations

from hardener.errors import HardenError
from hardener.runtime.job import Health

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from hardener.launch.request import Request
    from hardener.launch.roots import Root

SHELL: Final = ("/bin/sh", "-c")
MILLISECOND_NS: Final = 1_000_000
# The field of a job, the one of an image, and the least that it may be when it is said at all.
_NUMBERS: Final = (
    ("interval_ns", "Interval", MILLISECOND_NS),
    ("timeout_ns", "Timeout", MILLISECOND_NS),
    ("start_period_ns", "StartPeriod", MILLISECOND_NS),
    ("start_interval_ns", "StartInterval", MILLISECOND_NS),
    ("retries", "Retries", 1),
)


def of(request: Request, root: Root) -> Health | None:
    """Return how health is checked, None when it is not. 0 is the default of a number, as with docker."""
    if request.no_health:
        if request.sets_health():
            raise HardenError("--no-healthcheck and --health-… contradict each other", where="harden run", how="leave one of them")
        return None
    said = _said(root.health)
    test = (*(root.shell or SHELL), request.health_cmd) if request.health_cmd else _test(said, root)
    if not test:
        if request.sets_health():
            raise HardenError("there is no check that this could be for", where="--health-…", how="name one with --health-cmd")
        return None
    numbers = {}
    for field, name, least in _NUMBERS:
        asked = getattr(request, f"health_{field}")
        value = _number(said, name, least) if asked is None else asked
        if value:
            numbers[field] = value
    return Health(test=test, **numbers)


def _said(value: object) -> dict[str, object]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _wrong("Healthcheck is no object")
    return value


def _test(said: dict[str, object], root: Root) -> tuple[str, ...]:
    """Return the words of the check of an image; none when it has none."""
    test = said.get("Test") or []
    if not isinstance(test, list) or not all(isinstance(word, str) and "\0" not in word for word in test):
        raise _wrong("Healthcheck.Test is no list of words")
    if not test or test[0] == "NONE":
        return ()
    if test[0] not in ("CMD", "CMD-SHELL") or len(test) < 2:
        raise _wrong(f"Healthcheck.Test begins with {test[0]!r:.40}, or has nothing behind it")
    return (*(root.shell or SHELL), *test[1:]) if test[0] == "CMD-SHELL" else tuple(test[1:])


def _number(said: dict[str, object], name: str, least: int) -> int:
    value = said.get(name) or 0
    if not isinstance(value, int) or isinstance(value, bool) or not (value == 0 or least <= value < 1 << 62):
        raise _wrong(f"Healthcheck.{name} is {value!r:.40}")
    return value


def _wrong(what: str) -> HardenError:
    return HardenError(
        f"the image's check of its health cannot be read: {what}", where="harden run", how="--no-healthcheck goes without it"
    )
