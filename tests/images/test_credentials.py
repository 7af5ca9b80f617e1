"""Logins, as `docker login`, `podman login` and credential helpers keep them."""

import base64
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from layouts import Layout, entry, tar
from registries import DebianRegistry

from hardener.errors import HardenError
from hardener.images import credentials
from hardener.images.registry import Registry, RegistryOptions

HUB = "docker.io"


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".config" / "containers").mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    return tmp_path


def environment(home: Path, **more: str) -> dict[str, str]:
    return {"HOME": str(home), "PATH": f"{home}/bin{os.pathsep}/usr/bin{os.pathsep}/bin", **more}


def write(home: Path, document: object) -> None:
    (home / ".docker" / "config.json").write_text(document if isinstance(document, str) else json.dumps(document))


def helper(home: Path, name: str, body: str) -> None:
    path = home / "bin" / f"docker-credential-{name}"
    path.write_text(f"#!{sys.executable}\nimport json, os, sys\nserver = sys.stdin.read()\n{body}\n")
    path.chmod(0o755)


def find(home: Path, registry: str, repository: str = "team/app", warn: list[str] | None = None, **more: str) -> str | None:
    variables = environment(home, **more)
    told = (warn if warn is not None else []).append
    found = credentials.find(registry, repository, credentials.files(variables), variables, told)
    return f"{found.username}:{found.password}:{found.identity_token}" if found else None


@pytest.mark.parametrize(
    ("auths", "registry", "found"),
    [
        ({"r.example": {"auth": coded("me:s3:cret")}}, "r.example", "me:s3:cret:"),
        ({"r.example": {"auth": coded("me:word\0\0")}}, "r.example", "me:word:"),
        ({"r.example": {"username": "me", "password": "word"}}, "r.example", "me:word:"),
        ({"https://r.example": {"auth": coded("me:word")}}, "r.example", "me:word:"),
        ({"https://r.example/v1/": {"auth": coded("me:word")}}, "r.example", "me:word:"),
        ({"http://r.example:5000/v2/": {"auth": coded("me:word")}}, "r.example:5000", "me:word:"),
        ({"r.example": {"auth": coded("me:"), "identitytoken": "abc"}}, "r.example", "me::abc"),
        ({"r.example": {"auth": coded("me:word")}}, "r.example:5000", None),
        ({"r.example": {"auth": coded("me:word")}}, "xr.example", None),
        ({"r.example": {}}, "r.example", None),
        ({"https://index.docker.io/v1/": {"auth": coded("me:word")}}, HUB, "me:word:"),
        ({"docker.io": {"auth": coded("me:word")}}, HUB, "me:word:"),
        ({"r.example": {"auth": coded("all:x")}, "r.example/team": {"auth": coded("team:x")}}, "r.example", "team:x:"),
        ({"r.example/team/app": {"auth": coded("app:x")}, "r.example/team": {"auth": coded("team:x")}}, "r.example", "app:x:"),
        ({"r.example/tea": {"auth": coded("tea:x")}}, "r.example", None),
    ],
)
def test_logins_in_a_file(home: Path, auths: dict[str, Any], registry: str, found: str | None) -> None:
    write(home, {"auths": auths})
    assert find(home, registry) == found


def test_which_file(home: Path) -> None:
    assert find(home, "r.example") is None
    (home / ".config" / "containers" / "auth.json").write_text(json.dumps({"auths": {"r.example": {"auth": coded("config:x")}}}))
    assert find(home, "r.example") == "config:x:"
    (home / "containers").mkdir()
    (home / "containers" / "auth.json").write_text(json.dumps({"auths": {"r.example": {"auth": coded("run:x")}}}))
    assert find(home, "r.example", XDG_RUNTIME_DIR=str(home)) == "run:x:"
    write(home, {"auths": {"r.example": {"auth": coded("docker:x")}}})
    assert find(home, "r.example", XDG_RUNTIME_DIR=str(home)) == "docker:x:"
    (home / "mine.json").write_text(json.dumps({"auths": {"r.example": {"auth": coded("mine:x")}}}))
    assert find(home, "r.example", REGISTRY_AUTH_FILE=str(home / "mine.json")) == "mine:x:"
    assert credentials.files(environment(home, DOCKER_CONFIG="/d"), "/named") == ("/named/config.json",)
    assert credentials.files({"DOCKER_CONFIG": "/d"}) == ("/d/config.json",)


ANSWER = 'json.dump({"ServerURL": server, "Username": "helped", "Secret": "by " + server}, sys.stdout)'


