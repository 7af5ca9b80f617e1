"""The credentials in the text of an image, whichever rules run: what no report may quote."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardener.rules.secrets.detect import judge, scan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hardener.rules.image_contents import Contents


def quoted(contents: Contents) -> Iterator[str]:
    """Yield the credentials in the configuration and the history of an image."""
    pairs = [*contents.env.items(), *contents.labels.items()]
    for step in contents.document.steps:
        pairs += step.arguments
    for name, value in pairs:
        if value and (secret := judge(value, name=name)) is not None:
            yield value[secret.start : secret.end]
    for text in (contents.document.file.text, " ".join(contents.argv)):
        for secret in scan(text):
            yield text[secret.start : secret.end]
