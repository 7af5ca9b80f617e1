"""Where a registry may send us, and what it may learn: no login goes to another host, and no request where only this machine may ask."""

import base64
import json
import select
import socket
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from certificates import Certificate, Issuer
from layouts import Layout, entry, tar
from registries import DebianRegistry, Server, TinyRegistry, TokenServer, reply

from hardener.errors import HardenError
from hardener.images import hosts
from hardener.images.endpoint import Endpoint
from hardener.images.registry import Registry, RegistryOptions
from hardener.images.retrying import Patience
from hardener.oci.image import Descriptor

CONTENT = b"layer" * 1000
FAR = "registry.example"


def options(**more: Any) -> RegistryOptions:
    return RegistryOptions(**{"environment": {}, "patience": Patience(pause_s=0.001), "stall_s": 5.0, "certificates": (), **more})


class Log(Server):
    """Answers nothing, and remembers who asked."""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        reply(request, 404)


@pytest.fixture
def registry() -> Iterator[TinyRegistry]:
    with TinyRegistry() as made:
        yield made


@pytest.fixture
def log() -> Iterator[Log]:
    with Log() as made:
        yield made


def answered(request: BaseHTTPRequestHandler, status: int, body: bytes = b"", **headers: Any) -> bool:
    reply(request, status, body, **headers)
    return True


def to(location: str, status: int = 307) -> Callable[[BaseHTTPRequestHandler], bool]:
    def trouble(request: BaseHTTPRequestHandler) -> bool:
        if "/blobs/" not in request.path and "/manifests/" not in request.path:
            return False
        reply(request, status, Location=location)
        return True

    return trouble


def fetch(host: str, **more: Any) -> bytes:
    part = Descriptor(media_type="x", digest=f"sha256:{'0' * 64}", size=len(CONTENT))
    with Registry(host, options(**more)).open_blob("app", part) as stream:
        return stream.read()


def fails(host: str, **more: Any) -> HardenError:
    with pytest.raises(HardenError) as error:
        fetch(host, **more)
    return error.value


# --- redirects --------------------------------------------------------------------------------------------------------------------


def test_a_login_does_not_follow_to_another_host(registry: TinyRegistry) -> None:
    with TinyRegistry() as store:
        store.trouble = lambda request: answered(request, 200, CONTENT)
        redirect = to(f"http://{store.host}/cdn/blob?signed=1")

        def locked(request: BaseHTTPRequestHandler) -> bool:
            if "/blobs/" in request.path and "Authorization" not in request.headers:
                reply(request, 401, WWW_Authenticate='Basic realm="here"')
                return True
            return redirect(request)

        registry.trouble = locked
        assert fetch(registry.host, creds=("alice", "s3cret")) == CONTENT
        assert [path for _, path, _ in store.seen] == ["/cdn/blob?signed=1"]
        assert "authorization" not in store.seen[0][2]
        secret = base64.b64encode(b"alice:s3cret").decode()
        assert [headers.get("authorization") for _, path, headers in registry.seen if "/blobs/" in path] == [None, f"Basic {secret}"]


def test_a_registry_with_tls_does_not_send_us_where_there_is_none(tmp_path: Path, log: Log) -> None:
    certificate = Certificate(tmp_path, "tls")
    with TinyRegistry(certificate=certificate, trouble=to(f"http://{log.host}/blob")) as registry:
        error = fails(registry.host, ca=str(certificate.path))
    assert "from https to http" in error.what
    assert log.seen == []


@pytest.mark.parametrize(
    ("location", "what"),
    [
        ("/v2/app/blobs/again", "round and round"),
        ("ftp://127.0.0.1/x", "sends us to 'ftp://127.0.0.1/x'"),
        ("file:///etc/passwd", "sends us to 'file:///etc/passwd'"),
        ("http://me:password@127.0.0.1/x", "sends us to 'http://me:password@127.0.0.1/x'"),
        ("http://127.0.0.1:99999/", "sends us to 'http://127.0.0.1:99999/'"),
        ("http://[::1/", "sends us to"),
    ],
)
def test_places_that_are_none(registry: TinyRegistry, location: str, what: str) -> None:
    registry.trouble = to(location)
    assert what in fails(registry.host).what


