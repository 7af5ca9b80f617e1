"""The first process of a container with `--init`: a reaper of ours, out of reach of what it started."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from forked import forked
from launching import PYTHON, Running, config, launch

from hardener.errors import HardenError
from hardener.linux import calls, consts, signals
from hardener.oci.runtime import Spec
from hardener.runtime import reaper

SH = ("/bin/sh", "-c")
WANTED = {"dev.hardener.init": "true"}


def inside(root: Path, *args: str, **changes: Any) -> dict[str, Any]:
    return config(root, *args, annotations=WANTED, **changes)


REACH = r"""
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
def attempt(what):
    try:
        what()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"
def call(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "")
def peek():
    local = ctypes.create_string_buffer(8)
    vector = (ctypes.c_size_t * 2)(ctypes.addressof(local), 8)
    call(libc.process_vm_readv(1, vector, 1, (ctypes.c_size_t * 2)(0x400000, 8), 1, 0))
print("pid", os.getpid())
print("readlink", attempt(lambda: os.readlink("/proc/1/exe")))
for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_PATH):
    print("exe", flags, attempt(lambda: os.open("/proc/1/exe", flags)))
for name in ("mem", "environ", "maps", "auxv", "stack", "syscall"):
    print(name, attempt(lambda: os.read(os.open(f"/proc/1/{name}", os.O_RDONLY), 1)))
for name in ("fd", "fdinfo", "map_files", "root/", "cwd/", "ns", "task/1/fd"):
    print(name, attempt(lambda: [os.readlink(f"/proc/1/{name}/{one}") for one in os.listdir(f"/proc/1/{name}")]))
