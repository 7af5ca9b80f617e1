"""What a user types to reach a registry: logins, certificates, and what is said when it does not work."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_runner import Harden
from layouts import Layout, entry, tar
from registries import DebianRegistry

from hardener.images import platforms

USERS = {"alice": "s3cret"}


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DebianRegistry]:
    folder = tmp_path_factory.mktemp("locked")
    layout = Layout(folder / "layout")
    layout.add(layout.image(tar(entry("etc/motd", b"welcome\n")), architecture=str(platforms.machine().architecture)))
    with DebianRegistry(folder, tls=True, users=USERS) as registry:
        registry.push(layout.path, "team/app:v1")
        yield registry


@pytest.mark.parametrize("command", [("image", "layers"), ("pull",)])
def test_a_login_on_the_command_line(harden: Harden, locked: DebianRegistry, command: tuple[str, ...]) -> None:
    result = harden(*command, "--creds", "alice:s3cret", "--ca", locked.ca, f"docker://{locked.host}/team/app:v1")
    assert (result.code, result.err) == (0, "")


def test_a_password_on_standard_input(harden: Harden, locked: DebianRegistry) -> None:
    result = harden("image", "layers", "--creds", "alice", "--ca", locked.ca, f"docker://{locked.host}/team/app:v1", stdin="s3cret\n")
    assert (result.code, result.err) == (0, "")


def test_what_does_not_work_is_said_once_and_tells_no_password(harden: Harden, locked: DebianRegistry) -> None:
    name = f"docker://{locked.host}/team/app:v1"
    result = harden("image", "layers", "--creds", "alice:gu3ss", "--ca", locked.ca, name)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("harden: error: the registry does not let this login in\n")
    assert "gu3ss" not in result.err
    result = harden("image", "layers", "--ca", locked.ca, name)
    assert result.code == 2
    assert f"fix: --creds USER, or `docker login {locked.host}`" in result.err
    result = harden("image", "layers", "--creds", "alice:s3cret", "--ca", locked.ca, f"docker://{locked.host}/team/app:v2")
    assert result.code == 2
    assert f"the registry does not have it: MANIFEST_UNKNOWN: manifest unknown\n  at: {locked.host}/team/app:v2" in result.err


def test_a_login_that_docker_keeps(harden: Harden, locked: DebianRegistry, tmp_path: Path) -> None:
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "config.json").write_text(f'{{"auths": {{"{locked.host}": {{"auth": "YWxpY2U6czNjcmV0"}}}}}}')
    result = harden(
        "image", "layers", "--docker-config", str(tmp_path / "docker"), "--ca", locked.ca, f"docker://{locked.host}/team/app:v1"
    )
    assert (result.code, result.err) == (0, "")
