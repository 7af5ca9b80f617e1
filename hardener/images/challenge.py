"""What a registry asks of who wants in: the `WWW-Authenticate` header, and where a password may be sent.

Source: RFC 9110, section 11; docs.docker.com, "Registry token authentication". The registry is not trusted with the choice: it could name a
service of somebody else as the place to send our password to, or a machine that only we can reach.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hardener.images import hosts
from hardener.images.retrying import Trouble
from hardener.record import NamedTuple

if TYPE_CHECKING:
    from typing import Final

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# Values should be quoted when they are more than a word; some registries do not.
_PARAMETER: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s\",=][^\s\",]*))")
_TOKEN68: Final = re.compile(r"[ \t]+[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))")
_EQUALS: Final = re.compile(r"[ \t]*=")
_SEPARATORS: Final = re.compile(r"[\s,]*")


class Challenge(NamedTuple):
    """One way in: its scheme in small letters, and its parameters by name in small letters."""

    scheme: str
    parameters: dict[str, str]


def parse(header: str) -> tuple[Challenge, ...]:
    """Return the challenges of a header, which may hold several; what cannot be read ends them."""
    found: list[Challenge] = []
    at = 0
    while (at := _end(_SEPARATORS.match(header, at), at)) < len(header):
        parameter = _PARAMETER.match(header, at)
        if parameter is not None and found:
            name, quoted, plain = parameter.groups()
            value = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            found[-1].parameters.setdefault(name.lower(), value)
            at = parameter.end()
            continue
        scheme = _TOKEN.match(header, at)
        if scheme is None or _EQUALS.match(header, scheme.end()):
            break
        found.append(Challenge(scheme[0].lower(), {}))
        at = _end(_TOKEN68.match(header, scheme.end()), scheme.end())
    return tuple(found)


def _end(match: re.Match[str] | None, default: int) -> int:
    return match.end() if match else default


def choose(challenges: tuple[Challenge, ...], where: str) -> Challenge:
    """Return the challenge to meet: tokens before passwords."""
    for scheme in ("bearer", "basic"):
        for one in challenges:
            if one.scheme == scheme and (scheme == "basic" or one.parameters.get("realm")):
                return one
    asked = ", ".join(f"{one.scheme[:40]!r}" for one in challenges) or "nothing that we know"
    raise Trouble(f"the registry asks for {asked}", where=where, how="Bearer (with a realm) and Basic are known", status=401)


class Realm(NamedTuple):
    """Where tokens are had: an address, whether a password may go there, and what the user should hear about it."""

    url: str
    private: bool
    warning: str


def realm(url: str, registry: str, *, resolve: bool) -> Realm:
    """Judge the address of tokens that a registry names. Raises Trouble for one that nothing should be asked of."""
    target = hosts.parse(url, registry)
    ours, _ = hosts.split(registry)
    hosts.check_reach(target, registry, resolve=resolve)
    loopback = hosts.is_loopback(target.host) and hosts.is_loopback(ours)
    private = target.scheme == "https" or loopback
    warning = ""
    if not hosts.is_sibling(target.host, ours) and not loopback:
        warning = f"{registry} sends logins to another host: {target.host}"
    return Realm(url, private, warning)
