"""Ways out through what a user hands in: volumes that lead elsewhere, set-user-id programs, terminals and devices of an image."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from launching import config, launch

COMMAND = [sys.executable, "-m", "hardener", "run"]


def harden(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    "path",
    [
        "/etc",
        "//etc",
        "{}/etc",
        "{}/far/ssh",
        "{}/../..{}/etc",
        "/proc/self/root/etc",
        "/",
        "/dev",
        "/var/run",
        "/var/cache",
        "/var/lib/hardener",
        "{}/etc/passwd",
    ],
)
def test_a_volume_is_judged_by_where_it_leads(folder: Path, path: str) -> None:
    (folder / "etc").symlink_to("/etc")
    (folder / "far").symlink_to(folder / "etc")
    result = harden("-v", f"{path.format(folder, folder)}:/x:ro", "host", "ls", "/x")
    assert (result.returncode, result.stdout) in ((125, ""), (2, "")), result
    reasons = ("denied", "does not exist", "No such file", "hardener keeps the sockets of its own")
    assert any(reason in result.stderr for reason in reasons), result


def test_a_link_in_a_volume_leads_into_the_container(folder: Path) -> None:
    """What lies in a volume is looked up by the container, in its own root."""
    (folder / "data").mkdir()
    (folder / "secret").write_text("secret")
    for name, target in (("up", "../secret"), ("far", str(folder / "secret")), ("magic", f"/proc/1/root{folder}/secret")):
        (folder / "data" / name).symlink_to(target)
    result = harden("-v", f"{folder}/data:/data", "host", "sh", "-c", "cat /data/up /data/far /data/magic; cat /data/../data/../secret")
    assert "secret" not in result.stdout
    assert result.stderr.count("No such file") == 4


def test_a_volume_takes_no_program_with_the_rights_of_its_owner(folder: Path) -> None:
    """An id-mapped volume gives files to this machine's root: a set-user-id program among them would be a gift to an accomplice outside."""
    (folder / "data").mkdir(mode=0o777)
    script = "cp /bin/true /v/one; chmod 4755 /v/one; cp /bin/true /v/two; chmod u+s /v/two; install -m 6755 /bin/true /v/three; true"
    harden("-v", f"{folder}/data:/v", "host", "sh", "-c", script)
    made = {path.name: path.stat().st_mode & 0o6000 for path in (folder / "data").iterdir()}
    assert {"one", "two"} <= made.keys()
    assert set(made.values()) == {0}


@pytest.mark.parametrize("name", ["pts", "console", "ptmx", "null", "tty"])
def test_a_terminal_is_the_containers_own(root: Path, folder: Path, name: str) -> None:
    """CVE-2025-52565: /dev/pts or /dev/console of an image, laid as a link to this machine's terminals."""
    (root / "dev").mkdir()
    (root / "dev" / name).symlink_to(f"/proc/1/root/dev/{name}")
    master, slave = pty.openpty()
    mode = os.fstat(slave)
    result = launch(config(root, "/bin/sh", "-c", "tty; ls /dev/pts", process__terminal=True), folder)
    assert result.out.split() == ["/dev/pts/0", "0", "ptmx"], result
    assert (os.fstat(slave).st_uid, os.fstat(slave).st_mode) == (mode.st_uid, mode.st_mode)
    os.close(master)
    os.close(slave)
