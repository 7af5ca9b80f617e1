"""Roots and volumes that change under our hands while a container is set up (CVE-2017-1002101, CVE-2021-30465, CVE-2024-21626)."""

import ctypes
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from attacking import script
from launching import config, launch

from hardener.runtime import devices
from hardener.runtime.job import Rootfs

STARTS = 8
EXCHANGE = 2  # RENAME_EXCHANGE: one of the two names is there at every moment


@contextmanager
def swapping(first: Path, second: Path) -> Iterator[None]:
    """Have a process exchange two names as fast as it can."""
    library = ctypes.CDLL(None, use_errno=True)
    pid = os.fork()
    if pid == 0:
        while os.getppid() != 1:
            library.renameat2(-100, os.fsencode(first), -100, os.fsencode(second), EXCHANGE)
        os._exit(0)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@pytest.fixture
def outside(folder: Path) -> Path:
    path = folder / "outside"
    path.mkdir(mode=0o777)
    path.chmod(0o777)
    return path


def trap(inside: Path, target: str) -> tuple[Path, Path]:
    """Lay a folder and a link that leads out; return both."""
    (inside / "data").mkdir()
    (inside / "link").symlink_to(target)
    return inside / "data", inside / "link"


TARGETS = ("{outside}", "../../../../../../../../{outside}", "/proc/1/root{outside}")


def test_the_race_is_won_against_paths(root: Path, outside: Path) -> None:
    """The control: whoever makes a mount point by its path is led out sooner or later."""
    with swapping(*trap(root, str(outside))):
        for number in range(20_000):
            with suppress(OSError):
                (root / "data" / str(number)).mkdir()
            if os.listdir(outside):
                break
    assert os.listdir(outside)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("where", ["root", "volume"])
def test_mount_points_that_are_swapped(root: Path, folder: Path, outside: Path, target: str, where: str) -> None:
    inside = root
    document = config(root, "/bin/sh", "-c", "echo >/data/deep/er/ok; echo >/data/one/two/ok; pwd", root__readonly=False)
    document["process"]["cwd"] = "/data/three/four"
    if where == "volume":
        inside = folder / "volume"
        inside.mkdir()
        document["mounts"].append({"destination": "/v", "type": "bind", "source": str(inside), "options": ["rbind"]})
        (root / "data").symlink_to("v/data")
    document["mounts"].append({"destination": "/data/deep/er", "type": "tmpfs"})
    document["mounts"].append({"destination": "/data/one/two", "type": "bind", "source": str(root), "options": ["bind", "ro"]})
    ends = set()
    with swapping(*trap(inside, target.format(outside=outside))):
        for _ in range(STARTS):
            result = launch(document, folder)
            ends.add(result.code)
            assert result.code in (0, 125), result
    assert os.listdir(outside) == []
    assert not Path("/deep").exists()


def test_a_working_directory_that_is_swapped_for_a_descriptor_of_ours(root: Path, folder: Path, outside: Path) -> None:
    (outside / "marker").write_text("out")
    (root / "data").mkdir()
    (root / "data" / "marker").write_text("in")
    (root / "link").symlink_to("/proc/self/fd/90")

    def before() -> None:
        os.dup2(os.open(outside, os.O_PATH | os.O_DIRECTORY), 90)

    document = config(root, "/bin/cat", "marker", process__cwd="/data")
    with swapping(root / "data", root / "link"):
        results = [launch(document, folder, before=before) for _ in range(STARTS)]
    assert {result.out for result in results} <= {"in", ""}


@pytest.mark.parametrize("name", ["dev", "proc", "sys"])
def test_trusted_mount_points_that_are_swapped(root: Path, folder: Path, outside: Path, name: str) -> None:
    (root / name).mkdir()
    (root / "link").symlink_to(outside)
    document = config(root, "/bin/sh", "-c", "stat -f -c %T /proc /sys /dev", root__readonly=False)
    ends = set()
    with swapping(root / name, root / "link"):
        for _ in range(STARTS):
            result = launch(document, folder)
            assert "ext" not in result.out
            assert "overlay" not in result.out
            ends.add(result.error)
    assert os.listdir(outside) == []


def test_proc_that_is_moved_away_before_the_masks(root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CVE-2025-31133, -52881: what lies at /proc by then takes the masks, and the real one comes back without any."""
    (root / "proc").mkdir()
    asked, answered = os.pipe(), os.pipe()
    if os.fork() == 0:  # it works from this machine's side: inside, a mount point cannot be renamed
        os.read(asked[0], 1)
        (root / "proc").rename(root / "moved")
        (root / "proc" / "sys").mkdir(parents=True)
        os.write(answered[1], b"x")
        os._exit(0)
    null = devices.null

    def delayed() -> int:
        os.write(asked[1], b"x")
        os.read(answered[0], 1)
        return null()

    monkeypatch.setattr(devices, "null", delayed)
    result = launch(config(root, "/bin/true", root__readonly=False), folder)
    os.wait()
    for end in (*asked, *answered):
        os.close(end)
    assert "/proc of the container was moved while it was set up" in result.error


def test_a_program_that_is_swapped_for_the_launcher(root: Path, folder: Path) -> None:
    """CVE-2019-5736: whatever the race brings, this machine's interpreter is not there to be written, nor runs what the container says."""
    (root / "program").write_text("#!/bin/true\n")
    (root / "program").chmod(0o755)
    (root / "link").symlink_to("/proc/self/exe")
    document = config(root, "/program", "-c", "import os; os.open('/proc/self/exe', os.O_WRONLY); print('written')")
    with swapping(root / "program", root / "link"):
        results = [launch(document, folder) for _ in range(STARTS)]
    assert not [result for result in results if "written" in result.out]
    assert {result.code for result in results} <= {0, 1, 126}


@pytest.mark.parametrize("readonly", [True, False])
def test_a_user_database_that_is_swapped(root: Path, folder: Path, readonly: bool) -> None:
    """In an overlay, and without: a lower folder that changes may give errors, and nothing of this machine."""
    (root / "etc").mkdir()
    (root / "etc" / "passwd").write_text("root:x:0:0::/:/bin/sh\n")
    (root / "link").symlink_to("/etc/passwd")
    document: Any = config(root, *script("../probe.py"), root__readonly=readonly)
    document["process"]["args"] = ["/bin/sh", "-c", "cat /etc/passwd /link 2>/dev/null | sort -u"]
    with swapping(root / "etc" / "passwd", root / "link"):
        for _ in range(5):
            result = launch(document, folder, rootfs=Rootfs(upper="1m"))
            assert result.out in ("", "root:x:0:0::/:/bin/sh\n"), result
