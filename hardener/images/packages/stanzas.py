"""Databases of text: stanzas with an empty line between them. Linear in the text, whatever is in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_GAP: Final = re.compile(r"\n\n+")


def split(text: str) -> Iterator[str]:
    """Yield the stanzas of a text."""
    start = 0
    for gap in _GAP.finditer(text):
        yield text[start : gap.start()]
        start = gap.end()
    yield text[start:]
