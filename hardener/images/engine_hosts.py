"""Where the Docker engine is that `docker` would talk to: $DOCKER_HOST, a context, or the socket of this machine.

Source: docs.docker.com, "docker CLI: environment variables", "Docker contexts", "Protect the Docker daemon socket".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardener.errors import HardenError
from hardener.images.hosts import split

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

SOCKET: Final = "/var/run/docker.sock"
PORT: Final = 2375
TLS_PORT: Final = 2376
LIMIT: Final = 1 << 20  # bytes of a file of a context
_HOW: Final = "DOCKER_HOST is unix:///PATH, tcp://HOST:PORT or ssh://[USER@]HOST[:PORT]"


class EngineHost:
    """One engine: `kind` unix, tcp or ssh; `path` of the socket there ('' for the usual one); `tls` is a folder of certificates or ''."""

    __slots__ = ("host", "kind", "path", "port", "tls", "url", "user", "verify")

    def __init__(self, url: str, kind: str, *, host: str = "", port: int = 0, path: str = "", user: str = "") -> None:
        self.url = url
        self.kind = kind
        self.host = host
        self.port = port
        self.path = path
        self.user = user
        self.tls = ""
        self.verify = True


def find(environment: Mapping[str, str], docker_config: str = "") -> EngineHost:
    """Return the engine that an environment names."""
    home = environment.get("HOME", "")
    folder = docker_config or environment.get("DOCKER_CONFIG", "") or f"{home}/.docker"
    if not (url := environment.get("DOCKER_HOST", "")):
        name = environment.get("DOCKER_CONTEXT", "") or _current_context(f"{folder}/config.json")
        if name not in ("", "default"):
            return _of_context(name, folder)
        url = f"unix://{_socket(environment)}"
    found = parse(url, "DOCKER_HOST")
    verify = bool(environment.get("DOCKER_TLS_VERIFY"))
    if found.kind == "tcp" and (verify or environment.get("DOCKER_TLS")):
        found.tls = environment.get("DOCKER_CERT_PATH", "") or folder
        found.verify = verify
        found.port = found.port or TLS_PORT
    found.port = found.port or PORT
    return found


def _socket(environment: Mapping[str, str]) -> str:
    from os.path import exists

    rootless = f"{environment.get('XDG_RUNTIME_DIR', '')}/docker.sock"
    return rootless if not exists(SOCKET) and exists(rootless) else SOCKET


def parse(url: str, where: str) -> EngineHost:
    """Return the parts of the address of an engine; a port that it does not say is 0."""
    kind, separator, rest = url.partition("://")
    if not separator or not rest or not url.isprintable():
        raise HardenError(f"{url!r:.100} is no address of an engine", where=where, how=_HOW)
    if kind == "unix":
        if not rest.startswith("/"):
            raise HardenError(f"{url!r:.100} does not say where the socket is from / on", where=where, how=_HOW)
        return EngineHost(url, kind, path=rest)
    place, slash, path = rest.partition("/")
    user, _, address = place.rpartition("@")
    try:
        host, port = split(address)
    except HardenError:
        host, port = "", None
    # What begins with a dash would be an option to ssh; what a shell could read goes through one at the other end.
    if kind not in ("tcp", "ssh") or not host or host.startswith("-") or user.startswith("-") or not _is_plain(f"{user}{path}"):
        raise HardenError(f"{url!r:.100} is no address of an engine", where=where, how=_HOW)
    if kind == "tcp" and (user or path):
        raise HardenError(f"{url!r:.100} says more than a host and a port", where=where, how=_HOW)
    return EngineHost(url, kind, host=host, port=port or 0, path=f"{slash}{path}".rstrip("/"), user=user)


def _is_plain(text: str) -> bool:
    return text.isascii() and all(one.isalnum() or one in "._-/:+" for one in text)


# --- contexts ---------------------------------------------------------------------------------------------------------------------


def _current_context(path: str) -> str:
    document = _object(path)
    name = document.get("currentContext", "") if document is not None else ""
    return name if isinstance(name, str) else ""


def _of_context(name: str, folder: str) -> EngineHost:
    from hashlib import sha256

    key = sha256(name.encode(errors="surrogateescape")).hexdigest()
    path = f"{folder}/contexts/meta/{key}/meta.json"
    document = _object(path)
    if document is None:
        raise HardenError(f"there is no context {name!r:.80}", where=path, how="`docker context ls` lists them; DOCKER_CONTEXT chooses")
    endpoints = document.get("Endpoints")
    endpoint = endpoints.get("docker") if isinstance(endpoints, dict) else None
    url = endpoint.get("Host") if isinstance(endpoint, dict) else None
    if not isinstance(url, str) or not isinstance(endpoint, dict):
        raise HardenError(f"the context {name!r:.80} names no engine", where=path, how="`docker context update` sets it")
    found = parse(url, path)
    tls = f"{folder}/contexts/tls/{key}/docker"
    from os.path import isdir

    if found.kind == "tcp" and isdir(tls):
        found.tls = tls
        found.verify = endpoint.get("SkipTLSVerify") is not True
        found.port = found.port or TLS_PORT
    found.port = found.port or PORT
    return found


def _object(path: str) -> dict[str, object] | None:
    from json import loads

    try:
        with open(path, "rb") as file:
            found = loads(file.read(LIMIT) or b"{}")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise HardenError(f"it cannot be read: {error.strerror}", where=path, how="make it readable, or set DOCKER_HOST") from None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise HardenError("this is no JSON object", where=path, how="repair it, or set DOCKER_HOST")
    return found
