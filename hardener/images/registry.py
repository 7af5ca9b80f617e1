"""Images in a registry, by the words of the OCI distribution specification 1.1, which Docker's registries speak as well.

Nothing that a registry says is believed where it can be checked: a manifest is what its digest says, whoever serves it; its type is what
its answer and itself agree on; and no address that a document names is ever asked. Blobs are handed out as they come: whoever reads one
holds its digest against it (`hardener.images.blobs`). Source: github.com/opencontainers/distribution-spec, spec.md.
"""

from __future__ import annotations

import io
from contextlib import suppress
from typing import TYPE_CHECKING

from hardener.errors import HardenError
from hardener.images import hosts
from hardener.images.body import BUFFER, Body
from hardener.images.endpoint import DOCUMENT, Endpoint
from hardener.images.retrying import Patience, Trouble
from hardener.oci.image import INDEXES, MANIFESTS, SCHEMA_1, Descriptor, Index, referrers_tag, split_digest
from hardener.oci.reference import DEFAULT_TAG

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import BinaryIO, Final, TypeVar

    from hardener.images.body import Stream
    from hardener.images.credentials import Login
    from hardener.images.endpoint import Answer
    from hardener.images.remote import RemoteSource
    from hardener.oci.reference import Reference

    T = TypeVar("T")

# All of them always: a registry that misses one may convert to an older type, or say that there is nothing.
ACCEPT: Final = ", ".join((*INDEXES, *MANIFESTS))
CONNECT_S: Final = 15.0
STALL_S: Final = 60.0
PAGES: Final = 20  # of referrers
_GENERIC: Final = ("", "application/json", "application/octet-stream", "text/plain")


class RegistryOptions:
    """How registries are spoken to.

    `creds` (name, password) are for the registry of the image, and for no mirror; `ca` is a file of further CAs; `insecure` are hosts
    without certificates, or without TLS; `mirrors` are (registry, host or host/prefix), asked first; `docker_config` is a folder to read
    logins from instead of the usual files; `environment` is where proxies and those files are looked for, that of this process by default.
    """

    __slots__ = (
        *("ca", "certificates", "connect_s", "creds", "docker_config", "environment", "insecure", "mirrors", "patience", "stall_s"),
        "warn",
    )

    def __init__(
        self,
        *,
        creds: tuple[str, str] | None = None,
        ca: str = "",
        insecure: tuple[str, ...] = (),
        mirrors: tuple[tuple[str, str], ...] = (),
        docker_config: str = "",
        environment: Mapping[str, str] | None = None,
        certificates: tuple[str, ...] = (hosts.CERTIFICATES,),
        warn: Callable[[str], None] = lambda _: None,
        patience: Patience | None = None,
        connect_s: float = CONNECT_S,
        stall_s: float = STALL_S,
    ) -> None:
        from os import environ

        self.creds = creds
        self.ca = ca
        self.insecure = insecure
        self.mirrors = mirrors
        self.docker_config = docker_config
        self.environment = dict(environ if environment is None else environment)
        self.certificates = certificates
        self.warn = warn
        self.patience = patience or Patience()
        self.connect_s = connect_s
        self.stall_s = stall_s


