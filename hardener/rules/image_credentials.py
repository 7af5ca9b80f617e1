"""The credentials in the text of an image, whichever rules run: what no report may quote."""

from __future__ import annotations

from json import dumps
from typing import TYPE_CHECKING

from hardener.rules.secrets.detect import judge, scan
from hardener.rules.secrets.values import redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hardener.rules.image_contents import Contents


def quoted(contents: Contents) -> Iterator[str]:
    """Yield the credentials in the configuration and the history of an image."""
    pairs = [*contents.env.items(), *contents.labels.items()]
    for step in contents.document.steps:
        pairs += step.arguments
    yield from found(pairs, (contents.document.file.text, " ".join(contents.argv)))


def found(pairs: Iterable[tuple[str, str]], texts: Iterable[str]) -> Iterator[str]:
    """Yield the credentials in values that have names, and in texts."""
    for name, value in pairs:
        if value and (secret := judge(value, name=name)) is not None:
            yield value[secret.start : secret.end]
    for text in texts:
        for secret in scan(text):
            yield text[secret.start : secret.end]


def redacted(text: str, credentials: Iterable[str]) -> str:
    """Return a text in which credentials, also as JSON writes them, are only as much as messages show of them."""
    for secret in sorted(credentials, key=len, reverse=True):
        for written in (secret, dumps(secret, ensure_ascii=False)[1:-1]):
            text = text.replace(written, redact(secret))
    return text
