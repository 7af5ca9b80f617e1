"""Who we are to a registry: the logins that `docker login` and `podman login` keep, and the helpers that keep them elsewhere.

Source: docs.docker.com, "docker login", "Credential stores" and "Credential helpers"; containers-auth.json(5). A login never gets into a
message: `Login` does not show its password, and what a helper says beside an error is not repeated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardener.errors import HardenError
from hardener.images.hosts import HUB

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Final

HUB_KEYS: Final = ("https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io")
LIMIT: Final = 4 << 20  # bytes of a file
HELPER_S: Final = 60  # a helper may ask for a finger on a key
_IDENTITY: Final = "<token>"  # the name that helpers give to identity tokens
_NOT_FOUND: Final = "credentials not found"


class Login:
    """A name and a password, or an identity token, which buys tokens without either."""

    __slots__ = ("identity_token", "password", "username")

    def __init__(self, username: str, password: str, identity_token: str = "") -> None:  # nosec B107  (none)
        self.username = username
        self.password = password
        self.identity_token = identity_token

    def __repr__(self) -> str:
        return f"Login({self.username!r}, …)"

    @property
    def basic(self) -> str:
        """The value of an `Authorization` header."""
        from base64 import b64encode

        return f"Basic {b64encode(f'{self.username}:{self.password}'.encode()).decode()}"


def files(environment: Mapping[str, str], folder: str = "") -> tuple[str, ...]:
    """Return the files that may hold logins; the first that knows a registry wins. `folder` is a Docker configuration that was named."""
    if folder:
        return (f"{folder}/config.json",)
    home = environment.get("HOME", "")
    explicit = environment.get("REGISTRY_AUTH_FILE", "")
    docker = environment.get("DOCKER_CONFIG", "") or (f"{home}/.docker" if home else "")
    configuration = environment.get("XDG_CONFIG_HOME", "") or (f"{home}/.config" if home else "")
    run = environment.get("XDG_RUNTIME_DIR", "")
    found = [explicit, docker and f"{docker}/config.json", run and f"{run}/containers/auth.json"]
    return tuple(filter(None, [*found, configuration and f"{configuration}/containers/auth.json"]))


def find(registry: str, repository: str, paths: Iterable[str], environment: Mapping[str, str], warn: Callable[[str], None]) -> Login | None:
    """Return the login for a registry, or for a part of it, from the first file that has one; None when nobody is known."""
    for path in paths:
        found = _in_file(registry, repository, path, environment, warn)
        if found is not None:
            return found
    return None


def _in_file(registry: str, repository: str, path: str, environment: Mapping[str, str], warn: Callable[[str], None]) -> Login | None:
    document = _read(path)
    if document is None:
        return None
    helpers = _mapping(document, "credHelpers", path)
    keys = _keys(registry)
    helper = next((helpers[key] for key in keys if helpers.get(key)), "")
    shared = document.get("credsStore") or ""
    for name in filter(None, (helper, shared)):
        if not isinstance(name, str) or not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
            raise HardenError(f"{name!r:.60} is no name of a credential helper", where=path, how="write the part behind docker-credential-")
        found = _ask_helper(name, HUB_KEYS[0] if registry == HUB else registry, environment, path, warn)
        if found is not None:
            return found
    logins = {_plain(key): value for key, value in reversed(_mapping(document, "auths", path).items())}
    parts = repository.split("/") if repository else []
    for count in range(len(parts), -1, -1):  # podman keeps logins of namespaces too: the closest one counts
        for key in keys:
            entry = logins.get("/".join([_plain(key), *parts[:count]]))
            if entry is not None and (login := _login(entry, f"{path}: auths: {key}")) is not None:
                return login
    return None


def _keys(registry: str) -> tuple[str, ...]:
    return HUB_KEYS if registry == HUB else (registry, f"https://{registry}", f"http://{registry}")


def _plain(key: str) -> str:
    """Return a key as `host` or `host/namespace`: Docker writes some as addresses."""
    bare = key.removeprefix("https://").removeprefix("http://")
    if bare != key or bare.startswith("index.docker.io/"):
        return bare.partition("/")[0]
    return bare.rstrip("/")


def _read(path: str) -> dict[str, object] | None:
    import json

    try:
        with open(path, "rb") as file:
            content = file.read(LIMIT + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        how = "make it readable for yourself, or name another folder with --docker-config"
        raise HardenError(f"it cannot be read: {error.strerror}", where=path, how=how) from None
    try:
        found = json.loads(content[:LIMIT].decode() or "{}")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise HardenError("this is no JSON object", where=path, how="repair it, or name another folder with --docker-config")
    return found


def _mapping(document: dict[str, object], key: str, path: str) -> dict[str, object]:
    found = document.get(key) or {}
    if not isinstance(found, dict):
        raise HardenError(f"{key} must be an object", where=path, how="repair it, or name another folder with --docker-config")
    return found


def _login(entry: object, where: str) -> Login | None:
    from base64 import b64decode

    if not isinstance(entry, dict):
        raise HardenError("a login must be an object", where=where, how="log in again: docker login")
    values = {key: value for key, value in entry.items() if isinstance(value, str)}
    username, password = values.get("username", ""), values.get("password", "")
    if coded := values.get("auth", ""):
        try:
            username, colon, password = b64decode(coded, validate=True).decode().partition(":")
        except ValueError:
            colon = ""
        if not colon:
            raise HardenError("this login cannot be decoded", where=where, how="log in again: docker login")
    token = values.get("identitytoken", "")
    # Docker pads passwords with NUL.
    return Login(username, password.rstrip("\0"), token) if token or (username and password) else None


def _ask_helper(name: str, server: str, environment: Mapping[str, str], path: str, warn: Callable[[str], None]) -> Login | None:
    import json
    import shutil
    import subprocess  # nosec B404  (a helper that the user has configured)

    program = f"docker-credential-{name}"
    found = shutil.which(program, path=environment.get("PATH"))
    if found is None:
        warn(f"{path}: {program} is not installed, so that no login for {server} is known")
        return None
    try:
        asked = subprocess.run(  # nosec B603  (a list, no shell; its name has been checked)
            [found, "get"], input=server.encode(), capture_output=True, timeout=HELPER_S, env=dict(environment), check=False
        )
    except subprocess.TimeoutExpired:
        raise HardenError(f"it did not answer in {HELPER_S} s", where=program, how=f"try it: echo {server} | {program} get") from None
    except OSError as error:
        raise HardenError(f"it cannot be started: {error.strerror}", where=found, how="install it again") from None
    if asked.returncode != 0:
        if _NOT_FOUND.encode() in asked.stdout + asked.stderr:
            return None
        # What it says may hold what it was asked to keep.
        raise HardenError(f"it failed (exit code {asked.returncode})", where=program, how=f"try it: echo {server} | {program} get")
    try:
        said = json.loads(asked.stdout[:LIMIT].decode())
        username, secret = said["Username"], said["Secret"]
    except (ValueError, KeyError, TypeError, RecursionError):
        username = secret = None
    if not isinstance(username, str) or not isinstance(secret, str):
        raise HardenError("its answer is no login", where=program, how="it must print an object with Username and Secret")
    if username == _IDENTITY:
        return Login("", "", secret)
    return Login(username, secret) if secret else None