class Registry:
    """A registry, with the mirrors that are asked first. It may be used by several threads at once."""

    __slots__ = ("_endpoints", "_logins", "_options", "name")

    def __init__(self, name: str, options: RegistryOptions | None = None) -> None:
        self.name = name
        self._options = options or RegistryOptions()
        self._logins: dict[tuple[str, str], Login | None] = {}
        found = [(mirror, True) for registry, mirror in self._options.mirrors if registry == name]
        # Each is (endpoint, what stands before the repositories there); the registry itself is the last.
        self._endpoints = [self._endpoint(mirror, is_mirror=is_mirror) for mirror, is_mirror in [*found, (name, False)]]

    def _endpoint(self, text: str, *, is_mirror: bool) -> tuple[Endpoint, str]:
        host, _, prefix = text.rstrip("/").partition("/")

        def login(repository: str) -> Login | None:
            return self._login(host, repository, is_mirror=is_mirror)

        return Endpoint(host, self._options, login), f"{prefix}/" if prefix else ""

    def _login(self, host: str, repository: str, *, is_mirror: bool) -> Login | None:
        from hardener.images import credentials

        options = self._options
        if options.creds is not None and not is_mirror:
            return credentials.Login(*options.creds)
        key = (host, repository)
        if key not in self._logins:
            paths = credentials.files(options.environment, options.docker_config)
            self._logins[key] = credentials.find(host, repository, paths, options.environment, options.warn)
        return self._logins[key]

    # --- manifests -------------------------------------------------------------------------------------------------------------

    def head(self, repository: str, name: str) -> Descriptor:
        """Return what a tag or digest names, without fetching it: this does not count as a pull."""

        def ask(endpoint: Endpoint, prefix: str) -> Descriptor | None:
            answer = endpoint.ask("HEAD", f"/v2/{prefix}{repository}/manifests/{name}", f"{prefix}{repository}", {"Accept": ACCEPT})
            answer.close()
            media_type = _media_type(answer)
            _check_type(media_type, f"{self.name}/{repository}")
            digest, length = answer.headers.get("docker-content-digest", ""), answer.headers.get("content-length", "")
            if not digest or not length.isdecimal() or media_type not in (*INDEXES, *MANIFESTS):
                return None
            split_digest(digest)
            if ":" in name and digest != name:
                raise self._forged(repository, name)
            return Descriptor(media_type=media_type, digest=digest, size=int(length[:18]))

        found = self._first(ask)
        if found is None:  # it does not say enough: read the manifest itself
            content, media_type = self.manifest(repository, name)
            found = Descriptor(media_type=media_type, digest=digest_of(content), size=len(content))
        return found

    def manifest(self, repository: str, name: str) -> tuple[bytes, str]:
        """Return a manifest or index by tag or digest, and its type. By digest, it is the one that the digest says."""

        def ask(endpoint: Endpoint, prefix: str) -> tuple[bytes, str]:
            path = f"{prefix}{repository}"
            return self._options.patience.run(lambda: self._manifest(endpoint, path, repository, name))

        return self._first(ask)

    def _manifest(self, endpoint: Endpoint, path: str, repository: str, name: str) -> tuple[bytes, str]:
        answer = endpoint.ask("GET", f"/v2/{path}/manifests/{name}", path, {"Accept": ACCEPT})
        content = answer.document(DOCUMENT, self._options.stall_s)
        _check_length(answer, content, f"{self.name}/{repository}")
        said = answer.headers.get("docker-content-digest", "")
        if ":" in name:
            algorithm, _ = split_digest(name)
            if digest_of(content, algorithm) != name:
                raise self._forged(repository, name)
        elif said and digest_of(content, split_digest(said)[0]) != said:
            raise self._forged(repository, said)
        return content, _agreed_type(content, _media_type(answer), f"{self.name}/{repository}:{name}")

    def _forged(self, repository: str, digest: str) -> Trouble:
        where = f"{self.name}/{repository}"
        return Trouble(f"what the registry sends is not {digest}", where=where, how="it is damaged or forged: do not use it", again=False)

    # --- blobs -----------------------------------------------------------------------------------------------------------------

    def open_blob(self, repository: str, descriptor: Descriptor, offset: int = 0, *, mirrors: bool = True) -> BinaryIO:
        """Return the bytes of a blob from `offset` on, as many as the descriptor says.

        They have not been verified. A connection that breaks is made again where it broke. Where a mirror has sent something else than the
        digest says, `mirrors=False` asks the registry itself.
        """
        split_digest(descriptor.digest)
        where = f"{self.name}/{repository}@{descriptor.digest[:19]}"

        def ask(endpoint: Endpoint, prefix: str) -> BinaryIO:
            def connect(at: int) -> Stream:
                return self._blob(endpoint, f"{prefix}{repository}", descriptor, at, where)

            body = Body(connect, descriptor.size, offset, where, self._options.patience, self._options.stall_s)
            return io.BufferedReader(body, BUFFER)

        return self._first(ask, mirrors=mirrors)

    def _blob(self, endpoint: Endpoint, path: str, descriptor: Descriptor, offset: int, where: str) -> Answer:
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        answer = endpoint.ask("GET", f"/v2/{path}/blobs/{descriptor.digest}", path, headers, (200, 206) if offset else (200,))
        skip = offset if answer.status == 200 else 0
        said = answer.headers.get("content-length", "")
        if said.isdecimal() and int(said[:18]) != descriptor.size - offset + skip:
            answer.close()
            what = f"the registry has {int(said[:18]) + offset - skip} bytes, and the manifest says {descriptor.size}"
            raise Trouble(what, where=where, how="it is damaged or forged: do not use it")
        if answer.status == 206 and not answer.headers.get("content-range", "").startswith(f"bytes {offset}-"):
            answer.close()
            raise Trouble("the registry sends another part than we asked for", where=where, how="it is broken: try another one")
        while skip:  # it knows no ranges: what we have comes once more
            piece = answer.read_some(min(skip, 1 << 20))
            if not piece:
                raise Trouble(f"the answer ended before byte {offset}", where=where, how="try again", again=True)
            skip -= len(piece)
        return answer

    def document(self, repository: str, descriptor: Descriptor) -> bytes:
        """Return a whole blob that is a document, such as the configuration of an image; what a mirror has is verified, no more."""
        if not 0 <= descriptor.size <= DOCUMENT:
            what = f"the document is said to have {descriptor.size} bytes"
            raise HardenError(what, where=f"{self.name}/{repository}", how=f"at most {DOCUMENT}: no real image is like that")
        algorithm, _ = split_digest(descriptor.digest)
        if len(self._endpoints) > 1:
            with suppress(Trouble), self.open_blob(repository, descriptor) as stream:
                content = stream.read()
                if digest_of(content, algorithm) == descriptor.digest:
                    return content
        with self.open_blob(repository, descriptor, mirrors=False) as stream:
            return stream.read()

    # --- referrers -------------------------------------------------------------------------------------------------------------

    def tagged(self, repository: str, digest: str) -> list[Descriptor]:
        """Return what refers to a manifest by the index under the tag that stands in for the API."""
        try:
            content, media_type = self.manifest(repository, referrers_tag(digest))
        except Trouble as trouble:
            if trouble.status != 404:
                raise
            return []
        return list(_index(content, f"{self.name}/{repository}").manifests) if media_type in INDEXES else []

    def listed(self, repository: str, digest: str) -> list[Descriptor]:
        """Return what refers to a manifest, such as signatures, by the API for it; nothing where the registry has no such API."""
        endpoint, _ = self._endpoints[-1]  # a mirror has seldom copied them
        path = f"/v2/{repository}/referrers/{digest}"
        found: list[Descriptor] = []
        for _ in range(PAGES):
            answer = endpoint.ask("GET", path, repository, {"Accept": INDEXES[0]}, (200, 400, 404, 405, 501))
            content = answer.document(DOCUMENT, self._options.stall_s)
            if answer.status != 200 or _media_type(answer) != INDEXES[0]:
                return found
            found += _index(content, f"{self.name}/{repository}").manifests
            following = _next_page(answer.headers.get("link", ""), path)
            if not following:
                return found
            path = following
        raise HardenError("the list of what refers to it does not end", where=f"{self.name}/{repository}", how="the registry is broken")

    def _first(self, ask: Callable[[Endpoint, str], T], *, mirrors: bool = True) -> T:
        """Return what the first mirror has, or else what the registry itself has: its word is the last."""
        *before, (origin, prefix) = self._endpoints
        for mirror, above in before if mirrors else ():
            try:
                return ask(mirror, above)
            except HardenError as error:
                if isinstance(error, Trouble) and error.status == 404:
                    continue
                self._options.warn(f"the mirror {mirror.registry} does not help: {error.what}")
        return ask(origin, prefix)


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    """Return the digest of a document."""
    import hashlib

    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def digest(reference: Reference, options: RegistryOptions | None = None) -> str:
    """Return the digest that an image of a registry has now, of the index where there is one: what a pin must say."""
    if reference.digest:
        return reference.digest
    return Registry(reference.registry, options).head(reference.repository, reference.tag or DEFAULT_TAG).digest


