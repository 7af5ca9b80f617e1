"""Checks on credentials in the files of layers, also of those that a later layer hides: what `rules.secrets.scanner` has found."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from hardener.finding import Match

if TYPE_CHECKING:
    from hardener.rules.checks import Check
    from hardener.rules.context import ImageContext
    from hardener.rules.image_contents import Contents
    from hardener.rules.secrets.scanner import Leak

# What other rules tell of, as long as it is in the final image: HI401 of the keys of a server, HI110 of accounts.
_HOST_KEY: Final = re.compile(r"etc/(?:.*/)?ssh_host_\w+_key")
_SHADOW: Final = re.compile(r"etc/g?shadow-?")


def _leaks(contents: Contents, topic: str) -> Iterator[Match]:
    told: dict[str, int] = {}
    for leak in contents.leaks:
        if leak.hit.topic != topic or (leak.fate is None and _is_told_elsewhere(leak)):
            continue
        secret = leak.hit.secret
        about = f"secret:{leak.path}:{secret.kind}"
        told[about] = number = told.get(about, 0) + 1
        values = {
            "path": f"/{leak.path}",
            "line": f":{leak.hit.line}" if leak.hit.line else "",
            "layer": f"layer {leak.layer.index + 1}",
            "title": secret.title,
            "shown": leak.hit.shown,
            "reason": secret.why,
            "fate": _fate(leak),
        }
        related = ((contents.at(leak.fate), f"{'deleted' if leak.is_deleted else 'overwritten'} here"),) if leak.fate is not None else ()
        yield Match(contents.at(leak.layer), values, related, severity=secret.severity, about=f"{about}:{number}" if number > 1 else about)


def _is_told_elsewhere(leak: Leak) -> bool:
    return bool(_HOST_KEY.fullmatch(leak.path) or _SHADOW.fullmatch(leak.path))


def _fate(leak: Leak) -> str:
    """Return what became of the file, and that it does not help."""
    again = f"; {leak.more} further layer{'s have' if leak.more > 1 else ' has'} it, too" if leak.more else ""
    if leak.fate is None:
        return again
    what = "deletes" if leak.is_deleted else "overwrites"
    return (
        f"{again}; layer {leak.fate.index + 1} {what} the file, which does not help: who pulls the image gets layer {leak.layer.index + 1}"
    )


def token(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI310: a credential stands in some file."""
    return _leaks(contents, "token")


def private_key(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI311: a private key."""
    return _leaks(contents, "key")


def stored(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI312: a file that a program keeps credentials in."""
    return _leaks(contents, "stored")


def keystore(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI313: what is as strong as a password."""
    return _leaks(contents, "advice")


CHECKS: Final[Mapping[str, Check]] = {
    "HI310": token,
    "HI311": private_key,
    "HI312": stored,
    "HI313": keystore,
}
