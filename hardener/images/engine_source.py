"""Images of a running Docker engine (`docker-daemon:NAME`), through its API: what `docker save` would write, read as an archive.

The engine cannot give a part of an image: all of it is copied to a file without a name first. Source: docs.docker.com, "Docker Engine API",
ImageInspect and ImageGet; `docker system dial-stdio` is how docker itself goes through ssh.
"""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING

from hardener.errors import HardenError
from hardener.images import engine_hosts
from hardener.oci import reference as references

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from http.client import HTTPResponse
    from socket import socket
    from subprocess import Popen  # nosec B404  (ssh)
    from types import TracebackType
    from typing import IO, Final, Self

    from hardener.images.engine_hosts import EngineHost
    from hardener.images.image import Image
    from hardener.images.registry import RegistryOptions

PIECE: Final = 1 << 20
MESSAGE: Final = 64 << 10
CONNECT_S: Final = 15
SSH_END_S: Final = 5


class _Through(HTTPConnection):
    """HTTP over what `dial` opens."""

    def __init__(self, dial: Callable[[], socket]) -> None:
        super().__init__("docker")
        self._dial = dial

    def connect(self) -> None:
        """Open a connection."""
        self.sock = self._dial()


class Engine:
    """An engine, connected to when it is asked something."""

    def __init__(self, host: EngineHost, stall_s: float) -> None:
        self.host = host
        self._stall_s = stall_s
        self._ssh: Popen[bytes] | None = None
        self._said: IO[bytes] | None = None  # what ssh says
        self._http = _Through(self._connect)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end()

    def get(self, path: str) -> HTTPResponse:
        """Return the answer to a request; its body has not been read."""
        try:
            self._http.request("GET", path, headers={"Host": "docker", "User-Agent": "hardener"})
            return self._http.getresponse()
        except (OSError, HTTPException) as error:
            raise self._broken(error) from None

    def read(self, response: HTTPResponse, most: int) -> bytes:
        """Return what has arrived of a body, or nothing at its end."""
        try:
            piece = response.read1(most)
            if not piece:
                response.close()  # read1 leaves it open before Python 3.13, and the connection with it
            return piece
        except (OSError, HTTPException) as error:
            raise self._broken(error) from None

    def _broken(self, error: Exception) -> HardenError:
        what = (error.strerror if isinstance(error, OSError) else "") or str(error)[:100] or type(error).__name__
        said = self._end()
        return HardenError(f"the engine does not answer: {said or what}", where=self.host.url, how="does `docker version` work?")

    # --- connecting ------------------------------------------------------------------------------------------------------------

    def _connect(self) -> socket:
        try:
            made = {"unix": lambda: _unix(self.host.path), "ssh": self._through_ssh, "tcp": self._tcp}[self.host.kind]()
            made.settimeout(self._stall_s)
            return made
        except FileNotFoundError:
            missing = self.host.path if self.host.kind == "unix" else "ssh"
            raise HardenError(
                f"there is no {missing}", where=self.host.url, how="is Docker installed and running? DOCKER_HOST names it"
            ) from None
        except PermissionError:
            how = "use sudo, or be in the group of the socket, which is to be root on this machine"
            raise HardenError("you may not talk to the engine", where=self.host.url, how=how) from None
        except OSError as error:
            reason = error.strerror or str(error)[:100]
            raise HardenError(f"the engine cannot be reached: {reason}", where=self.host.url, how="does `docker version` work?") from None

    def _tcp(self) -> socket:
        from socket import create_connection

        context = _context(self.host) if self.host.tls else None
        made = create_connection((self.host.host, self.host.port), CONNECT_S)
        if context is None:
            return made
        try:
            return context.wrap_socket(made, server_hostname=self.host.host)
        except OSError:
            made.close()
            raise

    def _through_ssh(self) -> socket:
        from socket import socketpair
        from subprocess import Popen  # nosec B404  (ssh)
        from tempfile import TemporaryFile

        words = ["ssh", "-T", "-o", f"ConnectTimeout={CONNECT_S}"]
        words += ["-l", self.host.user] if self.host.user else []
        words += ["-p", str(self.host.port)] if self.host.port not in (0, engine_hosts.PORT) else []
        words += ["--", self.host.host, "docker"]
        words += ["--host", f"unix://{self.host.path}"] if self.host.path else []
        self._end_ssh()
        ours, theirs = socketpair()
        said = TemporaryFile()  # noqa: SIM115  (a pipe would be held open by a master of connections)
        try:
            self._ssh = Popen([*words, "system", "dial-stdio"], stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=said)  # nosec B603
        except OSError:
            ours.close()
            said.close()
            raise
        finally:
            theirs.close()
        self._said = said
        return ours

    def _end(self) -> str:
        """Close the connection; return the last line that ssh has said."""
        self._http.close()
        return self._end_ssh()

    def _end_ssh(self) -> str:
        from subprocess import TimeoutExpired  # nosec B404  (ssh)

        if self._ssh is None or self._said is None:
            return ""
        try:
            self._ssh.wait(SSH_END_S)
        except TimeoutExpired:
            self._ssh.kill()
            self._ssh.wait()
        with self._said as file:
            file.seek(0)
            lines = file.read(MESSAGE).decode(errors="replace").strip().splitlines()
        self._ssh = self._said = None
        return lines[-1][:200] if lines else ""


