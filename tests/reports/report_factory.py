"""Reports for tests, built from texts in which `«»` marks what a finding covers."""

import re
from collections.abc import Sequence
from hashlib import sha256

from hardener.finding import Confidence, Edit, FileError, Finding, Fix, Location, Report, Rule, Severity, Suppressed, locate
from hardener.text import SourceFile, Span

UNPINNED = Rule(
    id="HD101",
    name="untagged-base-image",
    on="dockerfile.stage",
    severity=Severity.MEDIUM,
    confidence=Confidence.HIGH,
    title="Base image without tag or digest",
    message="{image} has no tag",
    why="A tagless image means `latest` today and something else tomorrow.\n\nTwo builds of one commit differ.",
    how=(
        "Name a version, and pin its digest:\n\n```\nFROM node:22.11.0-slim@sha256:…\n```\n\n"
        "- `docker pull` prints the digest\n- bots keep it\n  up to date"
    ),
    references=("CIS-Docker-1.6.0-4.2", "OWASP-D08", "CWE-1357", "https://docs.docker.com/build/building/best-practices/"),
    same_as=(("hadolint", ("DL3006",)), ("trivy", ("DS-0001",))),
    tags=("supply-chain", "reproducibility"),
    profiles=("default", "strict", "all"),
)
ROOT_USER = Rule(
    id="HD201",
    name="root-user",
    on="dockerfile.stage",
    severity=Severity.HIGH,
    confidence=Confidence.MEDIUM,
    title="Container runs as root",
    message="the process runs as root",
    why="A process that escapes is root on the host.",
    how="Create a user and switch to it with `USER` before the command.",
    references=("CIS-Docker-1.6.0-4.1", "CWE-250", "OWASP-D01"),
    same_as=(("hadolint", ("DL3002",)),),
    tags=("privilege",),
    profiles=("default", "strict", "all"),
)
SECRET = Rule(
    id="HD301",
    name="secret-in-environment",
    on="dockerfile.instruction",
    severity=Severity.CRITICAL,
    confidence=Confidence.LOW,
    title="Secret in the image's environment",
    message="{name} holds a secret",
    why="Anyone who can pull the image can read it.",
    how="Mount it: `RUN --mount=type=secret,id=token …`.",
    references=("CIS-Docker-1.7.0-4.10", "CWE-798"),
    same_as=(),
    tags=("secrets",),
    profiles=("default", "strict", "all"),
)
CACHE = Rule(
    id="HD402",
    name="apt-lists-left-behind",
    on="dockerfile.command",
    severity=Severity.LOW,
    confidence=Confidence.HIGH,
    title="Package lists stay in the layer",
    message="the lists that apt-get update fetched stay in the layer",
    why="They are stale the next day.",
    how="Delete /var/lib/apt/lists in the same RUN, or mount a cache.",
    references=(),
    same_as=(("hadolint", ("DL3009",)),),
    tags=(),
    profiles=("strict", "all"),
)
CASING = Rule(
    id="HD801",
    name="inconsistent-casing",
    on="dockerfile.instruction",
    severity=Severity.INFO,
    confidence=Confidence.HIGH,
    title="Instructions in mixed case",
    message="{name} is written in lower case",
    why="",
    how="",
    references=(),
    same_as=(),
    tags=(),
    profiles=("all",),
)
RULES = (UNPINNED, ROOT_USER, SECRET, CACHE, CASING)


def source(text: str, path: str = "Dockerfile") -> tuple[SourceFile, list[Span]]:
    """Return the file without its `«»` marks, and the spans that they enclose, in order of their opening."""
    spans: list[list[int]] = []
    opened: list[int] = []
    pieces: list[str] = []
    length = 0
    for piece in re.split("([«»])", text):
        if piece == "«":
            opened.append(len(spans))
            spans.append([length, -1])
        elif piece == "»":
            spans[opened.pop()][1] = length
        else:
            pieces.append(piece)
            length += len(piece)
    return SourceFile(path, "".join(pieces)), [Span(start, end) for start, end in spans]


def place(text: str, path: str = "Dockerfile") -> Location:
    """Return the location of the one marked span."""
    file, (span,) = source(text, path)
    return locate(file, span)


