"""Images come from a running Docker engine, wherever `docker` would look for it; and from the real one."""

import hashlib
import json
import stat
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from certificates import Certificate
from engines import DockerDaemon, FakeEngine, saved_image
from layouts import entry, tar
from registries import reply

from hardener.errors import HardenError
from hardener.images import engine_hosts, find, platforms
from hardener.images.image import Image
from hardener.images.registry import RegistryOptions

MACHINE = str(platforms.machine().architecture)
LAYER = tar(entry("etc/motd", b"welcome\n"))
ID, ARCHIVE = saved_image(LAYER, architecture=MACHINE, user="app", tags=("app:latest",))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[FakeEngine]:
    with FakeEngine(tmp_path) as made:
        made.images = {"app:latest": ARCHIVE, "registry.example:5000/team/app:v1": ARCHIVE, ID: ARCHIVE, ID[7:19]: ARCHIVE}
        yield made


def get(name: str, **environment: str) -> Image:
    return find.find(f"docker-daemon:{name}", options=RegistryOptions(environment=environment, stall_s=5.0))


def fails(name: str, **environment: str) -> HardenError:
    with pytest.raises(HardenError) as error:
        get(name, **environment)
    return error.value


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("app", "app:latest"),
        ("app:latest", "app:latest"),
        ("registry.example:5000/team/app:v1", "registry.example:5000/team/app:v1"),
        (ID, ID),
        (ID[7:19], ID[7:19]),  # known by no name, so by its id
    ],
)
def test_an_image_by_name_and_by_id(engine: FakeEngine, name: str, asked: str) -> None:
    image = get(name, DOCKER_HOST=engine.url)
    assert (image.name, image.defaults.user) == (f"docker-daemon:{name}", "app")
    with image.source.open(image.layers[0].descriptor) as stream:
        assert stream.read() == LAYER
    assert image.layers[0].diff_id == f"sha256:{hashlib.sha256(LAYER).hexdigest()}"
    assert engine.asked[-1] == f"/images/{asked}/get"


def test_an_image_that_the_engine_does_not_have(engine: FakeEngine) -> None:
    error = fails("nosuch", DOCKER_HOST=engine.url)
    assert (error.what, error.where) == ("the engine has no image 'nosuch'", engine.url)
    assert engine.asked == ["/images/nosuch:latest/json", "/images/nosuch/json"]


def test_an_engine_over_tls_that_wants_to_know_us(tmp_path: Path) -> None:
    certificate = Certificate(tmp_path / "certificates", "engine")
    for name, path in (("ca", certificate.path), ("cert", certificate.path), ("key", certificate.key_path)):
        (tmp_path / "certificates" / f"{name}.pem").write_bytes(path.read_bytes())
    folder = str(tmp_path / "certificates")
    with FakeEngine(tmp_path, certificate) as engine:
        engine.images["app:latest"] = ARCHIVE
        named = {"DOCKER_HOST": engine.url, "DOCKER_CERT_PATH": folder}
        assert get("app", **named, DOCKER_TLS_VERIFY="1").defaults.user == "app"
        (tmp_path / "certificates" / "ca.pem").unlink()
        assert "certificate verify failed" in fails("app", **named, DOCKER_TLS_VERIFY="1").what
        assert get("app", **named, DOCKER_TLS="1").defaults.user == "app"  # as asked for: any certificate
        assert "does not answer" in fails("app", DOCKER_HOST=engine.url).what
        (tmp_path / "certificates" / "cert.pem").write_text("nonsense")
        assert fails("app", **named, DOCKER_TLS_VERIFY="1").where == folder


SSH = """#!{python}
import os, select, socket, sys
print(*sys.argv[1:], sep="\\n", file=open({log!r}, "w"))
{before}
engine = socket.socket(socket.AF_UNIX)
engine.connect({path!r})
while True:
    for ready in select.select([0, engine], [], [])[0]:
        piece = os.read(0, 65536) if ready == 0 else engine.recv(65536)
        if not piece:
            sys.exit()
        engine.sendall(piece) if ready == 0 else os.write(1, piece)
"""


