"""Credentials, judged by value: what is written, not what it is called, decides; a name only adds to the evidence.

`detect` is the entrance: `judge` for one key and value, `scan` for a longer text. The same detectors serve Dockerfiles, compose files
and images. Here is their vocabulary.
"""

from hardener.finding import Confidence, Severity
from hardener.record import NamedTuple


class Verdict(NamedTuple):
    """A judgement on one candidate. `severity` None: what its kind says."""

    confidence: Confidence
    why: str  # what speaks for it, a clause without a full stop
    severity: Severity | None = None
    end: int = 0  # where the secret ends, when the pattern does not say


class Secret(NamedTuple):
    """A credential, and where it stands in the text that was judged."""

    kind: str  # github-token, private-key, url-password, password, …
    title: str  # GitHub token: for messages
    start: int
    end: int
    confidence: Confidence
    severity: Severity
    why: str

    @classmethod
    def of(cls, kind: str, title: str, span: tuple[int, int], verdict: Verdict, severity: Severity = Severity.HIGH) -> "Secret":
        """Return the secret of a verdict; `severity` is that of its kind, which the verdict may correct."""
        severity = severity if verdict.severity is None else verdict.severity
        return cls(kind, title, span[0], verdict.end or span[1], verdict.confidence, severity, verdict.why)
