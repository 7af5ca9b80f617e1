"""What `harden run` does with files: what is kept, named volumes, tmpfs that begins with what the root has."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from lives import Lives

BUSYBOX = Path("/bin/busybox")
needs_busybox = pytest.mark.skipif(not BUSYBOX.exists(), reason="needs busybox-static: a root of one file")


@pytest.fixture
def harden(folder: Path) -> Iterator[Lives]:
    lives = Lives(folder / "records")
    yield lives
    lives.end()


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
