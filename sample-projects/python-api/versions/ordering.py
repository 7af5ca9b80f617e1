"""The answers, without HTTP."""

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version


class BadRequest(ValueError):
    """The caller sent something that is not a version or not a specifier."""


def parse(text: str) -> Version:
    """Return the version that `text` spells."""
    try:
        return Version(text)
    except InvalidVersion:
        raise BadRequest(f"not a version: {text!r}") from None


def compare(left: str, right: str) -> dict[str, object]:
    """Return how two versions stand to each other."""
    a, b = parse(left), parse(right)
    return {"left": str(a), "right": str(b), "order": "<" if a < b else ">" if a > b else "="}


def newest(texts: list[str], specifier: str = "") -> dict[str, object]:
    """Return the newest of `texts` that `specifier` allows."""
    try:
        allowed = SpecifierSet(specifier)
    except InvalidSpecifier:
        raise BadRequest(f"not a specifier: {specifier!r}") from None
    versions = sorted(allowed.filter([parse(text) for text in texts]))
    return {"newest": str(versions[-1]) if versions else None, "allowed": [str(version) for version in versions]}