@pytest.mark.parametrize(
    "place",
    [
        *["127.0.0.1", "localhost", "db.localhost", "[::1]", "0.0.0.0", "[::]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "127.1"],
        *["169.254.169.254", "[fe80::1]", "[fd00:ec2::254]", "100.100.100.200", "[::ffff:169.254.169.254]", "224.0.0.1", "localhost."],
    ],
)
def test_a_registry_elsewhere_sends_nobody_to_this_machine(place: str) -> None:
    target = hosts.parse(f"http://{place}/latest/meta-data", FAR)
    with pytest.raises(HardenError, match="no registry has business there"):
        hosts.check_reach(target, FAR, resolve=False)
    hosts.check_reach(target, "127.0.0.1:5000", resolve=False)  # one that is here may
    hosts.check_reach(hosts.parse("https://10.0.0.1/x", FAR), FAR, resolve=True)
    hosts.check_reach(hosts.parse("https://cdn.invalid/x", FAR), FAR, resolve=True)


def test_names_are_looked_up_before_we_go_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("10.0.0.1", 80)), (2, 1, 6, "", ("169.254.169.254", 80))])
    target = hosts.parse("http://rebound.example/", FAR)
    with pytest.raises(HardenError, match=r"rebound\.example, which is a service of this machine's cloud or link"):
        hosts.check_reach(target, FAR, resolve=True)
    hosts.check_reach(target, FAR, resolve=False)


# --- proxies ----------------------------------------------------------------------------------------------------------------------


class Proxy(TinyRegistry):
    """A registry that is asked for by whole addresses, as a proxy is."""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked = getattr(self, "asked", [])
        self.asked.append(request.path)
        request.path = "/" + request.path.removeprefix("http://").partition("/")[2]
        super().answer(request)


def test_a_proxy_is_asked_for_what_is_elsewhere() -> None:
    with Proxy() as proxy:
        content = json.dumps({"schemaVersion": 2, "config": {}, "layers": []}).encode()
        proxy.put("app", content, "application/vnd.oci.image.manifest.v1+json", "v1")
        through = {"http_proxy": f"http://me:word@{proxy.host}", "https_proxy": "http://127.0.0.1:1"}
        client = Registry(FAR, options(environment=through, insecure=(FAR,)))
        assert client.manifest("app", "v1")[0] == content
        assert proxy.asked == [f"http://{FAR}/v2/", f"http://{FAR}/v2/app/manifests/v1"]
        assert proxy.seen[0][2]["proxy-authorization"] == f"Basic {base64.b64encode(b'me:word').decode()}"
        proxy.trouble = to("http://169.254.169.254/latest")
        proxy.asked.clear()
        with pytest.raises(HardenError, match=r"169\.254\.169\.254, which is a service of this machine's cloud or link"):
            client.manifest("app", "v1")
        assert [path for path in proxy.asked if "169" in path] == []


class Tunnel(Server):
    """A proxy that connects whoever asks with one server."""

    to = ("", 0)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        reply(request, 200, Content_Length="")
        with socket.create_connection(self.to) as there:
            for ready in iter(lambda: select.select([there, request.connection], [], [])[0], None):
                piece = ready[0].recv(1 << 16)
                if not piece:
                    break
                (there if ready[0] is request.connection else request.connection).sendall(piece)
        request.close_connection = True


