"""Hosts of registries: how they are reached, which of them need no certificate, and where none may send us.

Source: docs.docker.com, "Test an insecure registry" and "Verify repository client with certificates"; RFC 6761 (localhost), RFC 3927 and
RFC 4291 (addresses of this link). A registry that is not on this machine could otherwise make us ask what only this machine may: its own
services, or the metadata service of a cloud, which hands out credentials.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardener.errors import HardenError
from hardener.images.retrying import Trouble
from hardener.record import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from ipaddress import IPv4Address, IPv6Address
    from ssl import SSLContext
    from typing import Final, TypeAlias

    IPAddress: TypeAlias = IPv4Address | IPv6Address

HUB: Final = "docker.io"
HUB_SERVER: Final = "registry-1.docker.io"
CERTIFICATES: Final = "/etc/docker/certs.d"
# Metadata services of clouds with addresses that are not of the link.
_METADATA: Final = ("fd00:ec2::254", "100.100.100.200", "168.63.129.16")


class Target(NamedTuple):
    """An address to ask: scheme, host without brackets, port, and the whole as text."""

    scheme: str
    host: str
    port: int
    url: str

    @property
    def origin(self) -> str:
        """Scheme, host and port, as text."""
        return f"{self.scheme}://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def server(registry: str) -> str:
    """Return the host and port that serve a registry."""
    return HUB_SERVER if registry == HUB else registry


def split(text: str) -> tuple[str, int | None]:
    """Return host, without brackets and in small letters, and port of `host:port`."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(f"//{text}")
        if text.endswith(":"):
            raise ValueError(text)
        return (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise HardenError(f"{text!r:.100} is no host", how="write HOST or HOST:PORT") from None


def parse(url: str, where: str) -> Target:
    """Return the parts of an address that a server named; one that is no plain http or https address is an error."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc or not url.isascii() or not url.isprintable():
        raise Trouble(f"the registry sends us to {url!r:.100}", where=where, how="only plain http and https addresses are followed")
    return Target(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), url)


def follow(target: Target, location: str, where: str) -> Target:
    """Return where a redirect leads."""
    from urllib.parse import urljoin

    try:
        url = urljoin(target.url, location)
    except ValueError:
        url = location
    return parse(url, where)


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    address = _address(host)
    return address is not None and address.is_loopback


def _address(host: str) -> IPAddress | None:
    from ipaddress import IPv6Address, ip_address

    try:
        found = ip_address(host.partition("%")[0])
    except ValueError:
        return _legacy(host)
    if isinstance(found, IPv6Address):  # the same place by another name
        return found.ipv4_mapped or found.sixtofour or found
    return found


def _legacy(host: str) -> IPAddress | None:
    """Return what the C library takes `127.1`, `0x7f000001` and `2130706433` for."""
    from ipaddress import ip_address
    from socket import inet_aton

    if not host or host[0] not in "0123456789":
        return None
    try:
        return ip_address(inet_aton(host))
    except (OSError, UnicodeError):
        return None


def is_sibling(one: str, other: str) -> bool:
    """Tell whether two hosts seem to belong to the same owner: `auth.docker.io` and `registry-1.docker.io` do."""
    if one == other:
        return True
    if _address(one) or _address(other):
        return False
    ends = [host.split(".")[-2:] for host in (one, other)]
    return ends[0] == ends[1] and len(ends[0]) == 2


def check_reach(target: Target, registry: str, *, resolve: bool) -> None:
    """Refuse an address that a registry elsewhere has no business sending us to; names are looked up when `resolve`."""
    if is_loopback(split(registry)[0]):
        return
    for address in _addresses(target, resolve=resolve):
        if address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast or str(address) in _METADATA:
            raise Trouble(
                f"the registry sends us to {target.host}, which is {_what(address)}",
                where=registry,
                how="no registry has business there: it is set up wrongly, or an attack",
            )
    if is_loopback(target.host):
        raise Trouble(
            f"the registry sends us to {target.host}, which is this machine", where=registry, how="no registry has business there"
        )


def _addresses(target: Target, *, resolve: bool) -> list[IPAddress]:
    literal = _address(target.host)
    if literal is not None or not resolve:
        return [literal] if literal is not None else []
    from socket import SOCK_STREAM, getaddrinfo

    try:
        found = getaddrinfo(target.host, target.port, type=SOCK_STREAM)
    except (OSError, UnicodeError):  # whoever connects will say so
        return []
    return [address for entry in found if (address := _address(str(entry[4][0]))) is not None]


def _what(address: IPAddress) -> str:
    if address.is_loopback or address.is_unspecified:
        return "this machine"
    return "a service of this machine's cloud or link"


# --- proxies ----------------------------------------------------------------------------------------------------------------------


def proxy(target: Target, environment: Mapping[str, str]) -> str:
    """Return the proxy for an address, or ''. Names as curl and Docker read them; this machine is always asked directly."""
    if is_loopback(target.host) or _is_direct(target, environment.get("no_proxy") or environment.get("NO_PROXY") or ""):
        return ""
    names = [f"{target.scheme}_proxy", f"{target.scheme}_proxy".upper(), "all_proxy", "ALL_PROXY"]
    if "REQUEST_METHOD" in environment:  # under CGI, HTTP_PROXY is what a client has sent as `Proxy:` (CVE-2016-5385)
        names.remove("HTTP_PROXY") if "HTTP_PROXY" in names else None
    found = next((environment[name] for name in names if environment.get(name)), "")
    return found if not found or "://" in found else f"http://{found}"


def shown(proxy: str) -> str:
    """Return the host of a proxy: its address may hold a password."""
    return proxy.rpartition("@")[2].rpartition("//")[2].partition("/")[0]


def _is_direct(target: Target, text: str) -> bool:
    from ipaddress import ip_network

    address = _address(target.host)
    for entry in (one.strip().lower() for one in text.split(",")):
        if entry == "*":
            return True
        if address is not None and "/" in entry:
            try:
                if address in ip_network(entry, strict=False):
                    return True
            except ValueError:  # not a network: nobody is meant
                continue
        host, port = _entry(entry)
        if port not in (None, target.port) or not host:
            continue
        name = host.lstrip("*").lstrip(".")
        if target.host == name or (address is None and target.host.endswith(f".{name}")):
            return True
    return False


def _entry(text: str) -> tuple[str, int | None]:
    if text.count(":") > 1 and not text.startswith("["):
        return text, None
    try:
        host, port = split(text)
    except HardenError:
        return "", None
    return host, port


# --- certificates -----------------------------------------------------------------------------------------------------------------


def context(registry: str, ca: str, folders: Iterable[str], *, verify: bool) -> SSLContext:
    """Return how TLS is spoken with a registry: what this machine trusts, a CA of the user's, and what Docker is configured with."""
    import ssl

    made = ssl.create_default_context()
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if not verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    elif ca:
        _load(made, ca)
    for folder in folders:
        _from_folder(made, f"{folder}/{registry}")
    return made


def has_ca(registry: str, folders: Iterable[str]) -> bool:
    """Tell whether Docker is configured with a CA for a registry."""
    return any(name.endswith(".crt") for folder in folders for name in _names(f"{folder}/{registry}"))


def _names(folder: str) -> list[str]:
    from os import listdir

    try:
        return sorted(listdir(folder))
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []


def _from_folder(made: SSLContext, folder: str) -> None:
    names = _names(folder)
    for name in names:
        if name.endswith(".crt"):
            _load(made, f"{folder}/{name}")
        elif name.endswith(".cert"):
            key = f"{name.removesuffix('.cert')}.key"
            if key not in names:
                raise HardenError("the key of this certificate is missing", where=f"{folder}/{name}", how=f"put it into {folder}/{key}")
            _load(made, f"{folder}/{name}", f"{folder}/{key}")


def _load(made: SSLContext, path: str, key: str = "") -> None:
    import ssl

    try:
        if key:
            made.load_cert_chain(path, key, password="")  # nosec B106  (nobody is asked for one)
        else:
            made.load_verify_locations(cafile=path)
    except ssl.SSLError as error:
        raise HardenError(f"this holds no certificate that can be used: {error.reason or error}", where=path, how="PEM is read") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise HardenError(f"it cannot be read: {reason}", where=path, how="name a file of certificates in PEM") from None
