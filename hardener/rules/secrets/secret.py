"""One credential that was found."""

from typing import NamedTuple

from hardener.finding import Confidence, Severity
from hardener.rules.secrets.proofs import Verdict


class Secret(NamedTuple):
    """A credential, and where it stands in the text that was judged."""

    kind: str  # github-token, private-key, url-password, password, …
    title: str  # GitHub token: for messages
    start: int
    end: int
    confidence: Confidence
    severity: Severity
    why: str  # what speaks for it, a clause without a full stop

    @classmethod
    def of(cls, kind: str, title: str, span: tuple[int, int], verdict: Verdict, severity: Severity = Severity.HIGH) -> "Secret":
        """Return the secret of a verdict; `severity` is that of its kind, which the verdict may correct."""
        severity = severity if verdict.severity is None else verdict.severity
        return cls(kind, title, span[0], verdict.end or span[1], verdict.confidence, severity, verdict.why)
