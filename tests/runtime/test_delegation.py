"""What an ordinary user may limit: in groups that an administrator, or systemd, has handed over, and what is said where there are none."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from launching import PYTHON, Result, config, launch

from hardener.errors import HardenError
from hardener.linux import calls, consts, mounting, procfs
from hardener.oci.runtime import Spec
from hardener.runtime import cgroups, delegation
from hardener.runtime.cgroups import Layout

UID = 4242
MARKS = ["user@7.service", "ours.scope"]
APP = "/user.slice/user-7.slice/user@7.service/app.slice"
FILES = ("cgroup.procs", "cgroup.subtree_control", "cgroup.threads", "tasks")
FULL = "cpuset cpu io memory pids"


# --- which group is ours --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("group", "writable", "marked", "expected"),
    [
        ("/alice", ["/alice"], [], "/alice"),
        ("/alice/harden.self", ["/alice", "/alice/harden.self"], [], "/alice"),
        ("/alice/deep", ["/alice", "/alice/deep"], [], "/alice/deep"),
        ("", [""], [], ""),
        ("", [], [], None),
        ("/user.slice/user-7.slice/session-3.scope", [], [], None),
        # A unit of the user's systemd is systemd's own, unless it was asked to keep its hands off.
        (f"{APP}/shell.scope", [APP, f"{APP}/shell.scope"], ["user@7.service"], None),
        (f"{APP}/ours.scope", [APP, f"{APP}/ours.scope"], MARKS, f"{APP}/ours.scope"),
        (
            f"{APP}/ours.scope/a/b",
            [f"{APP}/ours.scope{end}" for end in ("", "/a", "/a/b")],
            ["user@7.service", "ours.scope"],
            f"{APP}/ours.scope",
        ),
        # An old systemd leaves no marks that a user can read.
        (f"{APP}/shell.scope", [APP, f"{APP}/shell.scope"], [], f"{APP}/shell.scope"),
        (f"{APP}/x.service", [f"{APP.rpartition('/')[0]}", APP, f"{APP}/x.service"], ["user@7.service"], None),
    ],
)
def test_the_part_that_is_ours(
    group: str, writable: list[str], marked: list[str], expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delegation, "_ours", lambda directory, *files: directory.removeprefix("/cg") in writable)
    monkeypatch.setattr(delegation, "_marked", lambda directory: directory.rpartition("/")[2] in marked)
    assert delegation.part("/cg", group) == expected


@pytest.mark.parametrize(
    ("ours", "bases", "controllers"),
    [
        (["/alice"], {"": "/alice"}, ("memory", "pids")),
        (["/alice", ""], {"": ""}, ("cpu", "memory", "pids")),
        ([], {}, ()),
    ],
)
def test_a_layout_says_what_is_ours(
    tmp_path: Path, ours: list[str], bases: dict[str, str], controllers: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "alice").mkdir()
    (tmp_path / "alice" / "cgroup.controllers").write_text("memory pids\n")
    read = procfs.read
    monkeypatch.setattr(procfs, "read", lambda path: "0::/alice\n" if path == "/proc/self/cgroup" else read(path))
    monkeypatch.setattr(delegation, "_ours", lambda directory, *files: directory.removeprefix(str(tmp_path)) in ours)
    machine = Layout({}, str(tmp_path), ("cpu", "memory", "pids"))
    delegation.apply(machine, procfs.parse_mounts(f"1 1 0:2 / {tmp_path} rw - cgroup2 cgroup2 rw\n"))
    assert machine.bases == {f"{tmp_path}{point}": base for point, base in bases.items()}
    assert machine.controllers == controllers
    assert cgroups.writable(machine, "memory") == bool(bases)
    if not bases:
        monkeypatch.setattr("posix.geteuid", lambda: 7)
        plan = Spec.parse(config("/", "true", linux__resources={"pids": {"limit": 9}}))
        with pytest.raises(HardenError, match="the limits cannot be enforced: no cgroup with the controller pids is yours"):
            cgroups.plan(plan, machine, "box")
        plan = Spec.parse(config("/", "true", linux__resources={"unified": {"cgroup.max.depth": "1"}}))
        with pytest.raises(HardenError, match="the limits cannot be enforced: no cgroup there is yours"):
            cgroups.plan(plan, machine, "box")


def test_groups_above_hand_controllers_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delegation, "_ours", lambda directory, *files: directory in ("/cg/a", "/cg/a/b", "/cg/a/b/c"))
    assert delegation.above("/cg", "/a/b/c") == ("/cg/a", "/cg/a/b")
    assert delegation.above("/cg", "/x") == delegation.above("/cg", "") == ()


def test_a_group_below_a_mount_of_a_part() -> None:
    assert delegation.below("/docker/1/a", "/docker/1") == "/a"
    assert delegation.below("/docker/1", "/docker/1") == delegation.below("/", "/") == ""
    assert delegation.below("/a/b", "/") == "/a/b"


def test_a_mark_is_read_from_the_group(tmp_path: Path) -> None:
    assert not delegation._marked(str(tmp_path))
    with contextlib.suppress(OSError):
        os.setxattr(tmp_path, delegation.MARK, b"1")
        assert delegation._marked(str(tmp_path))


@pytest.mark.parametrize(
    ("folders", "layout", "group", "expected"),
    [
        (["user.slice/user-7.slice/user@7.service"], "v2", "/s", "systemd-run --user --scope -p Delegate=yes harden run"),
        (["system.slice"], "v2", "/s", "loginctl enable-linger 7; then systemd-run"),
        ([], "v2", "/s", "let an administrator make a cgroup, chown it to you"),
        ([], "v2", None, r"systemctl edit user@\.service"),
        ([], "v1", None, "cgroup v1 is not for users: run as root"),
    ],
)
def test_the_way_out(
    tmp_path: Path, folders: list[str], layout: str, group: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.setattr("posix.geteuid", lambda: 7)
    machine = Layout({}, str(tmp_path), ("memory",)) if layout == "v2" else Layout({"memory": "/cg"}, None, ())
    with pytest.raises(HardenError, match=expected):
        raise HardenError("", how=delegation._advice(machine, group))
    monkeypatch.setattr("posix.geteuid", lambda: 0)
    assert "is read-only here" in delegation._advice(machine, group)


def test_a_controller_that_is_not_handed_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cgroup.subtree_control").write_text("")
    (tmp_path / "cgroup.controllers").write_text("memory pids\n")

    def refuse(path: str, value: str) -> None:
        raise FileNotFoundError(2, path)

    monkeypatch.setattr(procfs, "write", refuse)
    with pytest.raises(HardenError, match=r"controllers \+cpu are not handed down.*has memory pids\n.*Delegate=cpu cpuset io memory pids"):
        cgroups._enable(str(tmp_path), ("cpu",))


def test_processes_of_others_cannot_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hardener.runtime.group_ends.members", lambda directory: ["0", "7"])
    with pytest.raises(HardenError, match="cannot be moved out of the way"):
        delegation.vacate(str(tmp_path))


def test_processes_are_moved_into_a_leaf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    members = ["7", "8", "9"]

    def move(path: str, pid: str) -> None:
        assert path == f"{tmp_path}/{delegation.LEAF}/cgroup.procs"
        members.remove(pid)
        if pid == "8":
            raise ProcessLookupError(3, "it has just ended")
        if pid == "9":
            raise PermissionError(13, "not ours")

    monkeypatch.setattr("hardener.runtime.group_ends.members", lambda directory: [*members])
    monkeypatch.setattr(procfs, "write", move)
    with pytest.raises(PermissionError):
        delegation.vacate(str(tmp_path))
    delegation.vacate(str(tmp_path))
    assert members == []
    members.append("7")
    (tmp_path / delegation.LEAF).rmdir()
    (tmp_path / delegation.LEAF).write_text("")
    with pytest.raises(FileExistsError):
        delegation.vacate(str(tmp_path))


# --- in groups of this machine --------------------------------------------------------------------------------------------------


@pytest.fixture
def handed_over() -> Iterator[Callable[[], None]]:
    """Return what moves a process, as root, into groups that belong to the user from then on."""
    machine = cgroups.read_layout()
    points = {point for point in machine.v1.values() if any(machine.v1.get(name) == point for name in ("memory", "pids", "cpu", "freezer"))}
    if machine.unified is not None:
        points.add(machine.unified)
    folders = [Path(point) / f"test-user-{os.getpid()}" for point in points]
    for folder in folders:
        folder.mkdir()
        os.chown(folder, UID, UID)
        for name in FILES:
            if (folder / name).exists():
                os.chown(folder / name, UID, UID)

    def move() -> None:
        for folder in folders:
            leaf = folder / delegation.LEAF  # where the launch before has moved itself to
            ((leaf if leaf.exists() else folder) / "cgroup.procs").write_text(str(os.getpid()))

    yield move
    deadline = time.monotonic() + 90
    for folder in folders:
        while folder.exists():
            assert time.monotonic() < deadline, [*folder.glob("**/cgroup.procs")]
            for leaf in (folder / delegation.LEAF, folder):
                with contextlib.suppress(OSError):
                    leaf.rmdir()
            time.sleep(0.005)


def by_the_user(root: Path, *args: str, **changes: Any) -> dict[str, Any]:
    root.chmod(0o755)
    document = config(root, *args, **changes)
    for key in ("uidMappings", "gidMappings"):
        document["linux"][key] = [{"containerID": 0, "hostID": UID, "size": 1}]
    document["mounts"] = [mount for mount in document["mounts"] if mount["destination"] not in (PYTHON, "/probe.py")]
    document["mounts"].append({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup"})
    return document


def run(root: Path, folder: Path, before: Callable[[], None] | None, *args: str, **changes: Any) -> Result:
    return launch(by_the_user(root, *args, **changes), folder, uid=UID, before=before)


def test_limits_of_a_user_in_groups_of_his_own(root: Path, folder: Path, handed_over: Callable[[], None]) -> None:
    script = "cat memory.max pids.max */memory.limit_in_bytes */pids.max 2>/dev/null; cut -d: -f3 /proc/self/cgroup | sort -u"
    limits = {"memory": {"limit": 64 << 20}, "pids": {"limit": 9}}
    result = run(root, folder, handed_over, "sh", "-c", f"cd /sys/fs/cgroup; {script}", linux__resources=limits)
    assert (result.code, result.error) == (0, ""), result
    assert {str(64 << 20), "9"} <= set(result.out.split()), result
    again = run(root, folder, handed_over, "sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1 & done; wait", linux__resources=limits)
    assert "--pids-limit 18 raises it" in again.notices[-1], again


def test_inside_a_container_the_root_of_whose_groups_has_processes(root: Path, folder: Path, handed_over: Callable[[], None]) -> None:
    if cgroups.read_layout().v1:
        pytest.skip("kernel: cgroup v1 is mounted, which has no rule against processes beside groups")

    def enter() -> None:
        handed_over()
        calls.unshare(consts.CLONE_NEWCGROUP | consts.CLONE_NEWNS)
        mounting.mount("", "/", "", consts.MS_REC | consts.MS_PRIVATE)
        mounting.unmount("/sys/fs/cgroup", consts.MNT_DETACH)
        mounting.mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0)

    result = launch(config(root, "cut", "-d:", "-f3", "/proc/self/cgroup", linux__resources={"pids": {"limit": 9}}), folder, before=enter)
    assert (result.code, result.out, result.error) == (0, "/\n", ""), result


def test_without_groups_of_his_own_a_user_is_refused_and_told(root: Path, folder: Path) -> None:
    result = run(root, folder, None, "true")
    assert result.code in (2, 125)
    assert "the limits cannot be enforced: no cgroup" in result.error
    assert "--allow-unenforced memory" in result.error
