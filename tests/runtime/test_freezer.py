"""Containers are held still and go on; and whatever is in a group ends with it."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from launching import Running, config, launch

from hardener.errors import HardenError
from hardener.runtime import cgroups, container, freezer, group_ends, usage

TICKING = ("sh", "-c", "echo up; while :; do echo x; sleep 0.01; done")
APART = [{"type": kind} for kind in ("mount", "pid", "network", "ipc", "uts", "cgroup")]


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> None:
    plan: Callable[..., Any] = container.plan
    monkeypatch.setattr(container, "plan", lambda *args, **options: plan(*args, **options, freezer=True))


def groups(running: Running) -> list[str]:
    """Return the directories of the groups of a container that runs."""
    return [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/harden/test-{running.pid}")]


def end(running: Running) -> int:
    os.kill(running.pid, signal.SIGTERM)
    return running.end()


@pytest.mark.usefixtures("watched")
def test_a_container_is_held_still_and_goes_on(root: Path, folder: Path) -> None:
    running = Running(config(root, *TICKING), folder)
    running.until("x\nx\n")
    found = groups(running)
    assert not freezer.is_frozen(found)
    freezer.freeze(found, True)
    assert freezer.is_frozen(found)
    before = running.out.stat().st_size
    time.sleep(0.1)
    assert running.out.stat().st_size == before
    freezer.freeze(found, False)
    assert not freezer.is_frozen(found)
    deadline = time.monotonic() + 90
    while running.out.stat().st_size == before:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert end(running) == 143


@pytest.mark.usefixtures("watched")
def test_what_is_held_still_can_be_killed(root: Path, folder: Path) -> None:
    running = Running(config(root, *TICKING), folder)
    running.until("x\n")
    found = groups(running)
    freezer.freeze(found, True)
    for directory in found:
        group_ends.kill(directory)
    assert running.end() == 137
    assert groups(running) == []


@pytest.mark.usefixtures("watched")
def test_a_container_that_does_not_become_still_goes_on(root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = Running(config(root, *TICKING), folder)
    running.until("x\n")
    monkeypatch.setattr(freezer, "_is", lambda directory, frozen: False)
    with pytest.raises(HardenError, match=r"not still after 0\.01 s, and go on"):
        freezer.freeze(groups(running), True, patience_s=0.01)
    monkeypatch.undo()
    size = running.out.stat().st_size
    deadline = time.monotonic() + 90
    while running.out.stat().st_size == size:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert end(running) == 143


def test_without_a_group_nothing_can_be_held_still(tmp_path: Path) -> None:
    with pytest.raises(HardenError, match="no cgroup that could be frozen"):
        freezer.freeze([str(tmp_path)], True)
    assert not freezer.is_frozen([str(tmp_path), "/nowhere"])


@pytest.mark.usefixtures("watched")
def test_what_a_container_uses_is_counted(root: Path, folder: Path) -> None:
    script = "echo up; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo done; sleep 60"
    running = Running(config(root, "sh", "-c", script), folder)
    running.until("done")
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    seen = usage.usage(groups(running), int(children[0]))
    assert end(running) == 143
    assert seen.cpu_ns is not None and 1_000_000 < seen.cpu_ns < 60_000_000_000
    assert seen.memory is not None and 10_000 < seen.memory < 256 << 20
    assert (seen.memory_limit, seen.pids) == (256 << 20, 2)
    assert (seen.received, seen.sent) == (0, 0)
    gone = usage.usage(["/nowhere"], 1 << 22)
    assert [getattr(gone, name) for name in usage.Usage.__slots__] == [None] * 8


def test_bytes_of_disks_and_networks() -> None:
    assert usage.disks("8:0 Read 5\n8:0 Write 7\n8:0 Sync 12\n8:16 Read 1\nTotal 13\n") == (6, 7)
    assert usage.disks("8:0 rbytes=5 wbytes=7 rios=1 wios=1 dbytes=0 dios=0\n8:16 rbytes=1\n") == (6, 7)
    table = "Inter-| Receive\n face |bytes\n    lo: 9 0 0 0 0 0 0 0 9 0 0 0 0 0 0 0\n  eth0: 5 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0\n"
    assert usage.network(table) == (5, 7)
    assert usage.network("") == (None, None)


def test_processes_that_outlive_the_first_one_end_with_the_container(root: Path, folder: Path) -> None:
    document = config(
        root,
        "sh",
        "-c",
        "sleep 987 & echo $!; exit 3",
        linux__namespaces=[one for one in APART if one["type"] != "pid"],
        linux__uidMappings=None,
    )
    result = launch(document, folder)
    assert (result.code, result.error) == (3, "")
    left = [path for path in Path("/proc").glob("[0-9]*/cmdline") if b"sleep\0987\0" in _read(path)]
    assert left == []


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _mounted(root: Path, script: str, *options: str) -> dict[str, Any]:
    document = config(root, "sh", "-c", script, linux__namespaces=APART, linux__uidMappings=None, linux__gidMappings=None)
    document["mounts"].append({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": list(options)})
    return document


def test_only_its_own_groups_are_shown(root: Path, folder: Path) -> None:
    result = launch(
        _mounted(root, "find /sys/fs/cgroup -name '*.procs'; mkdir /sys/fs/cgroup/x /sys/fs/cgroup/*/x; cut -d: -f3 /proc/self/cgroup"),
        folder,
    )
    found = [line for line in result.out.splitlines() if line.startswith("/sys")]
    assert len(found) == len({path.rpartition("/")[0] for path in found})
    depth = 1 if not cgroups.read_layout().v1 else 2
    assert {path.removeprefix("/sys/fs/cgroup/").count("/") + 1 for path in found} <= {depth}
    assert {line for line in result.out.splitlines() if not line.startswith("/sys")} == {"/"}


def test_groups_made_inside_end_with_the_container(root: Path, folder: Path) -> None:
    script = """for top in /sys/fs/cgroup /sys/fs/cgroup/pids /sys/fs/cgroup/unified; do
        test -e $top/cgroup.procs || continue
        mkdir -p $top/inner/deep && sh -c "echo \\$\\$ > $top/inner/deep/cgroup.procs; exec sleep 987" & done
        sleep 0.3; cat /proc/*/cgroup | grep -c inner/deep"""
    document = _mounted(root, script, "rw")
    document["linux"]["namespaces"] = [one for one in APART if one["type"] not in ("pid", "cgroup")]
    result = launch(document, folder)
    assert int(result.out) >= 1, result
    assert not list(Path("/sys/fs/cgroup").glob("**/inner/deep"))