def finding(
    text: str,
    *,
    rule: Rule = UNPINNED,
    path: str = "Dockerfile",
    message: str = "debian has no tag",
    severity: Severity | None = None,
    related: Sequence[str] = (),
    fix: tuple[str, str] | None = None,
    inserted: Sequence[str] = (),
    at: int = 0,
) -> Finding:
    """Return a finding at the marked span number `at` of `text`.

    The other spans are those of `related` (labels), then those that a fix of (safety, description) replaces by `inserted`.
    """
    file, spans = source(text, path)
    span = spans.pop(at)
    labelled = tuple((locate(file, other), label) for other, label in zip(spans, related, strict=False))
    replaced = spans[len(spans) - len(inserted) :]
    edits = tuple(Edit(span, new) for span, new in zip(replaced, inserted, strict=True))
    return Finding(
        rule=rule,
        severity=rule.severity if severity is None else severity,
        message=message,
        location=locate(file, span),
        fingerprint=sha256(f"{rule.id}\0{path}\0{file.slice(span)}".encode("utf-8", "replace")).hexdigest()[:32],
        related=labelled,
        fix=None if fix is None else Fix(edits, *fix),
        edits=tuple((locate(file, edit.span), edit.text) for edit in edits),
    )


def report(
    *findings: Finding,
    suppressed: Sequence[Suppressed] = (),
    errors: Sequence[FileError] = (),
    notices: Sequence[str] = (),
    files: Sequence[str] | None = None,
    rules: Sequence[Rule] = RULES,
    fail_on: Severity | None = Severity.MEDIUM,
) -> Report:
    """Return a report whose files are, unless given, those of its findings."""
    paths = sorted({item.location.path for item in findings}) if files is None else list(files)
    return Report(findings, tuple(suppressed), tuple(paths), tuple(errors), tuple(notices), tuple(rules), fail_on)


NODE = """\
ARG RUNAS=root
FROM node
WORKDIR /app
ENV NPM_TOKEN=npm_S3cretS3cretS3cretS3cretS3cret0123
RUN apt-get update && \\
    apt-get install -y curl && \\
    curl -fsSL https://example.org/setup.sh | sh
\tuser $RUNAS
LABEL 名前=ハード note="naïve 🐳 image"
"""


def marked(part: str, text: str = NODE) -> str:
    """Return `text` with the first occurrence of `part` marked."""
    return text.replace(part, f"«{part}»", 1)


def showcase() -> Report:
    """Return a report that has a bit of everything."""
    multiline = NODE[NODE.index("apt-get update") : NODE.index("\tuser") - 1]
    return report(
        finding(
            NODE.replace("FROM node", "FROM «node»«»"),
            message="node has no tag, so each build may start from a different image",
            fix=("safe", "Pin the version that `node` means today"),
            inserted=[":22.11.0-bookworm-slim"],
        ),
        finding(marked("npm_S3cretS3cretS3cretS3cretS3cret0123"), rule=SECRET, message="NPM_TOKEN holds an npm access token"),
        finding(
            NODE.replace(multiline, f"«{multiline}»«»"),
            rule=CACHE,
            message="the lists that `apt-get update` fetched stay in the layer",
            fix=("unsafe", "Delete the lists at the end of the `RUN`"),
            inserted=[" && \\\n    rm -rf /var/lib/apt/lists/*"],
        ),
        finding(marked("user"), rule=CASING, message="user is written in lower case"),
        finding(
            marked("$RUNAS", marked("root")),
            rule=ROOT_USER,
            message="the process runs as root, because RUNAS is `root` unless the build says otherwise",
            related=["the default is set here"],
            at=1,
        ),
        finding(marked('"naïve 🐳 image"'), rule=CASING, message="the label 名前 is decorated"),
        finding(
            'FROM «golang» AS build\nRUN go build ./...\n«»CMD ["/api"]\n',
            path="services/api/Dockerfile",
            message="the process runs as root: no USER in the final stage",
            rule=ROOT_USER,
            fix=("display", "Add a user, and switch to it before the command"),
            inserted=["USER 10001:10001\n"],
        ),
        suppressed=[
            Suppressed(
                finding("FROM «alpine»\n", path="tools/Dockerfile", message="alpine has no tag"),
                "inline",
                "the newest is wanted",
                "2027-01-31",
            ),
            Suppressed(finding("FROM «busybox»\n", path="tools/Dockerfile", message="busybox has no tag"), "baseline", ""),
        ],
        errors=[
            FileError("broken/Dockerfile", 3, "not valid UTF-8 (byte 0xff at offset 41)"),
            FileError("odd/Containerfile", 0, "looks like a binary file (it holds a NUL byte)"),
        ],
        notices=["baseline: 1 entry matches nothing any more"],
        files=["Dockerfile", "services/api/Dockerfile", "services/web/Dockerfile", "tools/Dockerfile"],
    )
