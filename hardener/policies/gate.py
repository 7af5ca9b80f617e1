"""Does a text satisfy a policy? Key by key, from what a lint run found, and nothing else.

A finding counts against the key that names its rule, and `fail-on` speaks for the rest: one bad thing is told under one key.
Thresholds count everything.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from hardener.finding import Finding, Report, Rule, Severity
from hardener.policies.images import IMAGES_KEYS
from hardener.policies.model import Gate, Policy, Word
from hardener.policies.runtime import RUNTIME_KEYS
from hardener.record import NamedTuple

Resolve = Callable[[str], Iterable[Rule]]
"""Tells which rules a word names; none for a code of ShellCheck, which is the id of its findings."""

COVERAGE_TAG: Final = "coverage"
"""Rules with this tag report what cannot be seen: where a policy has `coverage`, that key alone speaks for them."""

REGISTRY_TAG: Final = "registry"
"""Rules with this tag report images from elsewhere than the allowed registries."""

RUNTIME_TAG: Final = "policy-runtime"
"""Rules with this tag stand for a key of `runtime:`, `runtime.` before it being their id."""

IMAGES_TAG: Final = "policy-images"
"""Rules with this tag stand for a key of `images:`, `images.` before it being their id."""


class Violation(NamedTuple):
    """A key of a policy that does not hold. `findings` are sorted as the report has them; none for a rule that did not run."""

    word: Word  # the key, and where it stands
    message: str  # what it asks for
    findings: tuple[Finding, ...]


class Verdict(NamedTuple):
    """What a policy says about a report."""

    policy: Policy
    report: Report
    violations: tuple[Violation, ...]
    demands: int  # how many there were to satisfy
    unseen: tuple[Finding, ...]  # what could not be seen, where the policy only warns of that

    @property
    def exit_code(self) -> int:
        """0 passed, 1 violated, 2 something could not be read, 3 a bug in hardener."""
        if any(error.kind == "internal" for error in self.report.errors):
            return 3
        if self.report.errors:
            return 2
        return 1 if self.violations else 0


def verdict(policy: Policy, report: Report, resolve: Resolve) -> Verdict:
    """Hold a report to a policy.

    The report must have every finding, whatever its severity, and what comments ignored among the suppressed ones.
    """
    unseen = _tagged(report.findings, COVERAGE_TAG) if policy.gate.coverage == "warn" else ()
    return Verdict(policy, report, violations(policy, report, resolve), _demands(policy), unseen)


def violations(policy: Policy, report: Report, resolve: Resolve) -> tuple[Violation, ...]:
    """Return each key of a policy that does not hold, in the order in which the keys are documented."""
    judge = _Judge(policy.gate, report, resolve)
    checks = [*judge.checks()]  # the keys that name rules first: what they take, `fail-on` leaves alone
    registries = [*judge.registries()]
    required = judge.required()
    demands = [*judge.runtime(policy), *judge.images(policy)]
    return (*judge.fail_on(), *required, *judge.limits(), *judge.ignores(), *registries, *judge.coverage(), *checks, *demands)


class _Judge:
    """Holds one report to one gate. `told` are the findings that a key has spoken for."""

    def __init__(self, gate: Gate, report: Report, resolve: Resolve) -> None:
        self.gate = gate
        self.report = report
        self.resolve = resolve
        self.told: set[Finding] = set()
        self.unseen = frozenset(_tagged(report.findings, COVERAGE_TAG) if gate.coverage else ())
        # Each of these is told under its own key, and counted nowhere else.
        self.demands, self.of_images = _tagged(report.findings, RUNTIME_TAG), _tagged(report.findings, IMAGES_TAG)
        apart = self.unseen.union(self.demands, self.of_images)
        self.seen = [finding for finding in report.findings if finding not in apart]

    def ids(self, *words: Word) -> frozenset[str]:
        """Return the ids of the rules that words name."""
        ids: set[str] = set()
        for word in words:
            ids.update([rule.id for rule in self.resolve(word.text)] or [word.text.upper().removeprefix("SHELLCHECK:")])
        return frozenset(ids)

    def of(self, ids: frozenset[str], severity: Severity = Severity.INFO) -> tuple[Finding, ...]:
        """Return what rules found, from a severity on."""
        return tuple(finding for finding in self.seen if finding.rule.id in ids and finding.severity >= severity)

    def checks(self) -> Iterator[Violation]:
        for check in self.gate.checks:
            hits = self.of(self.ids(*check.words))
            self.told.update(hits)
            if hits:
                yield Violation(check.word, check.title, hits)

    def registries(self) -> Iterator[Violation]:
        allowed = self.gate.allowed_registries
        hits = _tagged(self.seen, REGISTRY_TAG) if allowed else ()
        self.told.update(hits)
        if hits:
            yield Violation(self.gate.places["allowed-registries"], f"images from {', '.join(allowed)} only", hits)

    def required(self) -> list[Violation]:
        ids = {word: self.ids(word) for word in self.gate.require}
        broken: dict[Word, Violation] = {}
        for word in sorted(ids, key=lambda word: len(ids[word])):  # HD301 before HD3: the one that says more keeps its findings
            severity = _threshold(word, self.gate)
            hits = tuple(finding for finding in self.of(ids[word], severity) if finding not in self.told)
            self.told.update(hits)
            missing = self.missing(word)
            if missing:
                broken[word] = Violation(word, f"{', '.join(missing)} has to run, and did not", hits)
            elif hits:
                what = "no finding" if severity == Severity.INFO else f"no finding of {_or_worse(severity)}"
                broken[word] = Violation(word, f"{what} of {word.text}", hits)
        return [broken[word] for word in ids if word in broken]

    def missing(self, word: Word) -> list[str]:
        """Return the rules of a required word that did not run although others for the same kind of text did."""
        ran = {rule.id for rule in self.report.rules}
        families = {_family(rule) for rule in self.report.rules}
        return [rule.id for rule in self.resolve(word.text) if rule.id not in ran and _family(rule) in families]

    def fail_on(self) -> Iterator[Violation]:
        severity = self.gate.fail_on
        if severity is None:
            return
        hits = tuple(finding for finding in self.seen if finding.severity >= severity and finding not in self.told)
        if hits:
            yield Violation(self.gate.places["fail-on"], f"no finding of {_or_worse(severity)}", hits)

    def limits(self) -> Iterator[Violation]:
        for word, most, severity in self.gate.limits:
            if severity is None:
                hits, of = self.of(self.ids(word)), word.text
            else:
                hits, of = tuple(finding for finding in self.seen if finding.severity >= severity), _or_worse(severity)
            if len(hits) > most:
                number = f"at most {most} finding{'s' * (most > 1)}" if most else "no finding"
                yield Violation(word, f"{number} of {of}", hits)

    def ignores(self) -> Iterator[Violation]:
        """Yield what comments may not have done."""
        ignored = [entry for entry in self.report.suppressed if entry.kind == "inline"]
        told: set[Finding] = set()
        for word in self.gate.forbid_ignores:
            ids = frozenset(entry.finding.rule.id for entry in ignored) if word.text == "all" else self.ids(word)
            hits = tuple(entry.finding for entry in ignored if entry.finding.rule.id in ids and entry.finding not in told)
            told.update(hits)
            if hits:
                yield Violation(word, f"no comment that ignores {'a finding' if word.text == 'all' else word.text}", hits)
        if self.gate.require_reason:
            hits = tuple(entry.finding for entry in ignored if not entry.reason and entry.finding not in told)
            if hits:
                yield Violation(self.gate.places["require-reason"], "a reason in every comment that ignores a finding", hits)

    def runtime(self, policy: Policy) -> Iterator[Violation]:
        """Yield each key of `runtime:` that a service is looser than."""
        found: dict[str, list[Finding]] = {}
        for finding in self.demands:
            found.setdefault(finding.rule.id.removeprefix("runtime."), []).append(finding)
        for key, hits in found.items():
            where = "" if policy.runtime is None else policy.runtime.where(key)
            yield Violation(Word(key, where, f"runtime.{key}"), RUNTIME_KEYS[key.partition(".")[0]], tuple(hits))

    def images(self, policy: Policy) -> Iterator[Violation]:
        """Yield each key of `images:` that a name falls short of."""
        found: dict[str, list[Finding]] = {}
        for finding in self.of_images:
            found.setdefault(finding.rule.id.removeprefix("images."), []).append(finding)
        for key, hits in found.items():
            where = "" if policy.images is None else policy.images.at(key)
            yield Violation(Word(key, where, f"images.{key}"), IMAGES_KEYS[key], tuple(hits))

    def coverage(self) -> Iterator[Violation]:
        if self.unseen and self.gate.coverage == "fail":
            hits = tuple(finding for finding in self.report.findings if finding in self.unseen)
            yield Violation(self.gate.places["coverage"], "everything that decides what runs can be seen", hits)


def _threshold(word: Word, gate: Gate) -> Severity:
    """Return from which severity on a required rule may find nothing: the stricter of its own and the gate's; without either, any."""
    return min((severity for severity in (word.severity, gate.fail_on) if severity is not None), default=Severity.INFO)


