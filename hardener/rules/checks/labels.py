"""Checks on labels: what a team requires, what the well-known keys mean, and keys that nobody will read."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from hardener.finding import Match, Severity
from hardener.rules.checks import Check
from hardener.rules.context import Context
from hardener.rules.facts import PairSubject
from hardener.rules.reading import known
from hardener.rules.starts import is_build_target, lineage_of, starts_something
from hardener.sources.instructions import Pair
from hardener.sources.stages import Stage
from hardener.text import Pattern, Span

_OCI: Final = "org.opencontainers.image."
# github.com/opencontainers/image-spec/blob/main/annotations.md
_OCI_KEYS: Final = (
    "created", "authors", "url", "documentation", "source", "version", "revision", "vendor", "licenses", "ref.name", "title",
    "description", "base.digest", "base.name",
)  # fmt: skip
_OCI_MEANT: Final = {
    "license": "licenses", "licence": "licenses", "licences": "licenses", "author": "authors", "maintainer": "authors",
    "maintainers": "authors", "name": "title", "homepage": "url", "repository": "source", "repo": "source", "docs": "documentation",
    "build-date": "created", "date": "created", "commit": "revision", "sha": "revision", "ref": "revision", "summary": "description",
    "base": "base.name",
}  # fmt: skip
_OCI_FAMILIES: Final = frozenset({"image", "artifact", "referrers", "manifest", "distribution", "runtime"})
# The keys whose values have a form, by the spec above and by label-schema.org, which it replaced.
_FORMATS: Final = {
    f"{_OCI}created": "rfc3339",
    f"{_OCI}url": "url",
    f"{_OCI}documentation": "url",
    f"{_OCI}source": "url",
    f"{_OCI}licenses": "spdx",
    f"{_OCI}ref.name": "ref",
    f"{_OCI}base.digest": "digest",
    "org.label-schema.build-date": "rfc3339",
    "org.label-schema.url": "url",
    "org.label-schema.vcs-url": "source",
}

_URL: Final = Pattern(r"(?:[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#]\S*|mailto:\S+@\S+)")
_TIME: Final = Pattern(r"(\d{4}-\d\d-\d\d)[Tt ](?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)")
_SEMVER: Final = Pattern(
    r"(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)"
    r"(?:-(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)
_HASH: Final = Pattern(r"[0-9a-f]{7,40}|[0-9a-f]{64}")
_EMAIL: Final = Pattern(r"(?:[^<>@]*<[^\s<>@]+@[^\s<>@]+>|[^\s<>@]+@[^\s<>@]+\.[^\s<>@.]+)")
_REF: Final = Pattern(r"[A-Za-z0-9]+(?:(?:--|[-._:@/+])[A-Za-z0-9]+)*")
_DIGEST: Final = Pattern(r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[A-Za-z0-9=_-]{32,}")

# docs.docker.com/engine/manage-resources/labels: namespaces of Docker's own, and how keys should look.
_RESERVED: Final = ("com.docker.", "io.docker.", "org.dockerproject.")
_DOCKERS_OWN: Final = ("com.docker.desktop.", "com.docker.extension.", "com.docker.image.source.entrypoint", "com.docker.sandboxes.")
_KEY: Final = Pattern(r"[a-z0-9]+(?:[.-][a-z0-9]+)*")


def _time(value: str) -> bool:
    match = _TIME.fullmatch(value)
    if match is None:
        return False
    from datetime import date  # few files have such a label

    try:
        date.fromisoformat(match[1])
    except ValueError:
        return False
    return True


_TESTS: Final[Mapping[str, tuple[str, Callable[[str], bool]]]] = {
    "url": ("a URL with its scheme, such as https://example.com/app", lambda value: _URL.fullmatch(value) is not None),
    "source": ("a URL", lambda value: _URL.fullmatch(value) is not None or value.startswith("git@")),
    "rfc3339": ("a time as RFC 3339 has it, such as 2026-01-31T12:00:00Z", _time),
    "semver": ("a semantic version such as 1.4.2", lambda value: _SEMVER.fullmatch(value) is not None),
    "hash": ("a commit's hash", lambda value: _HASH.fullmatch(value) is not None),
    "email": ("an e-mail address", lambda value: _EMAIL.fullmatch(value) is not None),
    "ref": ("a reference name: letters and digits, joined by - . _ : @ / +", lambda value: _REF.fullmatch(value) is not None),
    "digest": ("a digest such as sha256:…", lambda value: _DIGEST.fullmatch(value) is not None),
}


def missing_label(stage: Stage, context: Context) -> Iterator[Match]:
    """HD705: a label that the configuration requires is not set in the final stage's line."""
    required = context.settings.required_labels
    if not required or not stage.is_final or is_build_target(stage):
        return
    found: set[str] = set()
    for pair, key in _labels(stage):
        if key is None:
            return  # a variable names it
        if pair.key.text:
            found.add(key)
    for name in required:
        if name not in found:
            yield Match(stage.image.span, {"label": name})


def unexpected_label(stage: Stage, context: Context) -> Iterator[Match]:
    """HD706: a label that the configuration does not list, where only listed ones are wanted."""
    required = context.settings.required_labels
    if context.settings.strict_labels and stage.is_final:
        for pair, key in _labels(stage):
            if key is not None and key not in required:
                yield Match(pair.key.span, {"label": key})


