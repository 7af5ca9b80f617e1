"""`harden inspect`: what it says is what the kernel says, not what was planned."""

import json
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest
from forked import forked
from launching import Running, config
from lives import Lives, until

from hardener.cli import inspect
from hardener.errors import HardenError
from hardener.linux import procfs
from hardener.runtime import cgroups, walls

SH = ("/bin/sh", "-c")


def seen(lives: Lives, *words: str) -> dict[str, dict[str, Any]]:
    (report,) = json.loads(lives.do("inspect", *words))
    return {wall["wall"]: wall for wall in report["walls"]}


def test_every_wall_of_the_default_is_closed(harden: Lives) -> None:
    harden.do("run", "-d", "--name", "one", "--memory", "64m", "host", "sleep", "100")
    found = seen(harden, "one")
    assert {name for name, wall in found.items() if not wall["closed"]} <= {"security label", "Landlock"}
    assert {name: wall["state"] for name, wall in found.items()}.items() >= {
        **{f"{kind} namespace": "own" for kind in ("user", "mount", "pid", "network", "ipc", "uts", "cgroup", "time")},
        "capabilities": "none",
        "no new privileges": "on",
        "system calls": "filtered",
        "root": "read-only",
        "memory": "64 MiB",
        "processes": "256",
        "processors": "1",
        "core dumps": "off",
        "kernel parameters": "read-only",
        "this machine's files": "none",
    }.items()
    assert "interfaces lo" in found["network namespace"]["detail"]
    assert "uid 0-65535 is 100000-165535" in found["user namespace"]["detail"]
    assert "/tmp (tmpfs 64 MiB)" in found["writable places"]["detail"]
    assert {"/proc/keys", "/sys/firmware"} <= {*found["masked files"]["detail"].split()}
    assert found["devices"]["detail"] == "full null random tty urandom zero"
    table = harden.do("inspect", "--format", "table", "one")
    assert table.startswith(f"one is running: process {harden.record('one')['pid']}, image host, policy default\nWALL ")
    assert re.search("\ncapabilities +none +all five sets are empty\n", table)


def test_what_is_looser_is_said(harden: Lives) -> None:
    harden.do("run", "-d", "--name", "one", "--cap-add", "NET_ADMIN", "--network", "host", "--writable", "host", "sleep", "100")
    found = seen(harden, "one")
    opened = {name for name, wall in found.items() if not wall["closed"]}
    assert opened - {"security label", "Landlock"} == {"network namespace", "capabilities", "root"}
    assert found["capabilities"]["state"] == "1 held"
    assert found["capabilities"]["detail"].endswith(": NET_ADMIN")
    (report,) = json.loads(harden.do("inspect", "one"))
    assert any("NET_ADMIN" in line for line in report["looser"])
    assert "looser than policy" in harden.do("inspect", "--format", "table", "one")


def test_one_that_has_ended_shows_its_plan(harden: Lives) -> None:
    harden.do("run", "-d", "--name", "one", "host", "true")
    until(lambda: harden.ps("one")["State"] == "exited")
    (report,) = json.loads(harden.do("inspect", "one"))
    assert report["title"] == "one is exited: this is what it would be started with"
    assert {wall["state"] for wall in report["walls"]} == {"planned"}
    assert report["exitCode"] == 0
    assert report["job"]["spec"]["process"]["args"] == ["true"]


def test_the_first_process_of_ours_is_looked_at_as_well(harden: Lives) -> None:
    harden.do("run", "-d", "--init", "--name", "one", "host", "sleep", "100")
    assert {name for name, wall in seen(harden, "one").items() if not wall["closed"]} <= {"security label", "Landlock"}


def test_any_process(harden: Lives) -> None:
    (report,) = json.loads(harden.do("inspect", "--pid", str(os.getpid())))
    found = {wall["wall"]: wall for wall in report["walls"]}
    assert found["mount namespace"]["closed"] is False
    assert found["capabilities"]["detail"].count(":") == 1  # the sets that are the same are named together
    assert found["no new privileges"]["state"] == "off"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "there is no container to inspect"),
        (["two"], "there is no container 'two'"),
        (["--pid", "4194304"], "there is no process 4194304"),
    ],
)
def test_what_is_not_there(harden: Lives, words: list[str], message: str) -> None:
    result = harden("inspect", *words)
    assert (result.returncode, message in result.stderr) == (2, True)


def test_somebody_elses_process() -> None:
    pid = os.getpid()

    def child() -> str:
        os.setresuid(4321, 4321, 4321)
        with pytest.raises(HardenError) as caught:
            inspect._process(pid)
        return str(caught.value)

    assert "is not yours to look into" in forked(child)


def test_a_descriptor_of_this_machine_is_found(root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A launcher that closes nothing, and has a folder of this machine open: what the wall is there to find.
    monkeypatch.setattr("hardener.linux.calls.close_range", lambda *_: None)
    (folder / "secret").write_text("")
    opened = os.open(folder / "secret", os.O_RDONLY)
    os.set_inheritable(opened, True)
    running = Running(config(root, *SH, "echo up; exec sleep 60"), folder)
    os.close(opened)
    running.until("up")
    pid = int(Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()[0])
    found = {wall.name: wall for wall in walls.read(pid, cgroups.read_layout())}["this machine's files"]
    os.kill(running.pid, 15)
    assert running.end() == 143
    assert not found.closed
    assert f"{opened} {folder}/secret" in found.detail.split(", ")


def test_a_link_for_dev_leads_to_nothing_of_ours(root: Path, folder: Path) -> None:
    document = config(root, *SH, "echo up; exec sleep 60")
    document["mounts"] = [mount for mount in document["mounts"] if not mount["destination"].startswith("/dev")]
    running = Running(document, folder)
    running.until("up")
    pid = int(Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()[0])
    found = {wall.name: wall for wall in walls.read(pid, cgroups.read_layout())}
    assert "kmsg" not in found["devices"].detail
    os.kill(running.pid, 15)
    assert running.end() == 143


def test_it_counts_what_is_used(harden: Lives) -> None:
    code = "import time\nx = bytearray(20 << 20)\nprint('up', flush=True)\ntime.sleep(60)"
    running = harden.open("run", "--name", "one", "host", "python3", "-c", code)
    assert running.stdout is not None
    assert running.stdout.readline() == "up\n", running.stderr and running.stderr.read()
    time.sleep(0.1)
    used = seen(harden, "one")["memory"]["detail"]
    assert used.endswith(" MiB used")
    assert float(used.split()[0]) > 19
    harden.do("kill", "one")
    running.communicate()


def test_limits_are_read_on_v2_as_well() -> None:
    machine = cgroups.Layout({}, "/nowhere", ("memory",))
    seen_ = walls._Seen(os.getpid(), machine)
    files = {
        "memory.max": "max",
        "memory.current": "1",
        "pids.max": "7",
        "pids.current": "2",
        "cpu.max": "150000 100000",
        "cpu.stat": "usage_usec 2500000",
    }
    seen_.cgroups = {"": "/group"}
    patch = pytest.MonkeyPatch()
    patch.setattr(procfs, "read", lambda path, limit=0: files[path.rpartition("/")[2]])
    try:
        shown = [(wall.state, wall.detail) for wall in (walls._memory(seen_), walls._pids(seen_), walls._cpus(seen_))]
    finally:
        patch.undo()
    assert shown == [("no limit", ""), ("7", "2 used"), ("1.5", "2.50 s used")]