print("execve", attempt(lambda: os.execve("/proc/1/exe", ["x"], {})))
print("attach", attempt(lambda: call(libc.ptrace(16, 1, 0, 0))))
print("seize", attempt(lambda: call(libc.ptrace(0x4206, 1, 0, 0))))
print("peek", attempt(peek))
print("getfd", attempt(lambda: call(libc.syscall(438, os.pidfd_open(1), 0, 0))))
print("setns", attempt(lambda: call(libc.setns(os.pidfd_open(1), 0x00020000))))
"""


@pytest.mark.parametrize("caps", [[], ["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_SYS_ADMIN", "CAP_KILL"]])
def test_it_leads_to_nothing_of_this_machine(root: Path, folder: Path, caps: list[str]) -> None:
    sets = dict.fromkeys(("bounding", "effective", "permitted", "inheritable", "ambient"), caps)
    result = launch(inside(root, f"{PYTHON}/bin/python3", "-I", "-S", "-c", REACH, process__capabilities=sets), folder)
    answers = dict(line.rsplit(" ", 1) for line in result.out.splitlines())
    assert answers.pop("pid") == "2", result
    assert len(answers) == 24
    assert {name: answer for name, answer in answers.items() if answer not in ("EACCES", "EPERM")} == {}


def test_it_tells_nothing_of_its_command_line(root: Path, folder: Path) -> None:
    result = launch(inside(root, *SH, "tr '\\0' ' ' </proc/1/cmdline; cat /proc/1/comm"), folder)
    assert result.out.split() == ["harden-init", "harden-init"]


def test_it_stands_behind_the_same_walls(root: Path, folder: Path) -> None:
    seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["acct"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}
    keys = "^(Cap|NoNewPrivs|Seccomp|Uid|Gid|Groups)"
    document = inside(root, *SH, f"grep -E '{keys}' /proc/1/status; echo; grep -E '{keys}' /proc/self/status", linux__seccomp=seccomp)
    document["process"]["user"] = {"uid": 1000, "gid": 1001, "additionalGids": [7]}
    result = launch(document, folder)
    first, _, own = result.out.partition("\n\n")
    assert first.splitlines() == own.splitlines()
    assert "Seccomp:\t2" in first, result
    assert "CapBnd:\t0000000000000000" in first


def test_orphans_are_buried(root: Path, folder: Path) -> None:
    script = "for i in 1 2 3 4 5 6 7 8; do (sh -c 'exit 3' &) ; done; sleep 0.3; grep -l 'State:.Z' /proc/[0-9]*/status; exit 5"
    result = launch(inside(root, *SH, script), folder)
    assert (result.code, result.out) == (5, "")


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["true"], 0),
        ([*SH, "exit 77"], 77),
        ([*SH, "kill -KILL $$"], 137),
        ([*SH, "kill -SEGV $$"], 139),
        ([*SH, "kill -KILL 1; exit 4"], 4),  # it cannot be killed from inside
        ([*SH, "sleep 60 & exit 6"], 6),  # what is left goes with it
        (["nosuch"], 127),
        (["/probe.py"], 126),
    ],
)
def test_the_exit_code_is_the_programs(root: Path, folder: Path, args: list[str], code: int) -> None:
    assert launch(inside(root, *args), folder).code == code


def test_no_descriptor_of_it_holds_a_pipe_open(root: Path, folder: Path) -> None:
    running = Running(inside(root, *SH, "ls -l /proc/self/fd/ >/dev/null; echo up; exec sleep 30 >/dev/null 2>&1 </dev/null"), folder)
    running.until("up")
    first = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()[0]
    assert os.listdir(f"/proc/{first}/fd") == []
    os.kill(running.pid, signal.SIGTERM)
    assert running.end() == 143


@pytest.mark.parametrize(
    ("script", "number", "code"),
    [
        ("trap 'exit 5' TERM; echo up; while :; do sleep 0.01; done", signal.SIGTERM, 5),
        ("trap 'exit 6' HUP; echo up; while :; do sleep 0.01; done", signal.SIGHUP, 6),
        ("echo up; exec sleep 60", signal.SIGTERM, 143),
        ("echo up; exec sleep 60", signal.SIGINT, 130),
        ("trap '' TERM; echo up; sleep 0.3; exit 9", signal.SIGTERM, 9),
    ],
)
def test_signals_are_handed_on(root: Path, folder: Path, script: str, number: int, code: int) -> None:
    running = Running(inside(root, *SH, script), folder)
    running.until("up")
    os.kill(running.pid, number)
    assert running.end() == code


def test_the_program_leads_a_process_group(root: Path, folder: Path) -> None:
    result = launch(inside(root, *SH, "cut -d' ' -f1,5,6 /proc/$$/stat; cut -d' ' -f1,5,6 /proc/1/stat"), folder)
    assert result.out.splitlines() == ["2 2 1", "1 1 1"]


def test_on_a_terminal_it_is_in_the_foreground(root: Path, folder: Path) -> None:
    script = "trap 'exit 7' INT; read -r _ _ _ _ group _ _ leader _ </proc/$$/stat; echo $group $leader; while :; do sleep 0.01; done"
    running = Running(inside(root, *SH, script, process__terminal=True), folder, terminal=True)
    seen = b""
    while b"2 2" not in seen:
        seen += os.read(running.screen, 1000)
    os.write(running.screen, b"\x03")
    assert running.end() == 7


def test_in_a_joined_pid_namespace_it_reaps_too(root: Path, folder: Path) -> None:
    kinds = [{"type": kind} for kind in ("mount", "ipc", "uts", "network")]
    script = "(sh -c 'sleep 0.1; exit 3' &); sleep 0.3; cat /proc/[0-9]*/stat | grep -c \" $PPID .* Z \"; exit 5"
    result = launch(inside(root, *SH, script, linux__namespaces=kinds, linux__uidMappings=None), folder)
    assert (result.code, result.out.strip()) == (5, "0"), result


def test_a_capability_that_reaches_it_is_refused(root: Path) -> None:
    held = {"bounding": ["CAP_SYS_PTRACE"], "permitted": ["CAP_SYS_PTRACE"]}
    with pytest.raises(HardenError, match="CAP_SYS_PTRACE without a user namespace"):
        reaper.plan(Spec.parse(config(root, "x", process__capabilities=held, linux__namespaces=[{"type": "mount"}])))
    assert reaper.plan(Spec.parse(config(root, "x", process__capabilities=held))).lines() == ["starts the program, reaps, forwards signals"]


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("exit 3", 3),
        ("kill -KILL $$", 137),
        ("trap 'exit 4' TERM; kill -TERM $PPID; while :; do sleep 0.01; done", 4),
        ("(exit 9) & sleep 0.1; exit 5", 5),
    ],
)
def test_what_the_first_process_does_meanwhile(script: str, code: int) -> None:
    def child() -> int:
        calls.prctl(consts.PR_SET_CHILD_SUBREAPER, 1)
        watched = signals.every()
        mask = signals.block((*watched, signals.TTOU))
        signals.catch(watched)
        program = os.fork()
        if program == 0:
            signals.reset()
            signals.restore(mask)
            os.execv("/bin/sh", ["sh", "-c", script])
        return reaper._stand_by(program, watched)

    assert forked(child) == code


def test_a_signal_for_a_program_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = iter((signals.TERM, signals.TERM, signals.CHLD))
    errors = iter((ProcessLookupError(), PermissionError()))

    def kill(pid: int, number: int) -> None:
        raise next(errors)

    monkeypatch.setattr(signals, "wait", lambda watched: next(taken))
    monkeypatch.setattr("posix.kill", kill)

    def child() -> int:
        program = os.fork()
        if program == 0:
            os._exit(6)
        os.waitid(os.P_PID, program, os.WEXITED | os.WNOWAIT)
        return reaper._stand_by(program, ())

    assert forked(child) == 6


def test_it_keeps_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    did: list[object] = []

    def leave(code: int) -> None:
        did.append(code)
        raise InterruptedError

    monkeypatch.setattr(calls, "fork", lambda: 7)
    monkeypatch.setattr(calls, "close_range", lambda first: did.append(f"closed from {first}"))
    monkeypatch.setattr(reaper, "_stand_by", lambda program, watched: 40 + program)
    monkeypatch.setattr("posix._exit", leave)

    def child() -> list[object]:
        with pytest.raises(InterruptedError):
            reaper.Reaper(first=False, terminal=False).fork()
        return did

    assert forked(child) == ["closed from 0", 47]
