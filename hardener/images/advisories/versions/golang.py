"""Versions of Go modules and of Go itself.

A module's is a semantic one with a v, perhaps a pseudo-version of a commit; "(devel)" is none. Go's own is "go1.21rc2", which the Go
vulnerability database writes as 1.21.0-rc.2. Source: go.dev/ref/mod#versions, go.dev/doc/toolchain#version.
"""

import re
from typing import Final

from hardener.images.advisories.versions import semver

_RELEASE: Final = re.compile(r"go([0-9]+)\.([0-9]+)(?:\.([0-9]+))?(?:(alpha|beta|rc)([0-9]+))?(?:[ -].*)?", re.ASCII)  # "go1.22.1 X:…" too


def compare(one: str, other: str) -> int | None:
    """Return how `one` compares with `other`; None when one of them is no version of a Go module, or of Go."""
    return semver.compare(plain(one), plain(other))


def plain(text: str) -> str:
    """Return a version of Go itself as a semantic one; any other as it is."""
    found = _RELEASE.fullmatch(text) if len(text) <= 256 else None
    if found is None:
        return text
    before = f"-{found[4]}.{found[5]}" if found[4] else ""
    return f"{found[1]}.{found[2]}.{found[3] or 0}{before}"