def test_tls_goes_through_a_proxy(tmp_path: Path) -> None:
    certificate = Certificate(tmp_path, "far", host=FAR)
    with TinyRegistry(certificate=certificate) as registry, Tunnel() as proxy:
        proxy.to = ("127.0.0.1", registry.port)
        content = json.dumps({"schemaVersion": 2, "config": {}, "layers": []}).encode()
        registry.put("app", content, "application/vnd.oci.image.manifest.v1+json", "v1")
        through = {"https_proxy": f"http://{proxy.host}"}
        assert Registry(FAR, options(environment=through, ca=str(certificate.path))).manifest("app", "v1")[0] == content
        assert [(method, path) for method, path, _ in proxy.seen] == [("CONNECT", f"{FAR}:443")]
        with pytest.raises(HardenError, match=r"registry\.example cannot be trusted through the proxy 127\.0\.0\.1"):
            Registry(FAR, options(environment=through)).head("app", "v1")
        with pytest.raises(HardenError, match="cannot be trusted"):
            Registry("other.example", options(environment=through, ca=str(certificate.path))).head("app", "v1")
        Registry("other.example", options(environment=through, insecure=("other.example",))).head("app", "v1")


def test_a_proxy_that_does_not_work_is_named_without_its_password() -> None:
    with pytest.raises(HardenError) as error:
        Registry(FAR, options(environment={"https_proxy": "http://me:w0rd@127.0.0.1:1"}, patience=Patience(tries=1))).head("app", "v1")
    assert "through the proxy 127.0.0.1:1" in error.value.what
    assert "w0rd" not in str(error.value)
    with pytest.raises(HardenError, match="the proxy cannot be used"):
        Registry(FAR, options(environment={"https_proxy": "nonsense://x"}, patience=Patience(tries=1))).head("app", "v1")


@pytest.mark.parametrize(
    ("url", "environment", "proxy"),
    [
        ("https://a.example/", {}, ""),
        ("https://a.example/", {"HTTPS_PROXY": "p:3128"}, "http://p:3128"),
        ("https://a.example/", {"https_proxy": "http://low", "HTTPS_PROXY": "http://UP"}, "http://low"),
        ("https://a.example/", {"ALL_PROXY": "http://all"}, "http://all"),
        ("http://a.example/", {"HTTPS_PROXY": "http://p"}, ""),
        ("http://a.example/", {"HTTP_PROXY": "http://p"}, "http://p"),
        ("http://a.example/", {"HTTP_PROXY": "http://p", "REQUEST_METHOD": "GET"}, ""),
        ("http://127.0.0.1:5000/", {"http_proxy": "http://p"}, ""),
        ("http://localhost/", {"http_proxy": "http://p"}, ""),
        *[
            ("https://a.example/", {"https_proxy": "http://p", "no_proxy": no}, "" if direct else "http://p")
            for no, direct in [
                *[("*", True), ("a.example", True), (".example", True), ("example", True), ("x, A.Example", True), ("*.example", True)],
                *[
                    ("a.example:443", True),
                    ("a.example:80", False),
                    ("b.example", False),
                    ("le", False),
                    ("", False),
                    ("10.0.0.0/8", False),
                ],
            ]
        ],
        *[
            ("https://10.1.2.3:8443/", {"https_proxy": "http://p", "NO_PROXY": no}, "" if direct else "http://p")
            for no, direct in [("10.0.0.0/8", True), ("10.1.2.3", True), ("10.1.2.3:8443", True), ("2.3", False), ("10.0.0.0/x", False)]
        ],
        ("https://[fd00::1]/", {"https_proxy": "http://p", "no_proxy": "fd00::/8"}, ""),
        ("https://[fd00::1]/", {"https_proxy": "http://p", "no_proxy": "fd00::1"}, ""),
        ("https://[fd00::1]/", {"https_proxy": "http://p", "no_proxy": "[fd00::1]:443"}, ""),
    ],
)
def test_which_proxy(url: str, environment: dict[str, str], proxy: str) -> None:
    assert hosts.proxy(hosts.parse(url, ""), environment) == proxy


# --- who is told a password -------------------------------------------------------------------------------------------------------


def asks(challenge: str) -> Callable[[BaseHTTPRequestHandler], bool]:
    def trouble(request: BaseHTTPRequestHandler) -> bool:
        if "/v2/" in request.path and "/v2/app/" not in request.path:
            return False
        reply(request, 401, WWW_Authenticate=challenge)
        return True

    return trouble


