"""What a launch that asks for nothing imports: every module costs a quarter of a millisecond at each start, and `re` alone six."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import stored

ROOT = Path(__file__).parents[2]
START = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from hardener.cli import start; start()"

# Of the standard library. Parts of the interpreter itself, but for __future__.
FOREIGN = {"__future__", "_blake2", "_ctypes", "_json", "atexit", "gc", "posix", "sys", "time"}
# Of ours. What only some launches need is not among them: no policy is read, no filter compiled, no error explained.
PACKAGES = {"cli", "errors", "launch", "linux", "oci", "policies", "runtime"}
LATE = {
    *("hardener.linux.bpf", "hardener.linux.filters", "hardener.linux.syscalls", "hardener.linux.ebpf"),
    *("hardener.policies.enforce", "hardener.policies.load", "hardener.policies.runtime", "hardener.policies.seccomp"),
    *("hardener.runtime.enter", "hardener.runtime.lifecycle", "hardener.runtime.state", "hardener.runtime.supervisor"),
}
MOST = 64


def imported(*options: str, root: str = "host") -> set[str]:
    """Return what a launch imports beyond what the interpreter itself does."""
    command = [sys.executable, *options, "-X", "importtime", "-c"]
    run = subprocess.run([*command, START, "run", root, "/bin/true"], capture_output=True, text=True, check=True)
    bare = subprocess.run([*command, "pass"], capture_output=True, text=True, check=True)
    names = [set(re.findall(r"^import time:.*\|\s+(\S+)$", text, re.MULTILINE)) for text in (run.stderr, bare.stderr)]
    return names[0] - names[1]


def test_a_launch_imports_what_it_needs_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARDENER_ROOT", str(tmp_path))
    first = imported()
    assert "hardener.policies.load" in first  # nothing is kept yet
    later = imported("-I", "-S")
    ours = {name for name in later if name.partition(".")[0] == "hardener"}
    assert later - ours - FOREIGN == set()
    assert {name.split(".")[1] for name in ours if "." in name} <= PACKAGES
    assert ours & LATE == set()
    assert len(ours) <= MOST, sorted(ours)


@pytest.mark.skipif(not stored.BUSYBOX.exists(), reason="needs busybox-static: an image of one file")
def test_a_launch_of_an_image_imports_no_more_than_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARDENER_ROOT", str(tmp_path / "records"))
    made = stored.layout(tmp_path / "layout", **{"app:v1": "one"})
    words = [sys.executable, "-c", START]
    subprocess.run([*words, "load", "-i", str(made.path)], check=True, capture_output=True)
    first = imported(root="app:v1")
    assert "hardener.images.unpack" in first
    later = imported("-I", "-S", root="app:v1")
    ours = {name for name in later if name.partition(".")[0] == "hardener"}
    assert later - ours - FOREIGN - {"fcntl"} == set()
    of_images = {name for name in ours if name.startswith(("hardener.images", "hardener.launch.images", "hardener.launch.stock"))}
    assert of_images == {"hardener.images", "hardener.images.store", "hardener.launch.images", "hardener.launch.stock"}
