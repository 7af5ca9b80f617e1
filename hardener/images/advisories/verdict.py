"""From matches to a verdict: what is accepted, what is left, how old the mirror is, and whether all of that was enough to judge by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hardener.finding import Severity
from hardener.images.advisories import exceptions
from hardener.images.advisories.match import MATCHED
from hardener.record import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hardener.images.advisories.exceptions import Rule
    from hardener.images.advisories.match import Installed, Matches, Scope, Undecided, Vulnerability

UNGRADED: Final = Severity.MEDIUM  # what a vulnerability counts as that nobody has graded
STALE_DAYS: Final = 7  # a mirror that is older does not know what is found and mended every week


class Ignored(NamedTuple):
    """A vulnerability that somebody accepts."""

    vulnerability: Vulnerability
    rule: Rule


class Verdict(NamedTuple):
    """What is reported."""

    vulnerabilities: tuple[Vulnerability, ...]  # the worst first
    undecided: tuple[Undecided, ...]
    ignored: tuple[Ignored, ...]
    unfixed: int  # left out because nothing mends them yet, as asked for
    scopes: tuple[Scope, ...]
    notices: tuple[str, ...]
    fail_on: Severity | None

    @property
    def failing(self) -> int:
        """How many vulnerabilities are at or above the threshold."""
        return 0 if self.fail_on is None else sum(grade(each) >= self.fail_on for each in self.vulnerabilities)

    @property
    def blind(self) -> tuple[Scope, ...]:
        """The ecosystems that the image has packages of, and the mirror nothing."""
        return tuple(scope for scope in self.scopes if scope.state != MATCHED)


def grade(vulnerability: Vulnerability) -> Severity:
    """Return what a vulnerability counts as."""
    return UNGRADED if vulnerability.severity is None else vulnerability.severity


def decide(
    matches: Matches,
    packages: Sequence[Installed],
    rules: Sequence[Rule],
    *,
    today: str,
    ignore_unfixed: bool,
    fail_on: Severity | None,
) -> Verdict:
    """Return the verdict on matches. `today` is an ISO date."""
    notices = list(matches.notices)
    valid = []
    for rule in rules:
        if rule.expires and rule.expires < today:
            notices.append(f"{rule.where}: what was accepted of {rule.id} has expired on {rule.expires}")
        else:
            valid.append(rule)
    left: list[Vulnerability] = []
    ignored: list[Ignored] = []
    used = set()
    for each in matches.vulnerabilities:
        found = next((rule for rule in valid if exceptions.applies(rule, _named(each, packages))), None)
        if found is None:
            left.append(each)
        else:
            ignored.append(Ignored(each, found))
            used.add(found)
    notices += [f"{rule.where}: {rule.id} is not found" for rule in valid if rule not in used and not rule.reason.startswith("VEX")]
    unfixed = 0
    if ignore_unfixed:
        unfixed = sum(not each.fixed for each in left)
        left = [each for each in left if each.fixed]
    notices += [text for scope in matches.scopes if (text := _age(scope, today))]
    return Verdict(tuple(left), matches.undecided, tuple(ignored), unfixed, matches.scopes, tuple(notices), fail_on)


def _named(each: Vulnerability, packages: Sequence[Installed]) -> exceptions.Named:
    theirs = [packages[index] for index in each.packages]
    return exceptions.Named(
        frozenset((each.id, *each.aliases)),
        frozenset((each.name, *(package.name for package in theirs))),
        tuple(package.purl for package in theirs),
    )


def _age(scope: Scope, today: str) -> str:
    """Return what to say of a mirror that has not been renewed for long."""
    from datetime import date

    if scope.state != MATCHED:
        return ""
    try:
        days = (date.fromisoformat(today) - date.fromisoformat(scope.newest[:10])).days
    except ValueError:
        return f"the advisories for {scope.label} do not say how old they are"
    return f"the advisories for {scope.label} are {days} days old: renew the mirror" if days > STALE_DAYS else ""
