"""What a policy asks for. The people who write policies are not those who configure the linter, so a policy only ever tightens."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from hardener.finding import Severity
from hardener.record import NamedTuple

if TYPE_CHECKING:
    from hardener.policies.images import Images
    from hardener.policies.runtime import Runtime

COVERAGE: Final = ("allow", "warn", "fail")
"""What `coverage` may be, the mildest first."""

GATE_KEYS: Final = {
    "fail-on": "no finding of this severity or worse",
    "require": (
        "these rules run with their full severity whatever the configuration says, and find nothing from the severity named on"
        " (`{HD104: low}`; plain: the gate's fail-on, anything where it has none)"
    ),
    "thresholds": "at most so many findings: of a severity or worse (`high: 0`), or of a rule (`HD201: 3`)",
    "forbid-ignores": "no comment may ignore these rules; true: none at all",
    "require-reason": "a comment that ignores a finding says why",
    "allowed-registries": "images come from these registries only; * is a wildcard",
    "coverage": "what becomes of parts that cannot be seen (a missing file, an unset variable): allow, warn or fail",
    "checks": (
        "the checks of a standard, none of whose rules may find anything: those that name the check among their references,"
        " or `rules`; or why it is `not-checkable` on text"
    ),
    "runtime": "true: services and `docker run` lines are no looser than `runtime:`; what they do not say is as Docker has it",
    "environments": "what an environment asks for beyond that, by its name",
}
"""Every key of `gate:` and what it means."""


class Word(NamedTuple):
    """A rule or a severity as a policy names it, where it stands (`path:line:column`), and under which key (`gate.require[2]`)."""

    text: str
    where: str
    key: str = ""
    severity: Severity | None = None  # of a required rule: from which severity on it may find nothing, where that is not fail-on


class Limit(NamedTuple):
    """A word of `thresholds`: at most `most` findings of that severity or worse, or of that rule."""

    word: Word
    most: int
    severity: Severity | None  # None: the word names rules


class Check(NamedTuple):
    """A check of a standard. `rules` is empty when the rules say themselves that they answer it; `reason` is why none can."""

    word: Word
    title: str
    rules: tuple[Word, ...] = ()
    reason: str = ""

    @property
    def words(self) -> tuple[Word, ...]:
        """What names the rules that answer it; empty when it cannot be checked on text."""
        return () if self.reason else self.rules or (self.word,)


class Gate(NamedTuple):
    """What text must satisfy to be merged."""

    fail_on: Severity | None = None  # the highest threshold that a configuration may set; None: any
    require: tuple[Word, ...] = ()  # rules that run and keep their severity, whatever the configuration says
    forbid_ignores: tuple[Word, ...] = ()  # rules that no comment may ignore; `all` for every rule
    require_reason: bool = False  # ignore comments must give a reason
    allowed_registries: tuple[str, ...] = ()  # where images may come from; empty: anywhere
    limits: tuple[Limit, ...] = ()
    coverage: str = ""  # one of COVERAGE; "" when nothing is said: what cannot be seen is a finding like any other
    checks: tuple[Check, ...] = ()
    runtime: bool = False  # services must satisfy the policy's `runtime:` as written
    environments: Mapping[str, "Gate"] = {}
    places: Mapping[str, Word] = {}  # of the keys that hold one value, by their name

    @property
    def forced(self) -> tuple[Word, ...]:
        """What names the rules that run whatever the configuration says."""
        return (*self.require, *(word for check in self.checks for word in check.words))


class Origin(NamedTuple):
    """One file of a policy."""

    name: str
    why: str
    path: str


class Policy(NamedTuple):
    """A policy with everything that it extends."""

    name: str
    why: str
    path: str
    gate: Gate
    extends: tuple[Origin, ...] = ()  # the nearest first
    environment: str = ""  # whose further demands are part of `gate`
    runtime: "Runtime | None" = None  # what a container that runs must satisfy
    files: tuple[str, ...] = ()  # every file that took part: itself, what it extends, profiles of system calls, keys
    images: "Images | None" = None  # what images must satisfy, as they are named and as they run
