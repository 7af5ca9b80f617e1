"""How containers end, what they are told, and what is said when they do not start."""

import fcntl
import json
import os
import re
import resource
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from forked import forked
from launching import PYTHON, Running, binds, config, launch

from hardener.linux import calls, consts, mounting, procfs
from hardener.oci.runtime import Spec
from hardener.runtime import cgroups, container, parent

SH = ("/bin/sh", "-c")


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["true"], 0),
        (["/bin/false"], 1),
        ([*SH, "exit 77"], 77),
        ([*SH, "sh -c 'kill -KILL $$'"], 137),
        ([*SH, "sh -c 'kill -TERM $$'; exit $?"], 143),
    ],
)
def test_the_exit_code_is_the_programs(root: Path, folder: Path, args: list[str], code: int) -> None:
    assert launch(config(root, *args), folder).code == code


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["nosuch"], 127, "nosuch: not found in /usr/bin:/bin"),
        (["/no/such"], 127, "/no/such: not found"),
        (["/etc/passwd/x"], 127, "/etc/passwd/x: not found"),
        (["/probe.py"], 126, "/probe.py: Permission denied"),
        (["/usr"], 126, "/usr: Permission denied"),
        (["/proc/self/exe"], 126, "/proc/self/exe: a program must not be reached through /proc"),
        (["/proc/1/root/bin/true"], 126, "must not be reached through /proc"),
    ],
)
def test_a_program_that_cannot_be_started(root: Path, folder: Path, args: list[str], code: int, message: str) -> None:
    result = launch(config(root, *args), folder)
    assert result.code == code
    assert message in result.error


@pytest.mark.parametrize(
    ("script", "code", "message"),
    [
        ("#!/proc/self/exe\n", 126, "/proc/self/exe: a program must not be reached through /proc"),
        ("#!/script\n", 126, "/script"),
        ("#!/nowhere/sh\n", 127, "/script: its interpreter or loader does not exist"),
        ("#!\n", 126, "/script: Exec format error"),
        ("echo no interpreter line\n", 126, "/script: Exec format error"),
    ],
)
def test_a_script_that_cannot_be_started(root: Path, folder: Path, script: str, code: int, message: str) -> None:
    (root / "script").write_text(script)
    (root / "script").chmod(0o755)
    result = launch(config(root, "/script"), folder)
    assert (result.code, message in result.error) == (code, True), result


def test_standard_streams_are_ours(root: Path, folder: Path) -> None:
    result = launch(config(root, *SH, "cat; echo problem >&2", process__env=["PATH=/bin", "X=a b"]), folder, stdin="given")
    assert (result.out, result.err) == ("given", "problem\n")


def test_environment_and_working_directory(root: Path, folder: Path) -> None:
    document = config(root, *SH, "pwd; echo $X", process__env=["PATH=/usr/bin", "X=ä b"], process__cwd="/new/place")
    assert launch(document, folder).out == "/new/place\nä b\n"


@pytest.mark.parametrize("cwd", ["/probe.py", "/proc/self/fd/0"])
def test_a_working_directory_that_is_none(root: Path, folder: Path, cwd: str) -> None:
    result = launch(config(root, "true", process__cwd=cwd), folder)
    assert result.code == 125
    assert cwd in result.error