def source(reference: Reference, options: RegistryOptions | None = None) -> RemoteSource:
    """Return where the blobs of an image of a registry come from. Nothing is asked before something is read."""
    from hardener.images.remote import RemoteSource

    return RemoteSource(reference, options)


def _media_type(answer: Answer) -> str:
    return answer.headers.get("content-type", "").partition(";")[0].strip().lower()


def _check_type(media_type: str, where: str) -> None:
    if media_type.startswith(SCHEMA_1):
        raise Trouble("images of Docker's schema 1 are not read", where=where, how="push it again with a Docker of this decade")


def _check_length(answer: Answer, content: bytes, where: str) -> None:
    said = answer.headers.get("content-length", "")
    if said.isdecimal() and int(said[:18]) != len(content):
        raise Trouble(f"{len(content)} of {said[:18]} bytes came", where=where, how="try again", again=True)


def _agreed_type(content: bytes, said: str, where: str) -> str:
    """Return the type of a manifest, on which the answer and the document must agree (CVE-2021-41190)."""
    from json import loads

    _check_type(said, where)
    try:
        document = loads(content)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise Trouble("the manifest is no JSON object", where=where, how="is this a registry?")
    written = document.get("mediaType", "")
    if document.get("schemaVersion") == 1 or (isinstance(written, str) and written.startswith(SCHEMA_1)):
        _check_type(SCHEMA_1, where)
    if said in _GENERIC:
        said = written
    if said not in (*INDEXES, *MANIFESTS):
        raise Trouble(f"unknown type of manifest {said!r:.80}", where=where, how=f"known: {ACCEPT}")
    if written not in ("", said):
        what = f"the registry says that this is {said!r:.80}, and it says itself that it is {written!r:.80}"
        raise Trouble(what, where=where, how="it is forged: do not use it")
    return str(said)


def _index(content: bytes, where: str) -> Index:
    from json import loads

    try:
        return Index.parse(loads(content))
    except (ValueError, RecursionError):
        raise HardenError("the list of what refers to it is no JSON", where=where, how="the registry is broken") from None
    except HardenError as error:
        raise HardenError(error.what, where=where, how="the registry is broken") from None


def _next_page(link: str, path: str) -> str:
    """Return the path of the next page, of the same host, that a `Link` header names. Source: RFC 8288."""
    from urllib.parse import urljoin

    address, _, rest = link.partition(">")
    if not address.startswith("<") or 'rel="next"' not in rest.replace("rel=next", 'rel="next"'):
        return ""
    found = urljoin(path, address[1:])
    return found if found.startswith("/v2/") and found.isascii() and found.isprintable() else ""