def test_a_password_goes_nowhere_without_tls(log: Log) -> None:
    with Proxy(trouble=asks('Bearer realm="http://tokens.example/token",service="x"')) as proxy:
        through = {"http_proxy": f"http://{proxy.host}"}
        error = fails(FAR, environment=through, insecure=(FAR,), creds=("alice", "s3cret"))
        assert (error.what, error.where) == ("a password is not sent without TLS", FAR)
        assert [path for path in proxy.asked if "tokens.example" in path] == []
        proxy.trouble = asks(f'Bearer realm="http://{log.host}/token",service="x"')
        assert "which is this machine" in fails(FAR, environment=through, insecure=(FAR,), creds=("alice", "s3cret")).what
    assert log.seen == []


def test_who_has_no_login_may_ask_for_a_token_anywhere_else() -> None:
    with Proxy(trouble=asks('Bearer realm="http://tokens.example/token?a=1",service="x"')) as proxy:
        error = fails(FAR, environment={"http_proxy": f"http://{proxy.host}"}, insecure=(FAR,))
        assert "http://tokens.example/token?a=1&service=x&scope=repository%3Aapp%3Apull" in proxy.asked
    assert "lets nobody in without a login" in error.what


def test_another_host_for_logins_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(hosts, "is_loopback", lambda host: host == "127.0.0.1" and told is None)
    monkeypatch.setattr(hosts, "check_reach", lambda *_, **__: None)
    certificate = Certificate(tmp_path, "tls")
    with TokenServer(Issuer(tmp_path), {"alice": "s3cret"}, certificate=certificate) as tokens:
        challenge = f'Bearer realm="https://{tokens.host.replace("127.0.0.1", "localhost")}/token",service="test-registry"'
        with TinyRegistry(certificate=certificate, trouble=asks(challenge)) as registry:
            error = fails(registry.host, ca=str(certificate.path), creds=("alice", "s3cret"), warn=told.append)
            assert "does not let this login in" in error.what
            assert told == [f"{registry.host} sends logins to another host: localhost"]
            told.clear()
            fails(registry.host, ca=str(certificate.path), warn=told.append)
            assert told == []  # nothing to be told


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"[]",
        b'{"token": 1}',
        b'{"token": "a b"}',
        b'{"token": "a\\r\\nX: y"}',
        b'{"token": "\xc3\xa9"}',
        b"[" * 9999,
        b'"x"',
        b"{" + b" " * 200_000,
    ],
)
def test_tokens_that_are_none(registry: TinyRegistry, said: bytes) -> None:
    challenge = asks(f'Bearer realm="http://{registry.host}/token"')
    registry.trouble = lambda request: answered(request, 200, said) if request.path.startswith("/token") else challenge(request)
    error = fails(registry.host)
    assert "is no token" in error.what or "larger than" in error.what


def test_a_token_server_that_is_out_of_order(registry: TinyRegistry) -> None:
    challenge = asks(f'Bearer realm="http://{registry.host}/token"')
    registry.trouble = lambda request: answered(request, 503) if request.path.startswith("/token") else challenge(request)
    error = fails(registry.host)
    assert (error.what, error.where) == ("the registry answers 503", f"{registry.host}: 127.0.0.1")
    assert len([path for _, path, _ in registry.seen if path.startswith("/token")]) == 5


def test_a_password_that_is_taken_back(registry: TinyRegistry) -> None:
    locked = asks('Basic realm="here"')
    registry.trouble = lambda request: "Authorization" not in request.headers and locked(request)
    client = Registry(registry.host, options(creds=("alice", "s3cret")))
    assert client.listed("app", f"sha256:{'0' * 64}") == []
    registry.trouble = locked
    with pytest.raises(HardenError, match="does not let this login in"):
        client.head("app", "v1")