def _labels(stage: Stage) -> Iterator[tuple[Pair, str | None]]:
    """Yield every label of a stage and of those it is built on, with its key, None when a variable decides it."""
    for ancestor in lineage_of(stage):
        for instruction in ancestor.instructions:
            if instruction.name == "LABEL":
                for pair in instruction.pairs:
                    yield pair, known(pair.key, instruction)


def _plain(subject: PairSubject) -> tuple[str, str, Span] | None:
    """Return key, value and place of a label that is written without variables, which a build may fill in."""
    pair = subject.pair
    if pair.value is None or "$" in pair.key.raw or "$" in pair.value.raw:
        return None
    return pair.key.text, pair.value.text, pair.value.span


def invalid_value(subject: PairSubject, context: Context) -> Iterator[Match]:
    """HD707: a value is not of the form that the configuration or the key's own specification asks for."""
    plain = _plain(subject)
    if plain is None:
        return
    key, value, span = plain
    wanted = context.settings.required_labels.get(key)
    severity = Severity.MEDIUM if wanted is not None else None  # the team has said that it means it
    if what := wanted_form(key, value, wanted):
        shown = value if len(value) <= 60 else f"{value[:57]}..."
        yield Match(span, {"label": key, "value": shown, "what": what}, severity=severity)


def wanted_form(key: str, value: str, wanted: str | None) -> str:
    """Return what a label's value should be and is not; "" where it is, or where nobody asks for a form."""
    kind = wanted or _FORMATS.get(key, "text")
    if kind == "text" or not value.strip():
        return ""  # empty ones are HD709's
    if kind == "spdx":
        from hardener.images.spdx import why_not

        reason = why_not(value)
        return f"an SPDX licence expression: {reason}" if reason else ""
    return _TESTS[kind][0] if kind in _TESTS and not _TESTS[kind][1](value) else ""


def reserved_key(subject: PairSubject, context: Context) -> Iterator[Match]:
    """HD708: a key in a namespace that Docker keeps for itself."""
    key = subject.pair.key.text
    if key.startswith(_RESERVED) and not key.startswith(_DOCKERS_OWN):
        yield Match(subject.pair.key.span, {"label": key, "prefix": next(prefix for prefix in _RESERVED if key.startswith(prefix))})


def malformed_key(subject: PairSubject, context: Context) -> Iterator[Match]:
    """HD720: a key that is not lower-case letters and digits, joined by dots and hyphens."""
    key = subject.pair.key
    if "$" not in key.raw and key.text and not _KEY.fullmatch(key.text):
        yield Match(key.span, {"label": key.text})


def empty_label(subject: PairSubject, context: Context) -> Iterator[Match]:
    """HD709: a label without a value."""
    plain = _plain(subject)
    if plain is not None and plain[0] and not plain[1].strip():
        severity = Severity.LOW if plain[0].startswith(_OCI) or plain[0] in context.settings.required_labels else None
        yield Match(subject.pair.span, {"label": plain[0]}, severity=severity)


def duplicate_label(stage: Stage, context: Context) -> Iterator[Match]:
    """HD710: a label is set twice in one stage, and only the last one counts."""
    last: dict[str, Pair] = {}
    for instruction in stage.instructions:
        if instruction.name == "LABEL":
            for pair in instruction.pairs:
                key = known(pair.key, instruction)
                if key:
                    earlier = last.get(key)
                    if earlier is not None:
                        yield Match(earlier.key.span, {"label": key}, ((pair.key.span, "set again here"),))
                    last[key] = pair


def no_labels(stage: Stage, context: Context) -> Iterator[Match]:
    """HD711: nothing in the final stage's line sets a label."""
    if not stage.is_final or context.settings.required_labels or is_build_target(stage):
        return
    line = lineage_of(stage)
    if line[-1].image.is_scratch and not starts_something(stage):
        return
    if not any(one.name == "LABEL" or (one.trigger is not None and one.trigger.name == "LABEL") for s in line for one in s.instructions):
        yield Match(stage.image.span)


def unknown_oci_key(subject: PairSubject, context: Context) -> Iterator[Match]:
    """HD721: a key in the namespace of the OCI image specification that the specification does not have."""
    key = subject.pair.key
    text = key.text
    if "$" in key.raw or not text.startswith("org.opencontainers."):
        return
    family, _, name = text[len("org.opencontainers.") :].partition(".")
    if family == "image":
        if name in _OCI_KEYS:
            return
        meant = _OCI_MEANT.get(name.lower()) or (name.lower() if name.lower() in _OCI_KEYS else "")
    elif family in _OCI_FAMILIES:
        return
    else:
        rest = f"{family}.{name}" if name else family
        meant = rest if rest in _OCI_KEYS else _OCI_MEANT.get(rest, "")
    yield Match(key.span, {"label": text, "hint": f"; did you mean {_OCI}{meant}?" if meant else ""})


CHECKS: Final[Mapping[str, Check]] = {
    "HD705": missing_label,
    "HD706": unexpected_label,
    "HD707": invalid_value,
    "HD708": reserved_key,
    "HD709": empty_label,
    "HD710": duplicate_label,
    "HD711": no_labels,
    "HD720": malformed_key,
    "HD721": unknown_oci_key,
}
