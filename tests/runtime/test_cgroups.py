"""How groups are made, on directories that stand for hierarchies; real ones are in test_lives.py."""

import os
from pathlib import Path

import pytest

from hardener.errors import HardenError
from hardener.linux import procfs
from hardener.runtime import cgroup_mount, cgroups, group_ends
from hardener.runtime.cgroups import Cgroups, Group, Layout


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    monkeypatch.setattr(procfs, "write", lambda path, value: found.append((path, value)))
    return found


def test_controllers_are_handed_down(tmp_path: Path, written: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(procfs, "read", lambda path: "cpu memory" if path == f"{tmp_path}/harden/cgroup.subtree_control" else "")
    monkeypatch.setattr(cgroups, "_inherit_cpuset", lambda directory: None)
    group = Group(str(tmp_path), "/harden/box", [("pids.max", "9")], ("pids", "memory"))
    plan = Cgroups((group,), group.directory)
    cgroups.create(plan)
    cgroups.attach(plan, 77, born_inside=True)
    assert written == [
        (f"{tmp_path}/cgroup.subtree_control", "+pids +memory"),
        (f"{tmp_path}/harden/cgroup.subtree_control", "+pids"),
        (f"{tmp_path}/harden/box/pids.max", "9"),
    ]
    cgroups.attach(plan, 77)
    assert written[-1] == (f"{tmp_path}/harden/box/cgroup.procs", "77")
    cgroups.remove(plan)
    assert os.listdir(tmp_path) == []


def test_a_new_cpuset_takes_over_its_parents_processors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cpuset.cpus", "cpuset.mems"):
        (tmp_path / name).write_text("0-1\n")
    made = cgroups._mkdir

    def mkdir(path: str) -> bool:
        fresh = made(path)
        for name in ("cpuset.cpus", "cpuset.mems"):
            (Path(path) / name).write_text("\n")
        return fresh

    monkeypatch.setattr(cgroups, "_mkdir", mkdir)
    cgroups.create(Cgroups((Group(str(tmp_path), "/a/b", [("cpuset.cpus", "1")]),), None))
    assert (tmp_path / "a" / "cpuset.cpus").read_text() == "0-1\n"
    assert (tmp_path / "a" / "b" / "cpuset.cpus").read_text().startswith("1")
    assert (tmp_path / "a" / "b" / "cpuset.mems").read_text() == "0-1\n"


def test_what_another_launch_has_not_filled_yet_is_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "harden").mkdir()
    for name in ("cpuset.cpus", "cpuset.mems"):
        (tmp_path / name).write_text("0-1\n")
        (tmp_path / "harden" / name).write_text("\n")
    made = cgroups._mkdir

    def mkdir(path: str) -> bool:
        fresh = made(path)
        if fresh:
            for name in ("cpuset.cpus", "cpuset.mems"):
                (Path(path) / name).write_text("\n")
        return fresh

    monkeypatch.setattr(cgroups, "_mkdir", mkdir)
    cgroups.create(Cgroups((Group(str(tmp_path), "/harden/box", []),), None))
    assert {(tmp_path / "harden" / part).read_text() for part in ("cpuset.cpus", "cpuset.mems", "box/cpuset.cpus", "box/cpuset.mems")} == {
        "0-1\n"
    }


@pytest.mark.parametrize("code", [2, 19])
def test_a_parent_that_another_launch_removes_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    answers = [code, 0]

    def write(path: str, value: str) -> None:
        if path == f"{tmp_path}/harden/cgroup.subtree_control" and (answer := answers.pop(0)):
            os.rmdir(tmp_path / "harden")
            raise OSError(answer, f"write({path}): refused")

    monkeypatch.setattr(procfs, "read", lambda path: "")
    monkeypatch.setattr(procfs, "write", write)
    monkeypatch.setattr(cgroups, "_inherit_cpuset", lambda directory: None)
    group = Group(str(tmp_path), "/harden/box", [], ("pids",))
    cgroups.create(Cgroups((group,), group.directory))
    assert (tmp_path / "harden" / "box").is_dir()
    assert answers == []


def test_a_group_that_exists_is_somebody_elses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "harden" / "box").mkdir(parents=True)
    with pytest.raises(HardenError, match="exists already"):
        cgroups.create(Cgroups((Group(str(tmp_path), "/harden/box", []),), None, ours=False))
    assert (tmp_path / "harden" / "box").exists()
    monkeypatch.setattr(group_ends, "members", lambda directory: ["7"])
    with pytest.raises(HardenError, match="exists already"):
        cgroups.create(Cgroups((Group(str(tmp_path), "/harden/box", []),), None))
    assert (tmp_path / "harden" / "box").exists()


def test_a_group_of_our_name_that_nobody_lives_in_was_left_by_a_killed_launcher(tmp_path: Path) -> None:
    (tmp_path / "harden" / "box" / "inside").mkdir(parents=True)
    plan = Cgroups((Group(str(tmp_path), "/harden/box", []),), None)
    cgroups.create(plan)
    assert os.listdir(tmp_path / "harden" / "box") == []
    cgroups.remove(plan)
    assert os.listdir(tmp_path) == []


