"""Containers of ordinary users, as they start them: with a range of ids, without one, and without the helper that maps it."""

import json
import os
from pathlib import Path

import pytest
from dangers_seen import NOTHING, SCRIPT, given
from ordinary import PYTHON, RANGE, UID, User


@pytest.fixture(params=["", f"{RANGE}\n"], ids=["one id", "a range"])
def user(request: pytest.FixtureRequest, folder: Path) -> User:
    return User(folder, ranges=request.param)


@pytest.fixture
def single(folder: Path) -> User:
    return User(folder)


@pytest.fixture
def ranged(folder: Path) -> User:
    return User(folder, ranges=f"{RANGE}\n")


@pytest.mark.parametrize("policy", ["default", "strict"])
def test_nothing_is_possible(user: User, policy: str) -> None:
    root = [] if policy == "default" or not (user.folder / "subuid").read_text() else ["--user", "nobody"]
    done = user.run("--policy", policy, *root, "host", "--", PYTHON, "-I", "-S", "-", given(), text=SCRIPT)
    if policy == "strict" and not root:
        assert (done.returncode, "root" in done.stderr) == (125, True)  # there is nobody else to be
        return
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == NOTHING


def test_who_one_is(user: User) -> None:
    maps = "0 1 1" if not (user.folder / "subuid").read_text() else "0 1 1\n1 300000 65536"
    done = user.run("host", "sh", "-c", "id -u; id -g; cat /proc/self/uid_map; exit 3")
    assert (done.returncode, [" ".join(line.split()) for line in done.stdout.splitlines()]) == (3, ["0", "0", *maps.splitlines()])


def test_what_one_owns(user: User) -> None:
    work = user.home / "work"
    work.mkdir()
    os.chown(work, UID, UID)
    script = "umask 022; id -u >made && ls -ln made && cat /proc/mounts; touch /usr/x /etc/x /x; ls -A /home /root"
    done = user.run("--volume", f"{work}:/src", "--workdir", "/src", "host", "sh", "-c", script)
    assert (work / "made").read_text() == "0\n", done
    assert (work / "made").stat().st_uid == UID
    assert done.stdout.split()[2:4] == ["0", "0"]
    assert done.stdout.endswith("/home:\n\n/root:\n")
    assert done.stderr.count("Read-only file system") == 3
    # Nothing of this machine but what was asked for may be written to.
    mounts = [line.split() for line in done.stdout.splitlines() if line.startswith("/dev/")]
    assert [row[1] for row in mounts if "rw" in row[3].split(",")] == ["/src"]


def test_somebody_else_takes_a_range(single: User) -> None:
    done = single.run("--user", "nobody", "host", "true")
    assert done.returncode == 125
    assert "needs a range in /etc/subuid" in done.stderr


def test_somebody_else(ranged: User) -> None:
    assert ranged.run("--user", "nobody", "host", "id", "-u").stdout == "65534\n"


def test_without_the_helper(folder: Path) -> None:
    helper = "/usr/bin/newuidmap"
    if not Path(helper).exists():
        pytest.skip(f"needs {helper}")
    done = User(folder, ranges=f"{RANGE}\n", hidden=helper).run("host", "true")
    assert done.returncode == 125
    assert f"{helper}: Permission denied" in done.stderr


def test_a_root_with_mounts_below_it_is_not_written_over(single: User) -> None:
    done = single.run("--writable", "host", "true")
    assert done.returncode == 125
    assert "an ordinary user cannot write over a root with mounts below it" in done.stderr


def test_limits_that_cannot_be_set_are_said(single: User) -> None:
    done = single.harden("run", "host", "true")
    assert (done.returncode, "--allow-unenforced memory" in done.stderr) == (125, True)
