"""What every test of the executor gets: a root, and the promise that nothing of a container remains."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from lives import Lives


def _groups() -> list[Path]:
    # Ours by name, without looking around: those of others come and go.
    mounts = [Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").iterdir()]
    return [path for mount in mounts if (path := mount / "harden" / f"test-{os.getpid()}").exists()]


OURS = f"harden-test-{os.getpid()}-"


def _mounts() -> set[str]:
    # Ours by name: those of others, of tests in another process for one, come and go.
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    marks = (OURS, os.environ["HARDENER_ROOT"])
    return {" ".join(line.split()[2:6]) for line in lines if any(mark in line for mark in marks)}


def _children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


@pytest.fixture(autouse=True)
def _nothing_remains() -> Iterator[None]:
    before = _mounts(), _children(), len(os.listdir("/proc/self/fd"))
    yield
    assert (_mounts(), _children(), len(os.listdir("/proc/self/fd"))) == before
    assert _groups() == []


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder that every user can reach, as pytest's own is not."""
    path = Path(tempfile.mkdtemp(prefix=OURS))
    path.chmod(0o1777)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def root(folder: Path) -> Path:
    """Return an empty root filesystem."""
    path = folder / "root"
    path.mkdir()
    return path


@pytest.fixture
def harden(folder: Path) -> Iterator[Lives]:
    """Return the program with records of its own, in which no container is left."""
    lives = Lives(folder / "records")
    yield lives
    lives.end()


@pytest.fixture
def theirs(folder: Path) -> Iterator[Lives]:
    """Return the program with records of another user, as whom it runs."""
    if os.geteuid() != 0:
        pytest.skip("becomes another user")
    home = folder / "theirs"
    home.mkdir(mode=0o700)
    os.chown(home, 4321, 4321)
    lives = Lives(home / "records", uid=4321)
    if not lives.can_run():
        pytest.skip(f"{sys.executable} cannot be executed by others")
    yield lives
    lives.end()