def test_a_token_that_is_over_is_bought_again(registry: TinyRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []

    def trouble(request: BaseHTTPRequestHandler) -> bool:
        if request.path.startswith("/token"):
            given.append(f"t{len(given)}")
            return answered(request, 200, json.dumps({"access_token": given[-1], "expires_in": True}).encode())
        if not given or request.headers.get("Authorization") != f"Bearer {given[-1]}" or len(given) < 2:
            return asks(f'Bearer realm="http://{registry.host}/token"')(request)
        return False

    registry.trouble = trouble
    client = Registry(registry.host, options())
    for _ in range(2):  # the first token does not help, and is not asked about again
        with pytest.raises(HardenError):
            client.head("app", "v1")
    assert given == ["t0", "t1"]


@pytest.mark.parametrize(
    ("challenge", "what"),
    [
        ("", "asks for nothing that we know"),
        ("Negotiate", "asks for 'negotiate'"),
        ('Bearer service="x"', "asks for 'bearer'"),
        ('Negotiate, Digest realm="x"', "asks for 'negotiate', 'digest'"),
        ("Basic", "wants a login"),
        ('Bearer realm="nonsense"', "sends us to 'nonsense'"),
        ('Bearer realm="http://127.0.0.1/\x7f"', "sends us to"),
    ],
)
def test_ways_in_that_are_none(registry: TinyRegistry, challenge: str, what: str) -> None:
    registry.trouble = asks(challenge)
    assert what in fails(registry.host).what


def test_an_identity_token_does_not_follow_to_another_host(registry: TinyRegistry, tmp_path: Path) -> None:
    with TinyRegistry() as other:
        there = f"http://{other.host}/token"
        challenge = asks(f'Bearer realm="http://{registry.host}/token"')
        registry.trouble = lambda request: (
            answered(request, 307, Location=there) if request.path.startswith("/token") else challenge(request)
        )
        login = {"auth": base64.b64encode(b"alice:").decode(), "identitytoken": "s3cret"}
        (tmp_path / "config.json").write_text(json.dumps({"auths": {registry.host: login}}))
        error = fails(registry.host, docker_config=str(tmp_path))
        assert "sends a login on to 127.0.0.1" in error.what
        assert other.seen == []
    assert [method for method, path, _ in registry.seen if path == "/token"] == ["POST"]


def test_neither_netrc_nor_cookies_nor_other_certificates(registry: TinyRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password netrc\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "nowhere"))
    registry.trouble = lambda request: answered(request, 404, Set_Cookie="a=b")
    client = Registry(registry.host, options())
    for _ in range(2):
        with pytest.raises(HardenError):
            client.manifest("app", "v1")
    seen = [headers for _, _, headers in registry.seen]
    assert {"authorization", "cookie"} & {name for headers in seen for name in headers} == set()


# --- certificates -----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DebianRegistry]:
    folder = tmp_path_factory.mktemp("locked")
    layout = Layout(folder / "layout")
    layout.add(layout.image(tar(entry("a"))))
    with DebianRegistry(folder, tls=True) as registry:
        registry.push(layout.path, "app:v1")
        yield registry


def test_whom_we_trust(locked: DebianRegistry, tmp_path: Path) -> None:
    other = Certificate(tmp_path, "other")
    one_try = Patience(tries=1)
    Registry(locked.host, options()).head("app", "v1")  # this machine, as docker has it
    Registry(locked.host, options(ca=locked.ca)).head("app", "v1")
    with pytest.raises(HardenError, match="cannot be trusted: self-signed certificate") as error:
        Registry(locked.host, options(ca=str(other.path), patience=one_try)).head("app", "v1")
    assert "--ca FILE" in error.value.how
    Registry(locked.host, options(ca=str(other.path), insecure=(locked.host,))).head("app", "v1")
    folder = tmp_path / "certs.d" / locked.host
    folder.mkdir(parents=True)
    (folder / "ca.crt").write_bytes(other.path.read_bytes())
    docker = (str(tmp_path / "certs.d"),)
    with pytest.raises(HardenError, match="cannot be trusted"):
        Registry(locked.host, options(certificates=docker, patience=one_try)).head("app", "v1")
    (folder / "second.crt").write_bytes(Path(locked.ca).read_bytes())
    Registry(locked.host, options(certificates=docker)).head("app", "v1")
    (folder / "client.cert").write_bytes(other.path.read_bytes())
    with pytest.raises(HardenError, match="the key of this certificate is missing"):
        Registry(locked.host, options(certificates=docker)).head("app", "v1")
    (folder / "client.key").write_bytes(other.key_path.read_bytes())
    Registry(locked.host, options(certificates=docker)).head("app", "v1")
    (tmp_path / "none.pem").write_text("nonsense")
    for path, what in ((tmp_path / "none.pem", "no certificate that can be used"), (tmp_path / "nosuch", "cannot be read")):
        with pytest.raises(HardenError, match=what):
            Registry(locked.host, options(ca=str(path))).head("app", "v1")


