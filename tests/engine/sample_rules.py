"""A handful of rules for the engine's tests: enough ids to tell spellings apart."""

from hardener.finding import Confidence, Finding, Location, Rule, Severity
from hardener.text import SourceFile, Span


def rule(
    code: str,
    name: str = "",
    *,
    severity: Severity = Severity.MEDIUM,
    profiles: tuple[str, ...] = ("default", "strict", "all"),
    **same_as: str,
) -> Rule:
    return Rule(
        id=code,
        name=name or f"name-of-{code.lower()}",
        on="dockerfile.instruction",
        severity=severity,
        confidence=Confidence.HIGH,
        title="A title",
        message="a message",
        why="a reason",
        how="a way",
        references=(),
        same_as=tuple((tool, tuple(ids.split())) for tool, ids in same_as.items()),
        tags=(),
        profiles=profiles,
    )


UNTAGGED = rule("HD101", "untagged-base-image", hadolint="DL3006", trivy="DS-0001", checkov="CKV_DOCKER_7", tally="hadolint/DL3006")
LATEST = rule("HD102", "latest-base-image", hadolint="DL3007", trivy="DS-0001")
ROOT = rule("HD201", "runs-as-root", severity=Severity.HIGH, trivy="DS-0002", checkov="CKV_DOCKER_3", kics="fd54f200")
SHELL_FORM = rule("HD801", "shell-form-command", buildkit="JSONArgsRecommended", hadolint="DL3025")
QUOTING = rule("HD901", "unquoted-variable", profiles=("strict", "all"), shellcheck="SC2086")
RULES = (UNTAGGED, LATEST, ROOT, SHELL_FORM, QUOTING)


def finding(file: SourceFile, span: Span, of: Rule = UNTAGGED) -> Finding:
    location = Location(file.path, span, file.position(span.start), file.position(span.end), file.excerpt(span))
    return Finding(of, of.severity, of.message, location, "")
