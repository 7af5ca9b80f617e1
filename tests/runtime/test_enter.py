"""Another process in a container that runs: the same walls, and nothing of this machine comes along."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from forked import forked
from launching import PYTHON, Result, Running, _Measured, config, launch

from hardener.errors import HardenError
from hardener.linux import calls, consts
from hardener.oci.runtime import Spec
from hardener.runtime import cgroups, enter, parent

SH = ("/bin/sh", "-c")
FILTER = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["acct"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}
PROBE = (f"{PYTHON}/bin/python3", "-I", "-S", "/probe.py")


def first(running: Running) -> int:
    return int(Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()[0])


class Room:
    """A container that waits to be entered."""

    def __init__(self, folder: Path, document: dict[str, Any]) -> None:
        self.folder = folder
        self.document = document
        self.running = Running(document, folder)
        self.running.until("up")
        self.pid = first(self.running)

    def exec(self, *args: str, stdin: str = "", before: Callable[[], None] | None = None, silent: bool = False, **process: Any) -> Result:
        document = json.loads(json.dumps(self.document))
        document["process"] |= {"args": list(args), **process}
        number = len(list(self.folder.glob("entered.*")))
        streams = [self.folder / f"entered.{name}.{number}" for name in ("in", "out", "err")]
        for stream, text in zip(streams, (stdin, "", ""), strict=True):
            stream.write_text(text)

        def child() -> tuple[int, str]:
            for fd, stream in enumerate(streams):
                opened = os.open(stream, os.O_RDWR | (os.O_APPEND if fd else 0))
                os.dup2(opened, fd)
                os.close(opened)
            measured = _Measured()
            if before is not None:
                before()
            try:
                machine = cgroups.read_layout()
                door = enter.find(self.pid, calls.pidfd_open(self.pid), machine)
                made = enter.plan(Spec.parse(document), "test", machine)
                if silent:
                    made.silent = (0,)
                try:
                    return enter.run(made, door).code, ""
                finally:
                    door.close()
            except parent.LaunchError as error:
                return error.code, str(error)
            except HardenError as error:
                return 2, str(error)
            finally:
                measured.restore()

        code, error = forked(child)
        return Result(code, streams[1].read_text(), streams[2].read_text(), [], error)


@pytest.fixture
def room(root: Path, folder: Path) -> Iterator[Callable[..., Room]]:
    rooms: list[Room] = []

    def make(script: str = "echo up; exec sleep 60", **changes: Any) -> Room:
        changes = {"linux__seccomp": FILTER, **changes}
        rooms.append(Room(folder, config(root, *SH, script, **changes)))
        return rooms[-1]

    yield make
    for one in rooms:
        os.kill(one.running.pid, signal.SIGTERM)
        one.running.end()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"process__user": {"uid": 1000, "gid": 1001, "additionalGids": [7, 8], "umask": 0o077}},
        {"process__capabilities": {key: ["CAP_CHOWN"] for key in ("bounding", "effective", "permitted")}},
        {"annotations": {"dev.hardener.init": "true"}},
        {"process__rlimits": [{"type": "RLIMIT_NOFILE", "soft": 64, "hard": 128}], "process__oomScoreAdj": 300},
    ],
    ids=["default", "user", "capability", "init", "limits"],
)
def test_the_walls_are_those_of_the_container(root: Path, folder: Path, room: Callable[..., Room], changes: dict[str, Any]) -> None:
    inside = room(**changes).exec(*PROBE).json()
    alone = launch(config(root, *PROBE, linux__seccomp=FILTER, **changes), folder).json()
    shared = {name: os.readlink(f"/proc/self/ns/{name}") for name in inside["namespaces"]}
    assert {name for name in shared if inside["namespaces"][name] == shared[name]} == set()
    differs = {key for key in alone if alone[key] != inside[key]}
    assert differs <= {"namespaces", "pid", "session", "processes", "descriptors", "mounts", "keyring"}
    assert inside["descriptors"].keys() - {"3"} == {"0", "1", "2"}
    assert inside["session"] == inside["pid"]
    assert inside["seccomp"] == "2"


def test_namespaces_are_the_same(room: Callable[..., Room]) -> None:
    made = room()
    found = made.exec(*SH, "for n in user mnt pid net ipc uts cgroup time; do readlink /proc/self/ns/$n; done").out.split()
    assert found == [os.readlink(f"/proc/{made.pid}/ns/{name}") for name in ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time")]


def test_namespaces_are_entered_one_by_one_on_an_old_kernel(room: Callable[..., Room]) -> None:
    def before() -> None:
        real = calls.setns

        def old(fd: int, kind: int = 0, *, name: str = "") -> None:
            if kind & (kind - 1):
                raise OSError(22, "setns: Invalid argument")
            real(fd, kind, name=name)

        patch = pytest.MonkeyPatch()
        patch.setattr(calls, "setns", old)

    made = room()
    found = made.exec(*SH, "for n in user mnt pid net; do readlink /proc/self/ns/$n; done", before=before).out.split()
    assert found == [os.readlink(f"/proc/{made.pid}/ns/{name}") for name in ("user", "mnt", "pid", "net")]


def test_control_groups_are_the_same(room: Callable[..., Room]) -> None:
    made = room()
    assert made.exec("cat", "/proc/self/cgroup").out == made.exec("cat", "/proc/1/cgroup").out
    assert f"test-{made.running.pid}" in Path(f"/proc/{made.pid}/cgroup").read_text()
    bomb = made.exec(*SH, "for i in $(seq 80); do sleep 5 & done; wait")
    assert "fork" in bomb.err


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["true"], 0, ""),
        ([*SH, "exit 77"], 77, ""),
        ([*SH, "kill -KILL $$"], 137, ""),
        (["nosuch"], 127, "nosuch: not found"),
        (["/probe.py"], 126, "Permission denied"),
        (["/proc/self/exe"], 126, "must not be reached through /proc"),
    ],
)
def test_the_exit_code(room: Callable[..., Room], args: list[str], code: int, message: str) -> None:
    result = room().exec(*args)
    assert (result.code, message in result.error) == (code, True), result


def test_streams_environment_and_folder(room: Callable[..., Room]) -> None:
    result = room().exec(*SH, "cat; pwd; echo $X >&2", stdin="given\n", env=["PATH=/bin", "X=ä"], cwd="/tmp")
    assert (result.out, result.err) == ("given\n/tmp\n", "ä\n")


def test_without_input(room: Callable[..., Room]) -> None:
    result = room().exec(*SH, "cat; stat -c %t:%T /proc/self/fd/0; readlink /proc/self/fd/0", stdin="given\n", silent=True)
    assert result.out.splitlines()[-1] == "/dev/null"
    assert "given" not in result.out


@pytest.mark.parametrize("cwd", ["/proc/self/fd/0", "/proc/1/cwd/nosuch", "/probe.py", "/nowhere"])
def test_a_working_directory_that_is_none(room: Callable[..., Room], cwd: str) -> None:
    result = room().exec("true", cwd=cwd)
    assert result.code == 125
    assert cwd in result.error


def test_no_descriptor_of_this_machine_is_a_way_out(room: Callable[..., Room], folder: Path) -> None:
    def before() -> None:
        for number in range(20, 30):  # as a launcher that was started with a folder of this machine open
            os.dup2(os.open("/", os.O_RDONLY), number, inheritable=True)

    for number in (*range(3, 12), 20, 25):
        result = room().exec(*SH, "ls /", cwd=f"/proc/self/fd/{number}", before=before)
        assert "work" not in result.out and result.code in (0, 125), result
    listed = room().exec(*SH, "ls -l /proc/self/fd", before=before)
    assert len(listed.out.splitlines()) <= 5


WATCH = r"""
import os, sys, time
print("up", flush=True)
found, end = set(), time.monotonic() + 60
while time.monotonic() < end and "told" not in found:
    for name in os.listdir("/proc"):
        if not name.isdigit() or name == "1":
            continue
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                line = file.read()
            if b"SECRET" in line:
                found.add("cmdline")
            if b"mark-of-the-end" in line:
                found.add("told")
                continue
            ours = line.startswith(b"harden-exec")
            if not ours:
                continue
            open_to_us = set()
            for what in ("exe", "cwd", "root", "fd/0", "fd/3"):
                try:
                    open_to_us.add(f"{what}:{os.readlink(f'/proc/{name}/{what}')}")
                except OSError:
                    pass
            for what in ("environ", "maps", "mem"):
                try:
                    os.close(os.open(f"/proc/{name}/{what}", os.O_RDONLY)) if what == "mem" else open(f"/proc/{name}/{what}").read(1)
                    open_to_us.add(what)
                except OSError:
                    pass
            with open(f"/proc/{name}/cmdline", "rb") as file:
                if file.read().startswith(b"harden-exec"):  # it has not become the program meanwhile
                    if "seen" not in found:
                        print("seen", flush=True)
                    found |= {"seen", *open_to_us}
        except OSError:
            continue