def test_only_named_hosts_are_open() -> None:
    def is_open(host: str, *insecure: str, **more: Any) -> bool:
        return Endpoint(host, options(insecure=insecure, **more), lambda _: None).is_open

    assert is_open("127.0.0.1:5000")
    assert is_open("localhost")
    assert is_open("[::1]:5000")
    assert not is_open("127.0.0.1:5000", ca="file")
    assert is_open("127.0.0.1:5000", "127.0.0.1", ca="file")
    assert not is_open("a.example")
    assert not is_open("a.example", "b.example", "example", "a.example:5000")
    assert is_open("a.example", "A.example")
    assert is_open("a.example:5000", "a.example")
    assert is_open("a.example:5000", "a.example:5000")
    assert not is_open("127.0.0.1.example")


def test_tls_is_not_left_out_by_accident(registry: TinyRegistry, tmp_path: Path) -> None:
    with pytest.raises(HardenError, match=r"cannot be trusted|cannot be reached|does not answer"):
        Registry(registry.host, options(ca=str(Certificate(tmp_path, "tls").path), stall_s=0.2, connect_s=0.2)).head("app", "v1")
    assert registry.seen == []


# --- mirrors ----------------------------------------------------------------------------------------------------------------------


def test_a_mirror_is_asked_first_and_is_not_believed(registry: TinyRegistry, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "layout")
    layout.add(layout.image(tar(entry("a"))))
    digest = registry.push(layout.path, "team/app:v1")
    told: list[str] = []
    with TinyRegistry() as mirror:
        mirror.push(layout.path, "cache/team/app:v1")
        client = Registry(registry.host, options(mirrors=((registry.host, f"{mirror.host}/cache"),), creds=("a", "b"), warn=told.append))
        registry.seen.clear()
        mirror.seen.clear()
        content, media_type = client.manifest("team/app", digest)
        part = Descriptor.parse(json.loads(content)["layers"][0])
        with client.open_blob("team/app", part) as stream:
            layer = stream.read()
        assert registry.seen == []
        assert {path.partition("/v2/")[2].partition("/")[0] for _, path, _ in mirror.seen} == {"", "cache"}
        mirror.manifests["cache/team/app", digest] = (media_type, content + b" ")
        assert client.manifest("team/app", digest) == (content, media_type)
        assert told == [f"the mirror {mirror.host} does not help: what the registry sends is not {digest}"]
        config = Descriptor.parse(json.loads(content)["config"])
        kept = mirror.blobs[config.digest]
        assert client.document("team/app", config) == kept
        mirror.blobs[config.digest] = kept.replace(b"linux", b"lunix")
        assert client.document("team/app", config) == kept
        mirror.trouble = lambda request: answered(request, 401, WWW_Authenticate='Basic realm="mine"')
        assert client.head("team/app", "v1").digest == digest
        assert {headers.get("authorization") for _, _, headers in mirror.seen} == {None}
        mirror.trouble = lambda request: answered(request, 404)
        told.clear()
        with client.open_blob("team/app", part) as stream:
            assert stream.read() == layer
        assert told == []
        mirror.seen.clear()
        with client.open_blob("team/app", part, mirrors=False) as stream:
            assert stream.read() == layer
        assert mirror.seen == []
    with client.open_blob("team/app", part) as stream:  # a mirror that is gone
        assert stream.read() == layer