def test_helpers(home: Path) -> None:
    helper(home, "one", ANSWER)
    helper(home, "token", 'json.dump({"Username": "<token>", "Secret": "abc"}, sys.stdout)')
    helper(home, "empty", "print('credentials not found in native keychain')\nsys.exit(1)")
    known = {"auths": {"kept.example": {"auth": coded("me:word")}}}
    write(home, {"credHelpers": {"r.example": "one", "t.example": "token", "kept.example": "empty"}, "credsStore": "empty", **known})
    assert find(home, "r.example") == "helped:by r.example:"
    assert find(home, "t.example") == "::abc"
    assert find(home, "kept.example") == "me:word:"
    assert find(home, "none.example") is None
    write(home, {"credsStore": "one"})
    assert find(home, HUB) == "helped:by https://index.docker.io/v1/:"


def test_a_helper_that_is_not_installed_is_told(home: Path) -> None:
    write(home, {"credsStore": "desktop", "auths": {"r.example": {"auth": coded("me:word")}}})
    told: list[str] = []
    assert find(home, "r.example", warn=told) == "me:word:"
    assert told == [f"{home}/.docker/config.json: docker-credential-desktop is not installed, so that no login for r.example is known"]


@pytest.mark.parametrize(
    "body",
    [
        "print('the secret is s3cret')\nsys.exit(3)",
        "print('s3cret')",
        "print('[]')",
        'print(\'{"Username": 1, "Secret": "s3cret"}\')',
        'print(\'{"Username": "s3cret"}\')',
        "print('[' * 100000)",
    ],
)
def test_a_helper_that_fails_is_not_repeated(home: Path, body: str) -> None:
    helper(home, "bad", body)
    write(home, {"credsStore": "bad"})
    with pytest.raises(HardenError) as error:
        find(home, "r.example")
    assert error.value.where == "docker-credential-bad"
    assert "s3cret" not in str(error.value)


def test_a_helper_that_does_not_start_or_end(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home, {"credsStore": "bad"})
    (home / "bin" / "docker-credential-bad").write_text("#!/nowhere\n")
    (home / "bin" / "docker-credential-bad").chmod(0o755)
    with pytest.raises(HardenError, match="cannot be started"):
        find(home, "r.example")
    helper(home, "bad", "import time; time.sleep(60)")
    monkeypatch.setattr(credentials, "HELPER_S", 0.1)
    with pytest.raises(HardenError, match="did not answer"):
        find(home, "r.example")


@pytest.mark.parametrize(
    ("document", "what"),
    [
        ("{", "no JSON object"),
        ("[]", "no JSON object"),
        ("[" * 100_000, "no JSON object"),
        ("\xff", "no JSON object"),
        ({"auths": []}, ""),
        ({"auths": [1]}, "auths must be an object"),
        ({"credHelpers": "x"}, "credHelpers must be an object"),
        ({"credsStore": "../../bin/sh"}, "no name of a credential helper"),
        ({"credHelpers": {"r.example": 1}}, "no name of a credential helper"),
        ({"auths": {"r.example": "x"}}, "a login must be an object"),
        ({"auths": {"r.example": {"auth": "s3cret!"}}}, "cannot be decoded"),
        ({"auths": {"r.example": {"auth": coded("s3cret")}}}, "cannot be decoded"),
    ],
)
def test_files_that_are_broken(home: Path, document: object, what: str) -> None:
    write(home, document)
    if not what:
        assert find(home, "r.example") is None
        return
    with pytest.raises(HardenError, match=what) as error:
        find(home, "r.example")
    assert str(home) in error.value.where
    assert "s3cret" not in str(error.value)


def test_a_file_that_cannot_be_read_is_not_taken_for_none(home: Path) -> None:
    (home / ".docker" / "config.json").mkdir()
    with pytest.raises(HardenError, match="it cannot be read: Is a directory"):
        find(home, "r.example")


def test_a_login_shows_no_password() -> None:
    login = credentials.Login("me", "s3cret", "t0ken")
    assert repr(login) == "Login('me', …)"
    assert login.basic == f"Basic {coded('me:s3cret')}"


def test_logins_open_registries(home: Path, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "layout")
    layout.add(layout.image(tar(entry("a"))))
    folder = tmp_path / "registry"
    folder.mkdir()
    with DebianRegistry(folder, users={"alice": "s3cret"}, token=True) as registry:
        registry.push(layout.path, "team/app:v1")
        assert registry.tokens is not None
        registry.tokens.anonymous = False
        for document in (
            {"auths": {registry.host: {"auth": coded("alice:s3cret")}}},
            {"auths": {registry.host: {"auth": coded("alice:"), "identitytoken": "refresh-alice"}}},
        ):
            write(home, document)
            Registry(registry.host, RegistryOptions(docker_config=str(home / ".docker"), environment={})).head("team/app", "v1")
        assert registry.tokens.seen[-1][0] == "POST"
        write(home, {"auths": {registry.host: {"auth": coded("alice:"), "identitytoken": "refresh-mallory"}}})
        with pytest.raises(HardenError, match="does not let this login in"):
            Registry(registry.host, RegistryOptions(docker_config=str(home / ".docker"), environment={})).head("team/app", "v1")