print(sorted(found), flush=True)
time.sleep(60)
"""


def test_a_container_that_lies_in_wait_sees_nothing(root: Path, folder: Path) -> None:
    # CVE-2016-9962 and CVE-2019-5736: it reads everything of whoever comes in, as fast as it can, with all capabilities of its own.
    everything = {key: ["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_SYS_ADMIN"] for key in ("bounding", "effective", "permitted")}
    document = config(root, f"{PYTHON}/bin/python3", "-I", "-S", "-c", WATCH, process__capabilities=everything)
    made = Room(folder, document)

    def slowly() -> None:
        real = calls.close_range

        def slow(start: int, end: int = 2**32 - 1) -> None:
            time.sleep(0.05)
            real(start, end)

        patch = pytest.MonkeyPatch()  # in a child that ends with this launch: never undone
        patch.setattr(calls, "close_range", slow)

    try:
        for turn in range(100):  # on a slow machine it looks at a process less often than that one lives
            assert made.exec("true", before=slowly).code == 0
            if turn >= 4 and "seen" in made.running.out.read_text():
                break
        for _ in range(100):
            if "]" in made.running.out.read_text():
                break
            made.exec("sh", "-c", "sleep 0.5; : mark-of-the-end")
        made.running.until("]")
        found = made.running.out.read_text().splitlines()[-1]
        assert found == "['seen', 'told']"
    finally:
        os.kill(made.running.pid, signal.SIGTERM)
        made.running.end()


def test_a_signal_reaches_it_and_not_the_container(room: Callable[..., Room], folder: Path) -> None:
    made = room()
    pid = os.fork()
    if pid == 0:
        try:
            machine = cgroups.read_layout()
            door = enter.find(made.pid, calls.pidfd_open(made.pid), machine)
            document = {**made.document, "process": {**made.document["process"], "args": ["sleep", "60"]}}
            os._exit(enter.run(enter.plan(Spec.parse(document), "test", machine), door).code)
        finally:
            os._exit(99)
    deadline = time.monotonic() + 60
    while "sleep" not in [name_of(child) for child in children(pid)]:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(pid, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 143
    assert made.exec("true").code == 0


def children(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []


def name_of(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):  # it has just ended
        return ""


def passwd(root: Path) -> Path:
    (root / "etc").mkdir()
    return root / "etc/passwd"


@pytest.mark.parametrize(
    ("make", "user", "found"),
    [
        (lambda root: passwd(root).write_text("me:x:7:8::/:/bin/sh\n"), "me", (7, 8)),
        (lambda root: passwd(root).write_text("me:x:7:8::/:/bin/sh\n"), "12:13", (12, 13)),
        (lambda root: None, "me", "no user 'me' in the container's /etc/passwd"),
        (lambda root: os.mkfifo(passwd(root)), "root", "not a regular file"),
        (lambda root: passwd(root).symlink_to("/proc/1/root/etc/passwd"), "root", "Too many levels of symbolic links"),
        (lambda root: passwd(root).symlink_to("../../../../../../../etc/passwd"), "root", "Too many levels of symbolic links"),
    ],
)
def test_who_is_in_the_containers_files(
    room: Callable[..., Room], root: Path, make: Callable[[Path], object], user: str, found: tuple[int, int] | str
) -> None:
    make(root)
    made = room()
    door = enter.find(made.pid, calls.pidfd_open(made.pid), cgroups.read_layout())
    try:
        if isinstance(found, str):
            with pytest.raises((HardenError, OSError), match=found):
                enter.account(door, user)
        else:
            account = enter.account(door, user)
            assert (account.uid, account.gid) == found
    finally:
        door.close()


def test_a_container_that_has_ended(root: Path, folder: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    pidfd = calls.pidfd_open(gone.pid)
    gone.wait()
    with pytest.raises(HardenError, match="the container has ended"):
        enter.find(gone.pid, pidfd, cgroups.read_layout())


def test_a_number_that_is_somebody_elses_now() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    pidfd = calls.pidfd_open(gone.pid)
    gone.wait()
    with pytest.raises(HardenError, match="the container has ended"):
        enter.find(os.getpid(), pidfd, cgroups.read_layout())


def test_somebody_elses_container(room: Callable[..., Room]) -> None:
    made = room()

    def child() -> str:
        os.setresuid(4321, 4321, 4321)
        with pytest.raises(HardenError) as caught:
            enter.find(made.pid, calls.pidfd_open(made.pid), cgroups.read_layout())
        return str(caught.value)

    assert "not yours to enter" in forked(child)


def test_a_container_that_could_take_us_over(root: Path) -> None:
    held = {"bounding": ["CAP_SYS_PTRACE"], "permitted": ["CAP_SYS_PTRACE"]}
    document = config(root, "true", process__capabilities=held, linux__namespaces=[{"type": "mount"}, {"type": "pid"}])
    with pytest.raises(HardenError, match="could take over whoever enters it"):
        enter.plan(Spec.parse(document), "test", cgroups.read_layout())


def test_no_room_for_one_more(room: Callable[..., Room]) -> None:
    made = room(linux__resources={"pids": {"limit": 1}})
    result = made.exec("true")
    assert (result.code, "clone(CLONE_PARENT)" in result.error) == (125, True), result


def test_a_helper_that_dies(room: Callable[..., Room]) -> None:
    def before() -> None:
        patch = pytest.MonkeyPatch()
        patch.setattr(enter, "_hide", lambda: os._exit(1))

    assert "killed before it started" in room().exec("true", before=before).error


@pytest.mark.parametrize("init", [False, True])
def test_an_ordinary_user_enters_what_is_its_own(root: Path, folder: Path, init: bool) -> None:
    uid = 4321
    maps = [{"containerID": 0, "hostID": uid, "size": 1}]
    document = config(root, *SH, "echo up; exec sleep 60", linux__uidMappings=maps, linux__gidMappings=maps, linux__resources=None)
    document["mounts"] = [mount for mount in document["mounts"] if mount["destination"] not in (PYTHON, "/probe.py")]
    document["annotations"] = {"dev.hardener.init": "true" if init else "false"}

    def become() -> None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        calls.prctl(consts.PR_SET_DUMPABLE, 1)

    out = folder / "running.0"
    pid = os.fork()
    if pid == 0:
        try:
            opened = os.open(out, os.O_WRONLY | os.O_CREAT)
            os.dup2(opened, 1)
            become()
            from launching import _plan

            from hardener.runtime import container

            os._exit(container.run(_plan(document, folder, None)).code)
        finally:
            os._exit(99)
    deadline = time.monotonic() + 90
    while not out.exists() or "up" not in out.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    made = Room.__new__(Room)
    made.folder, made.document, made.pid = folder, document, int(children(pid)[0])
    result = made.exec(*SH, "id -u; cat /proc/self/uid_map; readlink /proc/self/ns/mnt", before=become)
    assert result.out.split()[:4] == ["0", "0", str(uid), "1"], result
    assert result.out.split()[-1] != os.readlink("/proc/self/ns/mnt")
    os.kill(pid, signal.SIGTERM)
    os.waitpid(pid, 0)
