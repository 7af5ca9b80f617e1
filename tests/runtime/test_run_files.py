"""What `harden run` does with files: what is kept, named volumes, tmpfs that begins with what the root has."""

import shutil
from pathlib import Path

import pytest
from layouts import Layout, entry, tar
from layouts import folder as directory
from lives import Lives

from hardener.images import platforms

BUSYBOX = Path("/bin/busybox")
needs_busybox = pytest.mark.skipif(not BUSYBOX.exists(), reason="needs busybox-static: a root of one file")


@pytest.fixture
def small(root: Path) -> Path:
    """A root of busybox, and a folder with a file in it."""
    (root / "bin").mkdir()
    shutil.copy(BUSYBOX, root / "bin" / "sh")
    (root / "data").mkdir()
    (root / "data" / "file").write_text("of the root\n")
    return root


@needs_busybox
def test_what_is_written_is_kept_from_run_to_run(harden: Lives, small: Path, folder: Path) -> None:
    kept = str(folder / "kept")
    assert harden.do("run", "--rootfs", str(small), "--keep", kept, "--", "/bin/sh", "-c", "echo new >/data/file") == ""
    assert harden.do("run", "--rootfs", str(small), "--keep", kept, "--", "/bin/sh", "-c", "cat /data/file") == "new\n"
    assert (small / "data" / "file").read_text() == "of the root\n"


@needs_busybox
def test_a_detached_container_has_what_it_keeps_to_itself(harden: Lives, small: Path, folder: Path) -> None:
    kept = str(folder / "kept")
    harden.do("run", "-d", "--name", "one", "--rootfs", str(small), "--keep", kept, "--", "/bin/sh", "-c", "sleep 60")
    result = harden("run", "--rootfs", str(small), "--keep", kept, "--", "/bin/sh", "-c", ":")
    assert (result.returncode, "another container is writing to it" in result.stderr) == (125, True), result
    harden.do("rm", "-f", "one")
    assert harden.do("run", "--rootfs", str(small), "--keep", kept, "--", "/bin/sh", "-c", "echo free") == "free\n"


@needs_busybox
def test_a_named_volume_begins_with_what_the_root_has_and_outlives_its_containers(harden: Lives, small: Path) -> None:
    def run(*words: str) -> str:
        return harden.do("run", *words, "--rootfs", str(small), "--", "/bin/sh", "-c", "cat /data/file; echo more >>/data/file")

    assert run("-v", "vol:/data") == "of the root\n"
    assert run("--mount", "type=volume,source=vol,destination=/data") == "of the root\nmore\n"
    assert run("--tmpfs", "/data:tmpcopyup") == "of the root\n"
    assert run("--tmpfs", "/data") == ""
    assert harden.do("volume", "ls", "-q") == "vol\n"
    harden.do("run", "-d", "--name", "one", "-v", "vol:/data", "--rootfs", str(small), "--", "/bin/sh", "-c", "sleep 60")
    assert "at: one" in harden("volume", "rm", "vol").stderr
    harden.do("rm", "-f", "one")
    assert harden.do("volume", "rm", "vol") == "vol\n"


@needs_busybox
def test_an_image_layout_runs_as_it_says(harden: Lives, folder: Path) -> None:
    made = Layout(folder / "layout")
    base = tar(directory("bin"), entry("bin/sh", BUSYBOX.read_bytes(), mode=0o755), directory("etc"), entry("etc/old"))
    own = tar(
        entry("etc/passwd", b"app:x:7:8::/srv:/bin/sh\n"), entry("etc/.wh.old"), directory("srv", uid=7, gid=8), entry("srv/file", b"f\n")
    )
    config = {
        "User": "app",
        "Env": ["PATH=/bin", "WHO=image"],
        "Entrypoint": ["/bin/sh", "-c"],
        "Cmd": ["id -u; pwd; echo $WHO; test -e /etc/old || echo gone; cat file; echo x >/data/x"],
        "WorkingDir": "/srv",
        "Volumes": {"/data": {}},
    }
    architecture = str(platforms.machine().architecture)
    made.add(made.image(base, own, architecture=architecture, config=config), "1.0")
    made.add(made.image(base, architecture=architecture), "base")
    found = harden("run", "--rm", "--name", "one", f"{made.path}:1.0")
    assert found.stdout == "7\n/srv\nimage\ngone\nf\n", found
    assert harden.do("run", "-e", "WHO=me", f"{made.path}:1.0", "echo $WHO") == "me\n"
    assert harden.do("run", "--entrypoint", "/bin/sh", f"{made.path}:1.0", "-c", "echo entry") == "entry\n"
    assert len(list((folder / "records" / "cache" / "layers").glob("sha256-*"))) == 2  # shared by both
    assert (
        harden.do("run", "--mount", f"type=image,source={made.path}:1.0,destination=/img", f"{made.path}:base", "/bin/sh", "-c", "ls /img")
        != ""
    )
    assert "several images" in harden("run", str(made.path), "--", "/bin/sh").stderr
    for name in harden.do("volume", "ls", "-q").split():
        harden.do("volume", "rm", name)


@needs_busybox
def test_volumes_of_an_image_where_the_kernel_or_the_policy_mounts(harden: Lives, folder: Path) -> None:
    made = Layout(folder / "layout")
    base = tar(directory("bin"), entry("bin/sh", BUSYBOX.read_bytes(), mode=0o755), directory("tmp"), entry("tmp/of-the-image"))
    wanted = ["/proc", "/proc/x", "/sys", "/dev", "/dev/shm/", "/dev/pts", "/tmp", "/dev/\x1b[2J"]
    config = {
        "Cmd": ["/bin/sh", "-c", "test -r /proc/self/stat && test -c /dev/null && ls /tmp"],
        "Volumes": {path: {} for path in (*wanted, "/v\x1b[2J")},
    }
    made.add(made.image(base, architecture=str(platforms.machine().architecture), config=config))
    found = harden("run", str(made.path))
    assert (found.returncode, found.stdout) == (0, "of-the-image\n"), found
    told = [line for line in found.stderr.splitlines() if "is left out" in line]
    assert len(told) == len(wanted) - 1, found  # a tmpfs is as good as a volume, and begins with the same
    assert "\x1b" not in found.stderr
    assert harden.do("volume", "ls", "-q") == ""
    assert "\x1b" not in harden.do("run", "--dry-run", str(made.path))