def _unix(path: str) -> socket:
    from socket import AF_UNIX, socket

    made = socket(AF_UNIX)
    try:
        made.settimeout(CONNECT_S)
        made.connect(path)
    except OSError:
        made.close()
        raise
    return made


def _context(host: EngineHost) -> ssl.SSLContext:
    import ssl
    from os.path import exists

    ca, cert, key = (f"{host.tls}/{name}.pem" for name in ("ca", "cert", "key"))
    try:
        made = ssl.create_default_context(cafile=ca if exists(ca) else None)
        if not host.verify:
            made.check_hostname = False
            made.verify_mode = ssl.CERT_NONE
        if exists(cert):
            made.load_cert_chain(cert, key)
    except (ssl.SSLError, OSError) as error:
        raise HardenError(
            f"these certificates cannot be used: {error.strerror or error}", where=host.tls, how="DOCKER_CERT_PATH names them"
        ) from None
    return made


# --- images -----------------------------------------------------------------------------------------------------------------------


def image(text: str, platform: str = "", options: RegistryOptions | None = None) -> Image:
    """Return an image of the engine by its name or id."""
    from hardener.images import archive
    from hardener.images.registry import RegistryOptions

    options = options or RegistryOptions()
    host = engine_hosts.find(options.environment, options.docker_config)
    with Engine(host, options.stall_s) as engine:
        name = _known(engine, text)
        fd = _save(engine, name)
    found = archive.read_open(fd, f"docker-daemon:{text}", platform=platform)
    if not references.error(text):
        found.reference = references.split(text)
    return found


def _known(engine: Engine, text: str) -> str:
    """Return the name by which the engine knows an image: as a reference with its tag, or else as it is, which may be an id."""
    names = [text]
    if not references.error(text):
        reference = references.split(text)
        if reference.digest is None and reference.tag is None:
            names.insert(0, f"{text}:{references.DEFAULT_TAG}")  # without a tag, all images of that name would be saved
    for name in names:
        response = engine.get(f"/images/{_quoted(name)}/json")
        said = _message(engine, response)
        if response.status == 200:
            return name
        if response.status != 404:
            raise HardenError(f"the engine answers {response.status}{said}", where=engine.host.url, how="does `docker images` work?")
    raise HardenError(
        f"the engine has no image {text!r:.200}", where=engine.host.url, how="`docker images` lists them; docker://NAME fetches one"
    )


def _save(engine: Engine, name: str) -> int:
    """Copy an image to a file without a name; return the file."""
    import os
    from tempfile import TemporaryFile

    from hardener.images.limits import LIMITS

    response = engine.get(f"/images/{_quoted(name)}/get")
    if response.status != 200:
        said = _message(engine, response)
        raise HardenError(f"the engine answers {response.status}{said}", where=engine.host.url, how="does `docker save` work?")
    with TemporaryFile() as copy:
        size = 0
        while piece := engine.read(response, PIECE):
            size += len(piece)
            if size > LIMITS.total:
                raise HardenError(f"the image is larger than {LIMITS.total >> 30} GiB", where=engine.host.url, how="take a smaller one")
            try:
                copy.write(piece)
            except OSError as error:
                how = "set TMPDIR to a folder with room for all of the image"
                raise HardenError(f"the image cannot be copied: {error.strerror}", where=engine.host.url, how=how) from None
        copy.flush()
        return os.dup(copy.fileno())


def _quoted(name: str) -> str:
    from urllib.parse import quote

    return quote(name, safe="/:@")


def _message(engine: Engine, response: HTTPResponse) -> str:
    """Read the rest of an answer; return what the engine says of an error, cut and in one line."""
    from json import loads

    content = b""
    while piece := engine.read(response, MESSAGE):
        content += piece
        if len(content) > 16 * MESSAGE:
            raise HardenError("the engine says more than it should", where=engine.host.url, how="is this a Docker engine?")
    try:
        said = loads(content)["message"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
    return f": {' '.join(str(said).split())[:200]}"
