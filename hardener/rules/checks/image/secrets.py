"""Checks on credentials in the configuration and the history of an image: whoever can pull it can read both.

Files are the business of the scanner of secrets; these look at texts only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from hardener.finding import Match, Severity
from hardener.rules.image_document import health_test
from hardener.rules.secrets.detect import judge, scan
from hardener.rules.secrets.values import redact

if TYPE_CHECKING:
    from hardener.rules.checks import Check
    from hardener.rules.context import ImageContext
    from hardener.rules.image_contents import Contents
    from hardener.rules.image_facts import Item, StepOf
    from hardener.rules.secrets import Secret
    from hardener.text import Span


def _match(contents: Contents, secret: Secret, value: str, span: Span, about: str, **values: str) -> Match:
    contents.secrets.add(value[secret.start : secret.end])
    shown = redact(value[secret.start : secret.end])
    return Match(span, {"title": secret.title, "shown": shown, "reason": secret.why, **values}, severity=secret.severity, about=about)


def secret_in_environment(subject: Item, context: ImageContext) -> Iterator[Match]:
    """HI301: a variable of the configuration holds a credential."""
    secret = judge(subject.value, name=subject.name)
    if secret is not None:
        yield _match(subject.contents, secret, subject.value, subject.contents.document.place(subject.key), subject.key, name=subject.name)


def secret_in_history(subject: StepOf, context: ImageContext) -> Iterator[Match]:
    """HI302: a build argument, a command, or a variable that a later step has replaced."""
    step, document = subject.step, subject.contents.document
    if step.index < 0:
        return
    for name, value in step.arguments:
        secret = judge(value, name=name)
        if secret is not None:
            where = f"the build argument {name}"
            yield _match(
                subject.contents, secret, value, step.span, f"argument:{name}", where=where, how="which every RUN writes into the history"
            )
    if step.name == "ENV":
        yield from _replaced(subject, document.file.slice(step.span))
    elif step.name in ("RUN", "COPY", "ADD", "ARG", "ONBUILD", ""):
        text = document.file.slice(step.span)
        for secret in scan(text):
            place = step.span._replace(start=step.span.start + secret.start, end=step.span.start + secret.end)
            what = step.name or "a step"
            about = f"history:{step.name}:{secret.kind}:{redact(text[secret.start : secret.end])}"
            yield _match(subject.contents, secret, text, place, about, where=f"the text of {what}", how="which is in the history for good")


def _replaced(subject: StepOf, text: str) -> Iterator[Match]:
    """Yield the credentials of variables whose value is another one now, or none."""
    from hardener.sources.dockerfile import parse
    from hardener.text import SourceFile

    env = subject.contents.env
    parsed = parse(SourceFile("", f"FROM scratch\n{text}\n"))
    for instruction in parsed.all_instructions():
        for pair in instruction.pairs:
            value = pair.value.text if pair.value is not None else ""
            name = pair.key.text
            if env.get(name) == value:
                continue
            secret = judge(value, name=name)
            if secret is not None:
                how = "which a later step has replaced, but the history keeps"
                yield _match(subject.contents, secret, value, subject.step.span, f"replaced:{name}", where=f"the variable {name}", how=how)


def secret_in_label(subject: Item, context: ImageContext) -> Iterator[Match]:
    """HI303: a label holds a credential."""
    secret = judge(subject.value, name=subject.name)
    if secret is not None:
        place = subject.contents.document.place(subject.key)
        yield _match(subject.contents, secret, subject.value, place, subject.key, where=f"the label {subject.name}")


def secret_in_command(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI304: what the image starts, or checks its health with, has a credential among its words."""
    defaults = contents.image.defaults
    for name, words in (
        ("ENTRYPOINT", defaults.entrypoint or ()),
        ("CMD", defaults.cmd or ()),
        ("HEALTHCHECK", tuple(health_test(contents.image)[1:])),
    ):
        text = " ".join(words)
        for secret in scan(text):
            severity = secret.severity if secret.severity < Severity.CRITICAL else Severity.HIGH
            about = f"{name.lower()}:{secret.kind}"
            yield _match(contents, secret, text, contents.document.place(name.lower()), about, where=name)._replace(severity=severity)


CHECKS: Final[Mapping[str, Check]] = {
    "HI301": secret_in_environment,
    "HI302": secret_in_history,
    "HI303": secret_in_label,
    "HI304": secret_in_command,
}