def _family(rule: Rule) -> str:
    return rule.on.partition(".")[0]


def _or_worse(severity: Severity) -> str:
    return f"{severity.label} severity" + (" or worse" if severity < Severity.CRITICAL else "")


def _tagged(findings: Iterable[Finding], tag: str) -> tuple[Finding, ...]:
    return tuple(finding for finding in findings if tag in finding.rule.tags)


def _demands(policy: Policy) -> int:
    """Return how many demands a policy makes of text."""
    gate = policy.gate
    single = (gate.fail_on is not None, gate.require_reason, bool(gate.allowed_registries), gate.coverage == "fail")
    checks = sum(not check.reason for check in gate.checks)
    further = _runtime_demands(policy) + _images_demands(policy)
    return sum(single) + len(set(gate.require)) + len(gate.limits) + len(gate.forbid_ignores) + checks + further


def _runtime_demands(policy: Policy) -> int:
    """Return how many keys of `runtime:` services are held to."""
    if not policy.gate.runtime or policy.runtime is None:
        return 0
    return len([key for key in policy.runtime.places or {} if key in RUNTIME_KEYS and key != "loosen"])


def _images_demands(policy: Policy) -> int:
    """Return how many demands are made of the names of images; whether they are signed is no matter of text."""
    return 0 if policy.images is None else len(policy.images.allowed) + (policy.images.digest_where is not None)