def test_an_engine_through_ssh(engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, log = tmp_path / "bin" / "ssh", tmp_path / "log"
    program.parent.mkdir()
    program.write_text(SSH.format(python=sys.executable, log=str(log), path=engine.path, before=""))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    assert get("app", DOCKER_HOST="ssh://me@far.example:2222/run/docker.sock").defaults.user == "app"
    said = log.read_text().split("\n")
    assert said[:-1] == [
        *["-T", "-o", "ConnectTimeout=15", "-l", "me", "-p", "2222", "--", "far.example"],
        *["docker", "--host", "unix:///run/docker.sock", "system", "dial-stdio"],
    ]
    assert get("app", DOCKER_HOST="ssh://far.example").defaults.user == "app"
    assert log.read_text().split("\n")[3:-1] == ["--", "far.example", "docker", "system", "dial-stdio"]
    program.write_text(
        SSH.format(python=sys.executable, log=str(log), path=engine.path, before="sys.exit('Permission denied (publickey).')")
    )
    assert fails("app", DOCKER_HOST="ssh://far.example").what == "the engine does not answer: Permission denied (publickey)."
    program.unlink()
    assert fails("app", DOCKER_HOST="ssh://far.example").what == "there is no ssh"


def test_an_engine_by_context(engine: FakeEngine, tmp_path: Path) -> None:
    meta = tmp_path / "docker" / "contexts" / "meta" / hashlib.sha256(b"work").hexdigest()
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Name": "work", "Endpoints": {"docker": {"Host": engine.url}}}))
    config = tmp_path / "docker" / "config.json"
    config.write_text('{"currentContext": "work"}')
    where = {"DOCKER_CONFIG": str(tmp_path / "docker")}
    assert get("app", **where).defaults.user == "app"
    config.unlink()
    assert get("app", **where, DOCKER_CONTEXT="work").defaults.user == "app"
    assert "there is no context 'home'" in fails("app", **where, DOCKER_CONTEXT="home").what
    (meta / "meta.json").write_text('{"Endpoints": {}}')
    assert "names no engine" in fails("app", **where, DOCKER_CONTEXT="work").what
    (meta / "meta.json").write_text("[]")
    assert fails("app", **where, DOCKER_CONTEXT="work").where == str(meta / "meta.json")


def context(folder: Path, host: str, **more: Any) -> None:
    key = hashlib.sha256(b"tls").hexdigest()
    (folder / "contexts" / "meta" / key).mkdir(parents=True)
    (folder / "contexts" / "tls" / key / "docker").mkdir(parents=True)
    (folder / "contexts" / "meta" / key / "meta.json").write_text(json.dumps({"Endpoints": {"docker": {"Host": host, **more}}}))


def test_where_engines_are(tmp_path: Path) -> None:
    def seen(**environment: str) -> tuple[str, str, int, str, str, bool]:
        found = engine_hosts.find({"HOME": "/home/me", **environment})
        return (found.kind, found.host or found.path, found.port, found.user, found.tls, found.verify)

    assert seen() == ("unix", "/var/run/docker.sock", 2375, "", "", True)
    assert seen(DOCKER_HOST="tcp://far.example") == ("tcp", "far.example", 2375, "", "", True)
    assert seen(DOCKER_HOST="tcp://[::1]:99", DOCKER_TLS_VERIFY="1") == ("tcp", "::1", 99, "", "/home/me/.docker", True)
    assert seen(DOCKER_HOST="tcp://far.example", DOCKER_TLS="1", DOCKER_CERT_PATH="/c") == ("tcp", "far.example", 2376, "", "/c", False)
    assert seen(DOCKER_HOST="ssh://me@far.example") == ("ssh", "far.example", 2375, "me", "", True)
    context(tmp_path, "tcp://far.example", SkipTLSVerify=True)
    tls = str(tmp_path / "contexts" / "tls" / hashlib.sha256(b"tls").hexdigest() / "docker")
    assert seen(DOCKER_CONFIG=str(tmp_path), DOCKER_CONTEXT="tls") == ("tcp", "far.example", 2376, "", tls, False)
    assert seen(DOCKER_HOST="unix:///e.sock", DOCKER_CONFIG=str(tmp_path), DOCKER_CONTEXT="tls")[1] == "/e.sock"


@pytest.mark.parametrize(
    "url",
    [
        *[
            "far.example",
            "tcp://",
            "npipe:////./pipe/docker_engine",
            "unix://relative",
            "tcp://host:port",
            "tcp://host/path",
            "tcp://me@host",
        ],
        *["ssh://-oProxyCommand=x", "ssh://-lroot@host", "ssh://me;x@host", "ssh://host/$(x)", "ssh://host/a b", "tcp://host\x1b"],
    ],
)
def test_what_is_no_engine(url: str) -> None:
    error = fails("app", DOCKER_HOST=url)
    assert error.where == "DOCKER_HOST"
    assert "ssh://[USER@]HOST" in error.how


def test_engines_that_are_not_there_or_misbehave(engine: FakeEngine, tmp_path: Path) -> None:
    assert fails("app", DOCKER_HOST=f"unix://{tmp_path}/nosuch").what == f"there is no {tmp_path}/nosuch"
    (tmp_path / "file").touch()
    assert "cannot be reached" in fails("app", DOCKER_HOST=f"unix://{tmp_path}/file").what

    def answer(request: BaseHTTPRequestHandler) -> bool:
        reply(request, 500, b'{"message": "out of\\norder"}')
        return True

    engine.trouble = answer
    assert fails("app", DOCKER_HOST=engine.url).what == "the engine answers 500: out of order"
    engine.trouble = lambda request: request.path.endswith("/get") and answer(request)
    assert fails("app", DOCKER_HOST=engine.url).what == "the engine answers 500: out of order"

    def cut(request: BaseHTTPRequestHandler) -> bool:
        if request.path.endswith("/get"):
            request.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n" + ARCHIVE[:100])
            request.close_connection = True
        return request.path.endswith("/get")

    engine.trouble = cut
    assert "the engine does not answer" in fails("app", DOCKER_HOST=engine.url).what

    def short(request: BaseHTTPRequestHandler) -> bool:
        if request.path.endswith("/get"):
            reply(request, 200, ARCHIVE[:700])
        return request.path.endswith("/get")

    engine.trouble = short
    assert "docker-daemon:app" in fails("app", DOCKER_HOST=engine.url).where

    def endless(request: BaseHTTPRequestHandler) -> bool:
        reply(request, 404, b'{"message": "' + b"x" * (2 << 20) + b'"}')
        return True

    engine.trouble = endless
    assert "more than it should" in fails("app", DOCKER_HOST=engine.url).what


@pytest.mark.peer
def test_an_image_of_the_real_engine(tmp_path: Path) -> None:
    with DockerDaemon(tmp_path) as daemon:
        made = daemon.docker("import", "-c", "USER app", "-", "team/app:v1", content=LAYER)
        assert made.returncode == 0, made.stderr
        assert daemon.docker("tag", "team/app:v1", "team/app:v2").returncode == 0
        for name in ("team/app:v1", "team/app:v2", made.stdout.decode().strip()):
            image = get(name, DOCKER_HOST=daemon.url)
            assert image.defaults.user == "app"
            with image.source.open(image.layers[0].descriptor) as stream:
                assert b"welcome" in stream.read()
        assert fails("team/app", DOCKER_HOST=daemon.url).what == "the engine has no image 'team/app'"
    assert stat.S_ISDIR((tmp_path / "data").stat().st_mode)
