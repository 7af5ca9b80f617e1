"""Registries on this machine: Debian's `docker-registry`, open or with logins, and a tiny one of our own that can misbehave.

Each listens on a free port of 127.0.0.1, keeps its data in a folder of the test, and ends with the `with` block. `push` puts the images
of an OCI layout into any of them, by the words of the distribution specification alone.
"""

import base64
import contextlib
import hashlib
import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import bcrypt
import pytest
from certificates import Certificate, Issuer

INDEX: Final = "application/vnd.oci.image.index.v1+json"
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
REF_NAME: Final = "org.opencontainers.image.ref.name"


def free_port() -> int:
    """Return a port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def sha256(content: bytes) -> str:
    """Return a digest."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class DebianRegistry:
    """The real thing: `docker-registry serve`, of Debian's package of that name.

    `users` are names with passwords: of htpasswd, or of the token server when `token` is true, which then also serves anybody who
    only reads and has no name. `host` is what stands before the slash of a reference; `ca` the certificate to trust when `tls` is true.
    """

    def __init__(self, tmp: Path, *, tls: bool = False, users: Mapping[str, str] | None = None, token: bool = False) -> None:
        self.folder = tmp
        self.users = dict(users or {})
        self.certificate = Certificate(tmp, "tls") if tls else None
        self.ca = str(self.certificate.path) if self.certificate else ""
        self.tokens = TokenServer(Issuer(tmp), self.users) if token else None
        self.host = ""
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        program = shutil.which("docker-registry")
        if program is None:
            pytest.skip("docker-registry is not installed")
        if self.tokens is not None:
            self.tokens.__enter__()
        for _ in range(3):  # somebody else may take the port that was free
            port = free_port()
            self.host = f"127.0.0.1:{port}"
            with (self.folder / "registry.log").open("wb") as log:
                self._process = subprocess.Popen([program, "serve", str(self._configuration())], stdout=log, stderr=log)
            if self._ready(port):
                return self
            self._end()
        raise AssertionError((self.folder / "registry.log").read_text(errors="replace")[-2000:])

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end()
        if self.tokens is not None:
            self.tokens.__exit__(kind, error, trace)

    def push(self, layout: Path, name: str, tag: str = "") -> str:
        """Push the image of a layout (that called `tag` there, or the only one) as `app:v1`; return the digest of what the tag names."""
        repository = name.partition(":")[0]
        headers = {}
        if self.tokens is not None:
            headers["Authorization"] = f"Bearer {self.tokens.issuer.token(repository, 'pull', 'push')}"
        elif self.users:
            headers["Authorization"] = _basic(*next(iter(self.users.items())))
        return push(self.host, layout, name, tag, headers=headers, certificate=self.certificate)

    def _configuration(self) -> Path:
        http_: dict[str, Any] = {"addr": self.host, "secret": "test"}
        if self.certificate is not None:
            http_["tls"] = {"certificate": str(self.certificate.path), "key": str(self.certificate.key_path)}
        made: dict[str, Any] = {
            "version": 0.1,
            "log": {"level": "warn", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(self.folder / "data")}, "delete": {"enabled": True}},
            "http": http_,
        }
        if self.tokens is not None:
            issuer = self.tokens.issuer
            made["auth"] = {
                "token": {
                    "realm": f"http://{self.tokens.host}/token",
                    "service": issuer.service,
                    "issuer": issuer.issuer,
                    "rootcertbundle": str(issuer.certificate.path),
                }
            }
        elif self.users:
            path = self.folder / "htpasswd"
            rows = [f"{user}:{bcrypt.hashpw(word.encode(), bcrypt.gensalt(4)).decode()}\n" for user, word in self.users.items()]
            path.write_text("".join(rows))
            made["auth"] = {"htpasswd": {"realm": "test-realm", "path": str(path)}}
        path = self.folder / "registry.yml"
        path.write_text(json.dumps(made))  # JSON is YAML
        return path

    def _ready(self, port: int) -> bool:
        assert self._process is not None
        for _ in range(400):
            if self._process.poll() is not None:
                return False
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                time.sleep(0.025)
            else:
                return True
        return False

    def _end(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None


def _basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


class Connection:
    """One client of a registry, by its words alone."""

    def __init__(self, host: str, headers: Mapping[str, str] | None = None, certificate: Certificate | None = None) -> None:
        self.headers = dict(headers or {})
        context = ssl.create_default_context(cafile=str(certificate.path)) if certificate else None
        self.http = http.client.HTTPSConnection(host, context=context) if context else http.client.HTTPConnection(host)

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> http.client.HTTPResponse:
        """Send a request; return the answer, whose body has not been read."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.http.request(method, path, body or None, {**self.headers, **named})
        return self.http.getresponse()

    def put(self, repository: str, content: bytes, media_type: str = "", tag: str = "") -> str:
        """Put a manifest (of a media type) or a blob (without one); return its digest."""
        digest = sha256(content)
        if media_type:
            answer = self.ask("PUT", f"/v2/{repository}/manifests/{tag or digest}", content, Content_Type=media_type)
        else:
            started = self.ask("POST", f"/v2/{repository}/blobs/uploads/")
            started.read()
            assert started.status == 202, started.status
            location = urllib.parse.urlsplit(started.headers["Location"])
            path = f"{location.path}?{location.query + '&' if location.query else ''}digest={digest}"
            answer = self.ask("PUT", path, content, Content_Type="application/octet-stream", Content_Length=str(len(content)))
        said = answer.read()
        assert answer.status == 201, (answer.status, said)
        return digest


def push(
    host: str,
    layout: Path,
    name: str,
    tag: str = "",
    *,
    headers: Mapping[str, str] | None = None,
    certificate: Certificate | None = None,
) -> str:
    """Push the image of a layout that is called `tag` there (or the first one) as `app:v1`; return the digest of what the tag names."""
    repository, _, as_tag = name.partition(":")
    index = json.loads((layout / "index.json").read_text())
    named = [one for one in index["manifests"] if not tag or one.get("annotations", {}).get(REF_NAME) == tag]
    connection = Connection(host, headers, certificate)
    try:
        _push(connection, layout, repository, named[0], as_tag or "latest", set())
    finally:
        connection.http.close()
    digest: str = named[0]["digest"]
    return digest


def _push(connection: Connection, layout: Path, repository: str, descriptor: dict[str, Any], tag: str, done: set[str]) -> None:
    content = _blob(layout, descriptor)
    document = json.loads(content)
    for inner in document.get("manifests", ()):
        _push(connection, layout, repository, inner, "", done)
    for part in [document["config"], *document["layers"]] if "config" in document else ():
        if part["digest"] not in done:
            connection.put(repository, _blob(layout, part))
            done.add(part["digest"])
    connection.put(repository, content, descriptor["mediaType"], tag)


def _blob(layout: Path, descriptor: dict[str, Any]) -> bytes:
    algorithm, _, digits = descriptor["digest"].partition(":")
    path: Path = layout / "blobs" / algorithm / digits
    return path.read_bytes()


# --- servers of our own -----------------------------------------------------------------------------------------------------------


class Server:
    """A server of HTTP on a free port of 127.0.0.1; `answer` says what it does, `seen` what it was asked: (method, path, headers)."""

    def __init__(self, certificate: Certificate | None = None) -> None:
        self._open: set[socket.socket] = set()
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 20

            def setup(self) -> None:
                super().setup()
                owner._open.add(self.connection)

            def finish(self) -> None:
                owner._open.discard(self.connection)
                super().finish()

            def do_GET(self) -> None:
                owner.seen.append((self.command, self.path, {name.lower(): value for name, value in self.headers.items()}))
                try:
                    owner.answer(self)
                except OSError:  # the client went away
                    self.close_connection = True

            do_HEAD = do_POST = do_PUT = do_CONNECT = do_GET

            def log_message(self, *args: object) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = False  # it waits for them at the end: nothing remains of a test

            def handle_error(self, request: object, client_address: object) -> None:
                pass  # a broken connection is what many tests are about

        self._server = Quiet(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self.host = f"127.0.0.1:{self.port}"
        if certificate is not None:
            self._server.socket = certificate.server_context().wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.scheme = "https" if certificate else "http"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        for connection in list(self._open):  # whose client may come again, and does not
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        raise NotImplementedError


def reply(request: BaseHTTPRequestHandler, status: int, body: bytes = b"", **headers: str) -> None:
    """Send an answer; a `_` in the name of a header is a dash there."""
    request.send_response(status)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    for name, value in {"Content-Length": str(len(body)), **named}.items():
        if value:
            request.send_header(name, value)
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(body)


def body_of(request: BaseHTTPRequestHandler) -> bytes:
    """Return what the client sent."""
    return request.rfile.read(int(request.headers.get("Content-Length") or 0))


class TokenServer(Server):
    """Gives tokens to `users` who name themselves, and to anybody for reading, unless `anonymous` is false."""

    def __init__(self, issuer: Issuer, users: Mapping[str, str], *, anonymous: bool = True, certificate: Certificate | None = None) -> None:
        super().__init__(certificate)
        self.issuer, self.users, self.anonymous = issuer, dict(users), anonymous

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer GET with or without a login; POST with the refresh token `refresh-NAME`."""
        asked = urllib.parse.parse_qs(urllib.parse.urlsplit(request.path).query)
        account = ""
        if request.command == "POST":
            asked = urllib.parse.parse_qs(body_of(request).decode())
            account = asked["refresh_token"][0].removeprefix("refresh-")
            known = account in self.users
        elif said := request.headers.get("Authorization"):
            account, _, password = base64.b64decode(said.partition(" ")[2]).decode().partition(":")
            known = self.users.get(account) == password
        else:
            known = self.anonymous
        if not known:
            reply(request, 401, b'{"details": "incorrect username or password"}')
            return
        _, repository, actions = asked.get("scope", ["repository::"])[0].split(":")
        token = self.issuer.token(repository, *[one for one in actions.split(",") if one == "pull" or account], account=account)
        name = "access_token" if request.command == "POST" else "token"
        reply(request, 200, json.dumps({name: token, "expires_in": 60}).encode(), Content_Type="application/json")


class TinyRegistry(Server):
    """A registry in memory, with the referrers API unless told otherwise.

    `trouble` sees each request first and returns True when it has answered it: that is how a test makes it misbehave.
    """

    def __init__(
        self,
        *,
        referrers: bool = True,
        certificate: Certificate | None = None,
        trouble: Callable[[BaseHTTPRequestHandler], bool] | None = None,
    ) -> None:
        super().__init__(certificate)
        self.certificate = certificate
        self.trouble = trouble
        self.has_referrers = referrers
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}  # (repository, digest or tag) -> (media type, content)

    def push(self, layout: Path, name: str, tag: str = "") -> str:
        """Push the image of a layout, as `DebianRegistry.push` does."""
        return push(self.host, layout, name, tag, certificate=self.certificate)

    def put(self, repository: str, document: object, media_type: str, tag: str = "") -> str:
        """Store a manifest (a JSON value, or any bytes), under a tag as well when one is given; return its digest."""
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        digest = sha256(content)
        for name in filter(None, (digest, tag)):
            self.manifests[repository, name] = (media_type, content)
        return digest

    def blob(self, content: bytes, media_type: str = "application/octet-stream", **more: Any) -> dict[str, Any]:
        """Store a blob; return its descriptor."""
        digest = sha256(content)
        self.blobs[digest] = content
        return {"mediaType": media_type, "digest": digest, "size": len(content), **more}

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer as the distribution specification says."""
        if self.trouble is not None and self.trouble(request):
            return
        path, _, query = request.path.partition("?")
        if path in ("/v2", "/v2/"):
            reply(request, 200, b"{}")
        elif found := re.fullmatch(r"/v2/(.+)/(manifests|blobs|referrers)/([^/]+)", path):
            {"manifests": self._manifest, "blobs": self._blob, "referrers": self._referrers}[found[2]](request, found[1], found[3], query)
        elif found := re.fullmatch(r"/v2/(.+)/blobs/uploads/([^/]*)", path):
            self._upload(request, query)
        else:
            reply(request, 404, b'{"errors": [{"code": "NAME_UNKNOWN"}]}')

    def _manifest(self, request: BaseHTTPRequestHandler, repository: str, name: str, query: str) -> None:
        if request.command == "PUT":
            digest = self.put(repository, body_of(request), request.headers["Content-Type"], name)
            reply(request, 201, Location=f"/v2/{repository}/manifests/{digest}", Docker_Content_Digest=digest)
        elif (repository, name) in self.manifests:
            media_type, content = self.manifests[repository, name]
            reply(request, 200, content, Content_Type=media_type, Docker_Content_Digest=sha256(content))
        else:
            reply(request, 404, b'{"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}')

    def _blob(self, request: BaseHTTPRequestHandler, repository: str, digest: str, query: str) -> None:
        content = self.blobs.get(digest)
        if content is None:
            reply(request, 404, b'{"errors": [{"code": "BLOB_UNKNOWN"}]}')
            return
        whole = len(content)
        if asked := re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", "")):
            start = int(asked[1])
            reply(request, 206, content[start:], Content_Range=f"bytes {start}-{whole - 1}/{whole}", Docker_Content_Digest=digest)
        else:
            reply(request, 200, content, Docker_Content_Digest=digest)

    def _upload(self, request: BaseHTTPRequestHandler, query: str) -> None:
        if request.command == "POST":
            reply(request, 202, Location=f"{request.path}one")
            return
        content = body_of(request)
        given = urllib.parse.parse_qs(query)["digest"][0]
        self.blobs[sha256(content)] = content
        reply(request, 201 if given == sha256(content) else 400)

    def _referrers(self, request: BaseHTTPRequestHandler, repository: str, digest: str, query: str) -> None:
        if not self.has_referrers:
            reply(request, 404)
            return
        wanted = urllib.parse.parse_qs(query).get("artifactType", [""])[0]
        found = []
        for (home, name), (media_type, content) in sorted(self.manifests.items()):
            document = json.loads(content)
            kind = document.get("artifactType") or document.get("config", {}).get("mediaType", "")
            refers = document.get("subject", {}).get("digest") == digest
            if home == repository and name.startswith("sha256:") and refers and wanted in ("", kind):
                described = {"mediaType": media_type, "digest": name, "size": len(content), "artifactType": kind}
                found.append({**described, "annotations": document.get("annotations", {})})
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": found}
        applied = "artifactType" if wanted else ""
        reply(request, 200, json.dumps(index).encode(), Content_Type=INDEX, OCI_Filters_Applied=applied)