def test_the_second_of_two_groups_fails(tmp_path: Path, written: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = Group(f"{tmp_path}", "/harden/box", []), Group(f"{tmp_path}/none", "/harden/box", [])
    monkeypatch.setattr(cgroups, "_ATTEMPTS", 3)
    with pytest.raises(OSError, match="its parent vanishes again and again"):
        cgroups.create(Cgroups((first, second), None))
    assert os.listdir(tmp_path) == []
    assert written == []


@pytest.mark.parametrize("code", [1, 13, 30])
def test_a_limit_that_is_not_ours_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def refuse(path: str, value: str) -> None:
        raise OSError(code, f"write({path}): refused")

    monkeypatch.setattr(procfs, "write", refuse)
    with pytest.raises(HardenError, match="the limits cannot be enforced: write"):
        cgroups.create(Cgroups((Group(str(tmp_path), "/harden/box", [("pids.max", "1")]),), None))
    assert os.listdir(tmp_path) == []


def test_a_limit_of_swap_where_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group = Group(str(tmp_path), "/harden/box", [("memory.swap.max", "1")])
    monkeypatch.setattr(cgroups, "_no_swap", lambda: True)
    cgroups.create(Cgroups((group,), None))
    cgroups.remove(Cgroups((group,), None))
    monkeypatch.setattr(cgroups, "_no_swap", lambda: False)
    with pytest.raises(HardenError, match=r"no limit memory\.swap\.max\n.*swapaccount=1"):
        cgroups.create(Cgroups((group,), None))
    assert os.listdir(tmp_path) == []


def test_a_group_with_processes_is_not_given_up_quietly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_ends, "_pause", lambda attempt: None)
    monkeypatch.setattr(group_ends, "_remove", lambda directory: False)
    monkeypatch.setattr(group_ends, "members", lambda directory: ["0"])
    with pytest.raises(HardenError, match="processes of the container do not end: 0"):
        group_ends.end(str(tmp_path))


def test_every_process_of_a_group_and_of_those_below_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "cgroup.procs").write_text("0\n7\n")  # 0: of a pid namespace that is not ours
    (tmp_path / "inside" / "cgroup.procs").write_text("8\n")
    (tmp_path / "inside" / "freezer.state").write_text("FROZEN\n")
    killed = []

    def kill(pid: int, signal: int) -> None:
        killed.append((pid, signal))
        if pid == 7:
            raise ProcessLookupError(3, "it has just ended")

    monkeypatch.setattr("posix.kill", kill)
    group_ends.kill(str(tmp_path))
    assert killed == [(8, 9), (7, 9)]
    assert (tmp_path / "inside" / "freezer.state").read_text().startswith("THAWED")
    assert group_ends.tree("/nowhere") == ["/nowhere"][:0]
    (tmp_path / "cgroup.kill").write_text("")
    group_ends.kill(str(tmp_path))
    assert (tmp_path / "cgroup.kill").read_text() == "1"
    assert len(killed) == 2


def test_what_is_lasting_only_a_moment_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [False, False, True]
    monkeypatch.setattr(group_ends, "_remove", lambda directory: answers.pop(0))
    group_ends.end(str(tmp_path))
    assert answers == []


def test_only_groups_of_dead_launchers_are_swept(tmp_path: Path) -> None:
    for name in ("box", f"run-{os.getpid()}", "run-4194999", "run-4194998/inside", "web", "run-²", "old.1"):
        (tmp_path / "harden" / name).mkdir(parents=True)
    os.utime(tmp_path / "harden" / "old.1", (1, 1))
    (tmp_path / "harden" / "file").write_text("")
    group = Group(str(tmp_path), "/harden/box", [])
    group.made = [group.directory]
    cgroups.remove(Cgroups((group,), None))
    assert sorted(os.listdir(tmp_path / "harden")) == sorted([f"run-{os.getpid()}", "web", "run-²", "file"])


def test_what_may_be_written(tmp_path: Path) -> None:
    machine = Layout({"memory": str(tmp_path)}, str(tmp_path / "none"), ("pids",))
    assert [cgroups.writable(machine, name) for name in ("memory", "pids", "cpu")] == [True, False, False]


def test_what_is_shown_inside() -> None:
    old, new = Group("/cg/cpu,cpuacct", "/harden/box", []), Group("/cg/unified", "/harden/box", [])
    hybrid = Layout({"cpu": "/cg/cpu,cpuacct"}, "/cg/unified", ())
    assert cgroup_mount.sources(hybrid, Cgroups((old, new), None)) == {
        "cpu,cpuacct": "/cg/cpu,cpuacct/harden/box",
        "unified": "/cg/unified/harden/box",
    }
    assert cgroup_mount.sources(Layout({}, "/cg", ()), Cgroups((Group("/cg", "/a", []),), "/cg/a")) == {"": "/cg/a"}
    assert cgroup_mount.sources(hybrid, None) == cgroup_mount.sources(Layout({}, "/cg", ()), None) == {}
