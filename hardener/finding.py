"""The vocabulary of judging: severities, rules, matches, findings, reports.

Named tuples rather than dataclasses: they are as frozen and cost a tenth of the start-up time (`dataclasses` alone takes longer
to import than a small lint run).
"""

from collections.abc import Mapping
from enum import IntEnum

from hardener.record import NamedTuple
from hardener.text import BOM, Place, Position, SourceFile, Span


class Severity(IntEnum):
    """How bad it is; ordered, so that thresholds compare."""

    INFO = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    @property
    def label(self) -> str:
        """The lower-case name that users read and write."""
        return self.name.lower()


class Confidence(IntEnum):
    """How often a finding of this rule is right."""

    LOW = 0
    MEDIUM = 1
    HIGH = 2

    @property
    def label(self) -> str:
        """The lower-case name that users read and write."""
        return self.name.lower()


SEVERITIES = {severity.label: severity for severity in Severity}
CONFIDENCES = {confidence.label: confidence for confidence in Confidence}


class Rule(NamedTuple):
    """What the user is told about one kind of finding. Comes from one YAML file; never written in code."""

    id: str  # HD101
    name: str  # untagged-base-image
    on: str  # the subject it judges: dockerfile.stage, dockerfile.command, …
    severity: Severity
    confidence: Confidence
    title: str
    message: str  # a format string over the match's values
    why: str
    how: str
    references: tuple[str, ...]  # CIS-Docker-1.6.0-4.2, CWE-250, OWASP-D01, or a URL
    same_as: tuple[tuple[str, tuple[str, ...]], ...]  # (("hadolint", ("DL3006",)), …)
    tags: tuple[str, ...]
    profiles: tuple[str, ...]  # the profiles that run it: default, strict, all

    @property
    def aliases(self) -> tuple[str, ...]:
        """Every peer's id for the same check, as `tool:id`."""
        return tuple(f"{tool}:{peer}" for tool, ids in self.same_as for peer in ids)


class Edit(NamedTuple):
    """Replace the text of `span` with `text`; an empty span inserts, an empty text deletes."""

    span: Span
    text: str


class Fix(NamedTuple):
    """Edits that resolve a finding. `safety` is `safe`, `unsafe` or `display` (shown, never applied)."""

    edits: tuple[Edit, ...]
    safety: str
    description: str


class Match(NamedTuple):
    """What a check yields: where the rule holds, and the values for its message.

    Spans are of `file`, the document's own when it is None; a `Place` says itself which file it is of.
    """

    span: Span
    values: Mapping[str, str] = {}
    related: tuple[tuple[Span | Place, str], ...] = ()
    fix: Fix | None = None
    severity: Severity | None = None  # when this match is worse or milder than the rule says
    anchors: tuple[Span | Place, ...] = ()  # further places where an inline ignore for this match may stand
    file: SourceFile | None = None
    about: str = ""  # what it is about, when the text at its place does not tell: a file of an image, say


class Location(NamedTuple):
    """A place in a file as reports show it. `lines` are the whole source lines that the span touches, joined by LF.

    A span that ends with a line's terminator has its `end` at column 1 of the next line, which is not among `lines`.
    """

    path: str
    span: Span
    start: Position
    end: Position  # exclusive: the position just after the last character
    lines: str

    @property
    def text(self) -> str:
        """The text that the location covers (line ends as LF)."""
        lines = self.lines.split("\n")
        if self.end.line - self.start.line == len(lines):
            lines.append("")
        if len(lines) == 1:
            return lines[0][self.start.column - 1 : self.end.column - 1]
        middle = lines[1:-1]
        return "\n".join([lines[0][self.start.column - 1 :], *middle, lines[-1][: self.end.column - 1]])


def locate(file: SourceFile, span: Span) -> Location:
    """Return `span` of `file` as reports show it; a byte order mark at the start of the file is left out of the span."""
    if span.start == 0 and file.text.startswith(BOM):
        span = Span(1, max(1, span.end))
    return Location(file.path, span, file.position(span.start), file.position(span.end), file.excerpt(span))


class Finding(NamedTuple):
    """One rule broken at one place. Self-contained: a reporter needs nothing else."""

    rule: Rule
    severity: Severity  # after overrides
    message: str
    location: Location
    fingerprint: str  # hex; stable when lines move: rule, path, normalised text, occurrence
    related: tuple[tuple[Location, str], ...] = ()
    fix: Fix | None = None
    edits: tuple[tuple[Location, str], ...] = ()  # the edits of `fix`, located: what reports need to show or export them
    image: str = ""  # of findings in images: the image without tag and digest, which with `about` takes the place of path and text
    about: str = ""  # what in that image, whatever line it stands at


class Suppressed(NamedTuple):
    """A finding that is not shown, and why: `kind` is `inline` (a comment), `config` or `baseline`."""

    finding: Finding
    kind: str
    reason: str
    expires: str = ""  # ISO date, for inline ignores that have one


class FileError(NamedTuple):
    """A file that could not be judged, or a part of one; `line` is 1-based, 0 when unknown.

    `kind` is `unreadable` (the user's to repair, exit code 2) or `internal` (a bug in hardener: a rule that crashed, exit code 3).
    """

    path: str
    line: int
    message: str
    kind: str = "unreadable"


class Report(NamedTuple):
    """Everything one run found: the single argument of every reporter and of the gate."""

    findings: tuple[Finding, ...]  # sorted by path, position, rule id
    suppressed: tuple[Suppressed, ...]
    files: tuple[str, ...]  # every file that was judged
    errors: tuple[FileError, ...]
    notices: tuple[str, ...]  # stale baseline entries and the like: worth a line, never a failure
    rules: tuple[Rule, ...]  # every rule that ran, sorted by id
    fail_on: Severity | None  # findings at or above it fail the run; None: never
    decided: int | None = None  # how many findings fail the run, where files have thresholds of their own or some are not shown
    noun: str = "file"  # what `files` are, for people

    @property
    def failing(self) -> int:
        """How many findings fail the run."""
        if self.decided is not None:
            return self.decided
        threshold = self.fail_on
        return 0 if threshold is None else sum(finding.severity >= threshold for finding in self.findings)

    @property
    def exit_code(self) -> int:
        """0 clean, 1 findings at or above the threshold, 2 unreadable input, 3 a bug in hardener; the same for every format."""
        if any(error.kind == "internal" for error in self.errors):
            return 3
        if any(error.kind == "unreadable" for error in self.errors):
            return 2
        return 1 if self.failing else 0
