"""What came of judging: findings and all else that a report needs, put in order, with fingerprints."""

from hardener.engine.baseline import fingerprints
from hardener.finding import FileError, Finding, Rule, Suppressed
from hardener.record import NamedTuple


class Outcome(NamedTuple):
    """What came of some files."""

    findings: list[Finding]
    suppressed: list[Suppressed]
    errors: list[FileError]
    notices: list[str]
    rules: dict[str, Rule]  # that ran on at least one file
    files: dict[str, str]  # every file that was judged: path as reports show it -> absolute path

    def join(self, other: "Outcome") -> None:
        """Add what came of further files."""
        self.findings.extend(other.findings)
        self.suppressed.extend(other.suppressed)
        self.errors.extend(other.errors)
        self.notices.extend(other.notices)
        self.rules.update(other.rules)
        self.files.update(other.files)


def finish(outcome: Outcome, *, fingerprints: bool) -> None:
    """Sort what was found, each thing once, and work out the fingerprints if they are wanted."""
    _tidy(outcome)
    if fingerprints:
        _add_fingerprints(outcome)


def _tidy(outcome: Outcome) -> None:
    """Sort by path and position, and keep one of what several projects found at the same place: a file may take part in many."""
    outcome.findings[:] = sorted({_place(finding): finding for finding in reversed(outcome.findings)}.values(), key=_place)
    outcome.suppressed[:] = sorted(
        {_place(item.finding): item for item in reversed(outcome.suppressed)}.values(), key=lambda item: _place(item.finding)
    )
    outcome.errors[:] = sorted(set(outcome.errors))
    outcome.notices[:] = sorted(set(outcome.notices))


def _place(finding: Finding) -> tuple[str, int, int, str, str, str]:
    return (finding.location.path, *finding.location.span, finding.rule.id, finding.image, finding.about)


def _add_fingerprints(outcome: Outcome) -> None:
    """Work out the fingerprints, reported and suppressed findings together in the order of positions."""
    found = [*enumerate(outcome.findings), *((-1 - index, item.finding) for index, item in enumerate(outcome.suppressed))]
    found.sort(key=lambda item: _place(item[1]))
    for (index, finding), digest in zip(found, fingerprints([finding for _, finding in found]), strict=True):
        marked = finding._replace(fingerprint=digest)
        if index >= 0:
            outcome.findings[index] = marked
        else:
            outcome.suppressed[-1 - index] = outcome.suppressed[-1 - index]._replace(finding=marked)
