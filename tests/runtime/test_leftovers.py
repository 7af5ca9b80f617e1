"""Nothing is left: after many containers, many at once, and commands that are killed at any moment. soak.py does it by the thousand."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from forked import forked
from launching import config, launch
from soak import Soak, clean, crowd, killed, sequence

from hardener.linux import calls, consts, mounting
from hardener.linux.binding import MACHINE
from hardener.linux.filters import compile_filter

SH = ("/bin/sh", "-c")


@pytest.fixture
def soak(folder: Path) -> Iterator[Soak]:
    made = Soak(folder)
    yield made
    clean(made)
    assert made.settled() == {}


def test_one_after_another_at_once_and_killed(soak: Soak) -> None:
    assert sequence(soak, 4) == []
    assert crowd(soak, 5) == []
    assert len(soak.namespaces) >= 8
    assert soak.settled() == {}
    assert killed(soak, 8, 5, 0.7).keys() == {"killed", "finished", "supervisors"}


def test_a_command_that_is_killed_while_its_container_starts_in_the_background(soak: Soak) -> None:
    """The container had nobody left to report to, gave itself up for lost, and left its control groups for ever."""
    command = soak.container("-d", "--name", "soak-1", "host", "--", "sleep", "30")
    deadline = time.monotonic() + 20
    while not list(soak.folder.rglob("state.json")) and time.monotonic() < deadline:
        time.sleep(0.001)
    os.kill(command.pid, signal.SIGKILL)
    command.communicate()
    while "Up" not in (listed := soak.run("ps", "-a")[1]):
        if "soak-1" not in listed or "Exited" in listed:  # killed before it had handed over
            return
        assert time.monotonic() < deadline, listed
    assert soak.run("rm", "-f", "soak-1")[0] == 0
    assert soak.settled() == {}


def test_processes_that_outlive_the_first_one_are_ended(root: Path, folder: Path) -> None:
    """In a pid namespace that is not the container's own, the end of the program ends nobody else; its control group does."""
    keeper = subprocess.Popen(["unshare", "-p", "-f", "--kill-child", "sleep", "60"])
    try:
        children = Path(f"/proc/{keeper.pid}/task/{keeper.pid}/children")
        while not children.read_text().split():
            time.sleep(0.005)
        kinds = [{"type": kind} for kind in ("mount", "network", "ipc", "uts", "cgroup")]
        kinds.append({"type": "pid", "path": f"/proc/{children.read_text().split()[0]}/ns/pid"})
        document = config(root, *SH, "sleep 77 & echo started", linux__namespaces=kinds, linux__uidMappings=None, linux__gidMappings=None)
        result = launch(document, folder)
        assert (result.code, result.out, result.error) == (0, "started\n", "")
        assert not [path for path in Path("/proc").glob("[0-9]*/cmdline") if _words(path) == b"sleep\x0077\0"]
    finally:
        keeper.kill()
        keeper.wait()


def _words(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


@pytest.mark.parametrize("options", ["size=16k", "nr_inodes=3", "ro"])
@pytest.mark.parametrize(
    "words", [["run", "host", "true"], ["run", "-d", "--name", "x", "host", "true"], ["ps"], ["volume", "create", "v"]]
)
def test_no_room_no_inodes_and_a_read_only_disk(folder: Path, options: str, words: list[str]) -> None:
    """A folder for records and caches that takes nothing: the command works without it, or says in one message what it lacks."""
    place = folder / "full"
    place.mkdir()

    def run() -> tuple[int, str]:
        calls.unshare(consts.CLONE_NEWNS)
        mounting.mount("", "/", "", consts.MS_REC | consts.MS_PRIVATE)
        mounting.mount("tmpfs", str(place), "tmpfs", consts.MS_NODEV, "" if options == "ro" else f"{options},mode=755")
        if options == "ro":
            mounting.mount("", str(place), "", 0x20 | 0x1)  # MS_REMOUNT, MS_RDONLY
        elif options.startswith("size"):
            (place / "filler").write_bytes(b"x" * (1 << 14))
        soak = Soak.__new__(Soak)
        soak.environment = {**os.environ, "HARDENER_ROOT": str(place)}
        soak.launchers = set()
        return soak.run(*words)

    code, said = forked(run)
    assert code in (0, 1, 2, 125), said
    assert "Traceback" not in said
    assert "bug in hardener" not in said
    if code:
        assert said.count("harden: error:") == 1, said


# --- kernels that lack something ------------------------------------------------------------------------------------------------

NEEDED = (
    *("openat2", "open_tree", "move_mount", "mount_setattr", "fsopen", "fsconfig", "fsmount", "pivot_root", "umount2", "unshare"),
    *(
        "capset",
        "capget",
        "prctl",
        "setresuid",
        "setgroups",
        "seccomp",
        "sethostname",
        "setsid",
        "chdir",
        "fchdir",
        "socketpair",
        "mknodat",
    ),
)
SPARED = (
    "clone3",
    "pidfd_open",
    "pidfd_send_signal",
    "close_range",
    "keyctl",
    "landlock_create_ruleset",
    "landlock_restrict_self",
    "prlimit64",
)


@pytest.mark.parametrize("error", [38, 1])
@pytest.mark.parametrize("name", [*NEEDED, *SPARED])
def test_a_system_call_that_is_not_there_or_not_allowed(root: Path, folder: Path, name: str, error: int) -> None:
    """An old kernel, or an engine that we run inside of: it starts all the same with every wall, or it says what is missing."""
    rule = {"names": [name], "action": "SCMP_ACT_ERRNO", "errnoRet": error}
    program = compile_filter({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}, MACHINE)
    inner = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["acct"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}
    document = config(root, "/bin/cat", "/proc/self/status", linux__seccomp=inner)
    result = launch(document, folder, before=lambda: calls.seccomp_filter(program))
    if result.code == 0:
        lines = dict(line.split(":\t", 1) for line in result.out.splitlines() if ":\t" in line)
        assert (lines["CapBnd"], lines["CapEff"], lines["NoNewPrivs"], lines["Seccomp"]) == ("0" * 16, "0" * 16, "1", "2")
    else:
        assert result.code in (2, 125), result
        assert result.error
        assert "Error:" not in result.error, result
        assert result.out == ""
