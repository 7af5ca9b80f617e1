"""Roots that are traps: each would work against an executor that trusts what lies in an image."""

import os
import stat
from pathlib import Path

import pytest
from launching import PYTHON, config, launch

from hardener.errors import HardenError
from hardener.runtime import users

SH = ("/bin/sh", "-c")


@pytest.fixture
def outside(folder: Path) -> Path:
    path = folder / "outside"
    path.mkdir()
    path.chmod(0o1777)
    return path


@pytest.mark.parametrize("name", ["dev", "proc", "sys"])
@pytest.mark.parametrize("readonly", [True, False])
def test_a_trusted_mount_point_that_is_a_link(root: Path, folder: Path, outside: Path, name: str, readonly: bool) -> None:
    for target in (str(outside), "../outside", "/etc"):
        link = root / name
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        result = launch(config(root, "true", root__readonly=readonly), folder)
        assert result.code == 125
        assert f"/{name} of the container is a symbolic link" in result.error
    assert os.listdir(outside) == []


@pytest.mark.parametrize("target", ["{outside}", "../../../../../../{outside}", "/proc/self/root{outside}", "/proc/1/root/tmp"])
@pytest.mark.parametrize("readonly", [True, False])
def test_a_mount_point_that_leads_out(root: Path, folder: Path, outside: Path, target: str, readonly: bool) -> None:
    (root / "data").symlink_to(target.format(outside=outside))
    document = config(root, "true", root__readonly=readonly)
    document["mounts"].append({"destination": "/data/deep", "type": "tmpfs"})
    launch(document, folder)
    assert os.listdir(outside) == []
    assert not Path("/tmp/deep").exists()


def test_dev_entries_that_lead_out(root: Path, folder: Path, outside: Path) -> None:
    (root / "dev").mkdir()
    for name in ("null", "pts", "shm", "fd"):
        (root / "dev" / name).symlink_to(outside / name)
    document = config(root, *SH, "echo x >/dev/null", root__readonly=False)
    document["mounts"] = [mount for mount in document["mounts"] if mount["destination"] != "/dev"]
    launch(document, folder)
    assert os.listdir(outside) == []


def test_masks_are_of_the_real_null_device(root: Path, folder: Path) -> None:
    (root / "dev").mkdir()
    (root / "dev" / "null").symlink_to("/proc/sysrq-trigger")
    document = config(root, *SH, "head -c 10 /proc/keys | wc -c; stat -c %t:%T /proc/keys")
    assert launch(document, folder).out.split() == ["0", "1:3"]


def test_planted_modules_and_codecs_do_not_run(root: Path, folder: Path) -> None:
    for place in (f"{PYTHON}/lib/python3.11", "/usr/lib/python3", "/usr/lib/python3.11", "."):
        library = root / place.strip("/")
        (library / "encodings").mkdir(parents=True, exist_ok=True)
        for name in (
            "encodings/idna.py",
            "encodings/__init__.py",
            "encodings/latin_1.py",
            "difflib.py",
            "posixpath.py",
            "time.py",
            "traceback.py",
        ):
            (library / name).write_text("open('/tmp/ran', 'w')\nraise SystemExit(66)\n")
    document = config(root, *SH, "ls /tmp", hostname="ä" * 10, process__cwd="/")
    document["mounts"] = [mount for mount in document["mounts"] if mount["destination"] != PYTHON]
    result = launch(document, folder)
    assert (result.code, result.out) == (0, ""), result
    document["process"]["cwd"] = "/etc/none/\udcff"
    assert launch(document, folder).code in (0, 125)


def test_a_volume_that_is_a_link_is_where_it_leads_but_nothing_else(root: Path, folder: Path, outside: Path) -> None:
    (outside / "escape").symlink_to("/")
    document = config(root, *SH, "ls /data/escape/")
    document["mounts"].append({"destination": "/data", "source": str(outside), "type": "bind", "options": ["rbind", "ro"]})
    listed = launch(document, folder).out.split()
    assert "probe.py" in listed
    assert "home" not in listed


def test_devices_and_set_user_id_programs_of_an_image(root: Path, folder: Path) -> None:
    os.mknod(root / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    document = config(root, *SH, "echo x >/null", root__readonly=False)
    result = launch(document, folder)
    assert "Permission denied" in result.err


@pytest.fixture
def trap(root: Path) -> int:
    (root / "etc").mkdir()
    return os.open(root, os.O_PATH)


def lay(root: Path, kind: str) -> None:
    path = root / "etc" / "passwd"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))
    elif kind == "directory":
        path.mkdir()
    elif kind == "huge":
        path.write_bytes(b"x" * (users.LIMIT + 1))
    elif kind == "link out":
        path.symlink_to("../../../../../../../etc/passwd")
    elif kind == "loop":
        path.symlink_to("passwd")
    elif kind == "magic":
        path.symlink_to("/proc/self/environ")


@pytest.mark.parametrize("kind", ["pipe", "device", "directory", "huge", "loop"])
def test_a_user_database_that_is_a_trap(root: Path, trap: int, kind: str) -> None:
    lay(root, kind)
    try:
        with pytest.raises((HardenError, OSError), match=r"not a regular file|more than \d+ bytes|Too many levels"):
            users.database(trap, "/etc/passwd")
    finally:
        os.close(trap)


@pytest.mark.parametrize("kind", ["link out", "magic", "nothing"])
def test_a_user_database_that_leads_out_is_none(root: Path, trap: int, kind: str) -> None:
    lay(root, kind)
    try:
        assert users.database(trap, "/etc/passwd") == ""
    except (OSError, HardenError) as error:
        assert "Too many levels" in str(error)
    finally:
        os.close(trap)