def test_limits_of_resources(root: Path, folder: Path) -> None:
    limits = [{"type": "RLIMIT_NOFILE", "soft": 64, "hard": 128}, {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]
    document = config(
        root, *SH, "ulimit -Sn; ulimit -Hn; ulimit -c; cat /proc/self/oom_score_adj", process__rlimits=limits, process__oomScoreAdj=500
    )
    assert launch(document, folder).out.split() == ["64", "128", "0", "500"]


def test_too_many_processes_are_refused_and_said(root: Path, folder: Path) -> None:
    document = config(root, *SH, "for i in 1 2 3 4 5 6 7 8; do sleep 5 & done; wait", linux__resources={"pids": {"limit": 4}})
    result = launch(document, folder)
    assert "fork" in result.err
    assert re.fullmatch(
        r"pids: \d+ forks? w\w+ refused at the limit of 4 processes and threads; --pids-limit 8 raises it", result.notices[-1]
    )


def test_too_much_memory_is_killed_and_said(root: Path, folder: Path) -> None:
    code = "x = bytearray(200 << 20); print(len(x))"
    document = config(
        root, f"{sys.base_prefix}/bin/python3", "-I", "-S", "-c", code, linux__resources={"memory": {"limit": 32 << 20, "swap": 32 << 20}}
    )
    result = launch(document, folder)
    assert result.code == 137
    expected = r"memory: 1 process killed at the limit of 32 MiB(, peak use 32 MiB)?; --memory 64m raises it"
    assert [notice for notice in result.notices if re.fullmatch(expected, notice)], result.notices


def test_a_limit_below_what_a_start_takes(root: Path, folder: Path) -> None:
    result = launch(config(root, "true", linux__resources={"memory": {"limit": 1 << 16, "swap": 1 << 16}}), folder)
    assert result.code in (125, 137)


# --- mounts -------------------------------------------------------------------------------------------------------------------


def test_a_volume_is_mapped_and_writable(root: Path, folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "old").write_text("old")
    mount = {"destination": "/srv/data", "type": "bind", "source": "data", "options": ["rbind", "rw", "rprivate"]}
    document = config(
        root, *SH, "cat /srv/data/old; stat -c %u /srv/data/old; echo new >/srv/data/new; grep ' /srv/data ' /proc/self/mountinfo"
    )
    document["mounts"].append(mount)
    out = launch(document, folder).out
    assert out.startswith("old0\n")
    assert "nosuid,nodev" in out
    assert (folder / "data" / "new").stat().st_uid == 0


def test_a_file_is_bound_read_only(root: Path, folder: Path) -> None:
    (folder / "file").write_text("content")
    document = config(root, *SH, "cat /etc/deep/file; echo x >/etc/deep/file")
    document["mounts"].append({"destination": "/etc/deep/file", "source": str(folder / "file"), "options": ["bind", "ro"]})
    result = launch(document, folder)
    assert result.out == "content"
    assert "Read-only" in result.err


@pytest.mark.parametrize(
    ("mount", "message"),
    [
        ({"destination": "/a", "type": "bind", "source": "/nonexistent"}, "the source of /a does not exist"),
        (
            {"destination": "/usr/bin", "type": "bind", "source": "/etc/passwd", "options": ["bind"]},
            "a directory can only be bound on a directory",
        ),
        ({"destination": "/proc/self/attr", "type": "tmpfs"}, "would be mounted over a file of /proc"),
        ({"destination": "/t", "type": "tmpfs", "options": ["size=lots"]}, "fsconfig(tmpfs: size=lots)"),
        ({"destination": "/proc/self/root/x", "type": "tmpfs"}, "Too many levels of symbolic links"),
    ],
)
def test_a_mount_that_cannot_be_made(root: Path, folder: Path, mount: dict[str, object], message: str) -> None:
    document = config(root, "true")
    document["mounts"].append(mount)
    result = launch(document, folder)
    assert result.code in (2, 125)
    assert message in result.error


def test_what_is_mounted_inside_does_not_show_outside(root: Path, folder: Path) -> None:
    def shared() -> tuple[int, list[str]]:
        calls.unshare(consts.CLONE_NEWNS)
        mounting.mount("", "/", "", consts.MS_REC | consts.MS_SHARED)
        before = Path("/proc/self/mountinfo").read_text().splitlines()
        made = container.plan(Spec.parse(config(root, "true")), bundle="/", name=f"test-{os.getpid()}", machine=cgroups.read_layout())
        code = container.run(made).code
        return code, [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if line not in before]

    assert forked(shared) == (0, [])


def test_a_filesystem_that_cannot_map_ids_is_said(root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = mounting.set_attributes

    def refusing(fd: int, **options: Any) -> None:
        if options.get("user_fd") is not None:
            raise OSError(22, "mount_setattr: Invalid argument")
        real(fd, **options)

    monkeypatch.setattr(mounting, "set_attributes", refusing)
    result = launch(config(root, "stat", "-c", "%u", "/usr"), folder)
    assert result.out == "65534\n"
    assert len(result.notices) == 1
    assert result.notices[0].startswith("the files of /, ")


def test_a_root_that_does_not_exist(folder: Path) -> None:
    assert "the root filesystem does not exist" in launch(config(folder / "none", "true"), folder).error
    (folder / "file").write_text("")
    assert "the root filesystem is not a directory" in launch(config(folder / "file", "true"), folder).error


def test_a_root_that_is_shared_on(root: Path, folder: Path) -> None:
    document = config(root, *SH, "grep ' / / ' /proc/self/mountinfo", linux__rootfsPropagation="shared")
    assert "shared:" in launch(document, folder).out


# --- namespaces ---------------------------------------------------------------------------------------------------------------


def test_namespaces_are_joined(root: Path, folder: Path) -> None:
    keeper = subprocess.Popen(["unshare", "-n", "-u", "-p", "-f", "--mount-proc", "sleep", "60"])
    try:
        until(lambda: Path(f"/proc/{keeper.pid}/task/{keeper.pid}/children").read_text() != "")
        inner = Path(f"/proc/{keeper.pid}/task/{keeper.pid}/children").read_text().split()[0]
        paths = {kind: f"/proc/{inner}/ns/{file}" for kind, file in (("network", "net"), ("pid", "pid"))}
        kinds = [{"type": kind} for kind in ("mount", "ipc", "uts")] + [{"type": kind, "path": path} for kind, path in paths.items()]
        document = config(root, *SH, "readlink /proc/self/ns/net /proc/self/ns/pid", linux__namespaces=kinds, linux__uidMappings=None)
        result = launch(document, folder)
        assert result.out.split() == [os.readlink(path) for path in paths.values()], result
        os.kill(int(inner), signal.SIGKILL)
    finally:
        keeper.wait()


def test_a_namespace_that_cannot_be_joined(root: Path, folder: Path) -> None:
    kinds = [{"type": "mount"}, {"type": "network", "path": "/proc/self/ns/ipc"}]
    result = launch(config(root, "true", linux__namespaces=kinds, hostname=None), folder)
    assert (result.code, "setns(network /proc/self/ns/ipc)" in result.error) == (125, True)


# --- as an ordinary user --------------------------------------------------------------------------------------------------------


def by_a_user(root: Path, *args: str, uid: int) -> dict[str, Any]:
    maps = [{"containerID": 0, "hostID": uid, "size": 1}]
    document = config(root, *args, linux__uidMappings=maps, linux__gidMappings=maps, linux__resources=None)
    document["mounts"] = [
        mount for mount in document["mounts"] if mount["destination"] not in (PYTHON, "/probe.py")
    ]  # not for others to read
    return document


def test_an_ordinary_user_with_one_id(root: Path, folder: Path) -> None:
    result = launch(by_a_user(root, *SH, "id -u; id -g; cat /proc/self/uid_map; ls -A /", uid=4321), folder, uid=4321)
    assert result.error == ""
    assert result.out.split()[:5] == ["0", "0", "0", "4321", "1"]


def test_an_ordinary_user_cannot_be_two(root: Path, folder: Path) -> None:
    document = by_a_user(root, "true", uid=4321)
    document["process"]["user"]["additionalGids"] = [4]
    assert "this user namespace has no range of group ids" in launch(document, folder, uid=4321).error


def test_limits_that_a_user_may_not_set(root: Path, folder: Path) -> None:
    document = by_a_user(root, "true", uid=4321)
    document["linux"]["resources"] = {"pids": {"limit": 10}}
    result = launch(document, folder, uid=4321)
    assert (result.code, "the limits cannot be enforced" in result.error) == (2, True)


def test_a_range_that_a_user_does_not_have(root: Path, folder: Path) -> None:
    document = by_a_user(root, "true", uid=4321)
    document["linux"]["gidMappings"].append({"containerID": 1, "hostID": 200000, "size": 10})
    assert "newgidmap" in launch(document, folder, uid=4321).error


# --- signals and the launcher's end -------------------------------------------------------------------------------------------


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("script", "number", "code"),
    [
        ("trap 'echo got; exit 5' TERM; echo up; while :; do sleep 0.01; done", signal.SIGTERM, 5),
        ("trap 'echo got; exit 6' USR1; echo up; while :; do sleep 0.01; done", signal.SIGUSR1, 6),
        ("echo up; exec sleep 60", signal.SIGTERM, 143),
        ("echo up; exec sleep 60", signal.SIGINT, 130),
    ],
)
def test_signals_reach_the_container(root: Path, folder: Path, script: str, number: int, code: int) -> None:
    running = Running(config(root, *SH, script), folder)
    running.until("up")
    pid = running.pid
    if "exec" in script:  # a shell that has not yet become the program would take the signal
        inner = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()[0]
        until(lambda: Path(f"/proc/{inner}/comm").read_text() == "sleep\n")
    os.kill(pid, number)
    assert running.end() == code


def test_a_signal_is_not_lost_in_a_fork(root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The C library holds back all signals while it forks: what is asked at that moment must be asked again.
    real, asked = procfs.read, []

    def read(path: str, limit: int = 1 << 20) -> str:
        found = real(path, limit)
        if path.endswith("/status"):
            asked.append(path)
            if len(asked) < 3:
                return re.sub("SigBlk:.*", "SigBlk:\tfffffffe7ffbfeff", found)
        return found

    monkeypatch.setattr(procfs, "read", read)
    running = Running(config(root, *SH, "echo up; exec sleep 60"), folder)
    running.until("up")
    inner = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()[0]
    until(lambda: Path(f"/proc/{inner}/comm").read_text() == "sleep\n")
    os.kill(running.pid, signal.SIGTERM)
    assert running.end() == 143


@pytest.mark.parametrize(
    "wait",
    ["signal.sigwait([signal.SIGTERM])", "os.read(libc.signalfd(-1, (ctypes.c_ulong * 1)(1 << 14), 0), 128)"],
    ids=["sigwait", "signalfd"],
)
def test_a_program_that_waits_for_signals_gets_them(root: Path, folder: Path, wait: str) -> None:
    code = (
        "import ctypes, os, signal, time\n"
        "libc = ctypes.CDLL(None)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n"
        f"print('up', flush=True)\n{wait}\nos._exit(12)"
    )
    running = Running(config(root, f"{PYTHON}/bin/python3", "-I", "-S", "-c", code), folder)
    running.until("up")
    time.sleep(0.1)
    os.kill(running.pid, signal.SIGTERM)
    assert running.end() == 12


def test_what_is_made_has_its_own_modes(root: Path, folder: Path) -> None:
    (folder / "data").mkdir(mode=0o755)
    document = config(
        root, *SH, "stat -c %a / /srv /srv/deep /dev/shm; touch /tmp/x; stat -c %a /tmp/x", process__user={"uid": 7, "gid": 7}
    )
    document["mounts"].append({"destination": "/srv/deep/data", "type": "bind", "source": str(folder / "data"), "options": ["rbind"]})

    def before() -> None:
        os.umask(0o077)

    result = launch(document, folder, before=before)
    assert result.out.split() == ["755", "755", "755", "1777", "644"], result


def test_children_are_waited_for_though_we_were_told_to_ignore_them(root: Path, folder: Path) -> None:
    def before() -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)

    assert launch(config(root, *SH, "exit 5"), folder, before=before).code == 5


def test_no_core_dump_starts_a_program_of_this_machine(root: Path, folder: Path) -> None:
    # A limit of 0 does not keep the kernel from piping a dump to the handler of the machine, as root and outside of the container.
    def before() -> None:
        real = procfs.read
        pytest.MonkeyPatch().setattr(procfs, "read", lambda path, limit=1 << 20: "|/handler %P" if "core_p" in path else real(path, limit))

    limits = [{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]
    document = config(root, "grep", "core file", "/proc/self/limits", process__rlimits=limits)
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    assert launch(document, folder, before=before).out.split()[4:6] == ["1", "1"]
    assert launch(document, folder).out.split()[4:6] == ["0", "0"]


@pytest.mark.parametrize("stream", [0, 1, 2])
def test_a_stream_that_is_closed_is_nobodys(root: Path, folder: Path, stream: int) -> None:
    result = launch(
        config(root, *SH, "readlink /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 >/tmp/x; exit 3"),
        folder,
        before=lambda: os.close(stream),
    )
    assert (result.code, result.error) == (3, "")


@pytest.mark.parametrize(("stream", "name"), [(0, "input"), (2, "error")])
def test_a_stream_that_is_a_folder_is_a_way_out(root: Path, folder: Path, stream: int, name: str) -> None:
    def before() -> None:
        os.dup2(os.open("/", os.O_RDONLY), stream)

    result = launch(config(root, *SH, f"ls /proc/self/fd/{stream}/work"), folder, before=before)
    assert (result.code, f"standard {name} is a folder" in result.error) == (125, True)


def test_a_signal_that_is_ignored_is_ignored(root: Path, folder: Path) -> None:
    running = Running(config(root, *SH, "trap '' TERM; echo up; sleep 0.3; exit 9"), folder)
    running.until("up")
    pid = running.pid
    os.kill(pid, signal.SIGTERM)
    assert running.end() == 9


def test_a_killed_launcher_takes_its_container_with_it(root: Path, folder: Path) -> None:
    running = Running(config(root, *SH, "echo up; exec sleep 60", linux__resources=None), folder)
    running.until("up")
    pid = running.pid
    inner = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0]
    os.kill(pid, signal.SIGKILL)
    running.end()
    until(lambda: not Path(f"/proc/{inner}").exists() or "\nState:\tZ" in Path(f"/proc/{inner}/status").read_text())
    assert pid


def test_what_a_killed_launcher_leaves_is_cleaned_by_the_next(root: Path, folder: Path) -> None:
    running = Running(config(root, *SH, "echo up; exec sleep 60", linux__resources={"pids": {"limit": 9}}), folder)
    running.until("up")
    os.kill(running.pid, signal.SIGKILL)
    running.end()
    left = list(Path("/sys/fs/cgroup").glob(f"**/harden/test-{running.pid}"))
    deadline = time.monotonic() + 90
    while any(path.exists() for path in left):
        assert time.monotonic() < deadline
        launch(config(root, "true", linux__resources={"pids": {"limit": 9}}), folder)
    assert len(left) == 1


def test_two_containers_of_one_name(root: Path, folder: Path) -> None:
    path = f"/harden/test-{os.getpid()}-twice"
    document = config(root, *SH, "echo up; sleep 0.5", linux__cgroupsPath=path)
    running = Running(document, folder)
    running.until("up")
    result = launch(config(root, "true", linux__cgroupsPath=path), folder)
    assert "exists already" in result.error
    assert running.end() == 0


def test_a_terminal(root: Path, folder: Path) -> None:
    document = config(root, *SH, 'tty; read line; echo "got $line"; stty size; exit 4', process__terminal=True)
    running = Running(document, folder, terminal=True)
    seen = b""
    sent = False
    while select.select([running.screen], [], [], 20)[0]:
        try:
            seen += os.read(running.screen, 1000)
        except OSError:
            break
        if b"/dev/pts/0" in seen and not sent:
            fcntl.ioctl(running.screen, termios.TIOCSWINSZ, struct.pack("4H", 11, 22, 0, 0))  # which sends SIGWINCH
            time.sleep(0.3)
            os.write(running.screen, b"hello\r")
            sent = True
    assert running.end() == 4
    assert b"got hello" in seen
    assert b"11 22" in seen


def test_a_terminal_can_be_interrupted_from_outside(root: Path, folder: Path) -> None:
    running = Running(config(root, *SH, "echo up; exec sleep 60", process__terminal=True), folder, terminal=True)
    while b"up" not in os.read(running.screen, 1000):
        pass
    os.kill(running.pid, signal.SIGTERM)
    assert running.end() == 143


def test_without_a_terminal_of_ours_a_terminal_still_works(root: Path, folder: Path) -> None:
    result = launch(
        config(root, *SH, "stty size; cat", process__terminal=True, process__consoleSize={"height": 5, "width": 6}), folder, stdin="in\n"
    )
    assert "5 6" in result.out
    assert result.out.count("in") == 2  # its echo, and what cat wrote


def test_a_container_of_its_own_unaided_mistake_is_reported(root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("inside")

    monkeypatch.setattr("hardener.runtime.hostname.apply", broken)
    result = launch(config(root, "true"), folder)
    assert (result.code, result.error) == (125, "container start, step hostname: RuntimeError: inside")


def test_an_init_that_dies_is_reported(root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hardener.runtime.hostname.apply", lambda *_: os._exit(1))
    result = launch(config(root, "true"), folder)
    assert "killed before it started" in result.error
    assert result.code == parent.EXIT_FAILED


# --- many, and others' documents ------------------------------------------------------------------------------------------------


def test_many_at_once(root: Path, folder: Path) -> None:
    running = [Running(config(root, *SH, f"echo up; exit {number}"), folder) for number in range(10)]
    assert [one.end() for one in running] == list(range(10))


@pytest.mark.parametrize("name", ["runc-spec", "runc-spec-rootless"])
def test_what_runc_writes_runs(root: Path, folder: Path, name: str) -> None:
    document = json.loads((Path(__file__).parents[1] / "fixtures" / "oci" / f"{name}.json").read_text())
    document["root"]["path"] = root.name
    document["mounts"] += binds()
    result = launch(document, folder, stdin="echo $((6 * 7)); exit 5\n")
    assert (result.code, "42" in result.out) == (5, True), result


def test_an_ordinary_user_with_a_range(root: Path, folder: Path) -> None:
    if not Path("/usr/bin/newuidmap").exists():
        pytest.skip("newuidmap: not installed")
    (folder / "ids").write_text("daemon:300000:1000\n")

    def before() -> None:
        calls.unshare(consts.CLONE_NEWNS)
        mounting.mount("", "/", "", consts.MS_REC | consts.MS_PRIVATE)
        for path in ("/etc/subuid", "/etc/subgid"):
            if not Path(path).exists():
                Path(path).write_text("")
            tree = mounting.clone_tree(consts.AT_FDCWD, str(folder / "ids"))
            mounting.attach(tree, mounting.open_path(path), name=path)

    document = by_a_user(root, *SH, "id -u; id -g; id -G; cat /proc/self/uid_map", uid=1)
    for kind in ("uidMappings", "gidMappings"):
        document["linux"][kind] = [{"containerID": 0, "hostID": 1, "size": 1}, {"containerID": 1, "hostID": 300000, "size": 1000}]
    document["process"]["user"] = {"uid": 7, "gid": 8, "additionalGids": [9]}
    result = launch(document, folder, uid=1, before=before)
    assert result.error == ""
    assert result.out.split() == ["7", "8", "8", "9", "0", "1", "1", "1", "300000", "1000"]


def test_devices_that_are_asked_for(root: Path, folder: Path) -> None:
    device = {"path": "/dev/zero", "type": "c", "major": 1, "minor": 5, "fileMode": 0o600, "uid": 3, "gid": 4}
    kinds = [{"type": kind} for kind in ("mount", "uts")]
    changes = {"linux__namespaces": kinds, "linux__uidMappings": None, "linux__devices": [device], "linux__resources": None}
    assert launch(config(root, *SH, "stat -c '%a %u %g' /dev/zero", **changes), folder).out == "600 3 4\n"
    wrong = [{"path": "/dev/zero", "type": "c", "major": 1, "minor": 3}]
    assert "is not the device 1:3" in launch(config(root, "true", linux__devices=wrong), folder).error
    (root / "dev").mkdir()
    (root / "dev" / "null").write_text("no device")
    document = config(root, "true", **{**changes, "linux__devices": None})
    document["mounts"] = [mount for mount in document["mounts"] if not mount["destination"].startswith("/dev")]
    assert "/dev/null of the container is something else" in launch(document, folder).error
