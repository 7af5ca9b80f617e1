"""Many containers, one after another, at once, and killed at any moment: what of them is left. Run as `python tests/support/soak.py`.

Every command and every program carries a mark in its environment, by which processes are known as ours among others'; what exists for
them alone (namespaces, control groups, mounts, records, temporary files) is looked for by their ids.
"""

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parents[2]
RESTING = "import time; time.sleep(30)"


class Soak:
    """Commands with records in a folder of their own, and what is seen of them on the machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mark = f"HARDENER_ROOT={folder}".encode()
        self.environment = {**os.environ, "HARDENER_ROOT": str(folder), "PYTHONPATH": str(HERE), "TMPDIR": str(folder / "tmp")}
        (folder / "tmp").mkdir()
        self.namespaces: set[str] = set()
        self.launchers: set[int] = set()
        self.descriptors = len(os.listdir("/proc/self/fd"))

    def start(self, *words: str) -> "subprocess.Popen[bytes]":
        """Start a command as the leader of a process group."""
        command = [sys.executable, "-m", "hardener", *words]
        started = subprocess.Popen(
            command, env=self.environment, cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, process_group=0
        )
        self.launchers.add(started.pid)
        return started

    def run(self, *words: str) -> tuple[int, str]:
        """Run a command; return its exit code, and its output or else its complaint."""
        started = self.start(*words)
        out, err = started.communicate(timeout=120)
        return started.returncode, (out or err).decode()

    def container(self, *words: str) -> "subprocess.Popen[bytes]":
        """Start a container of this machine's root whose program carries our mark."""
        return self.start("run", "-e", "HARDENER_ROOT", *words)

    def processes(self) -> list[int]:
        """Return the processes that carry our mark."""
        found = []
        for name in os.listdir("/proc"):
            if name.isdigit() and int(name) != os.getpid():
                with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
                    words = Path(f"/proc/{name}/environ").read_bytes().split(b"\0") + Path(f"/proc/{name}/cmdline").read_bytes().split(
                        b"\0"
                    )
                    if self.mark in words or any(str(self.folder).encode() in word for word in words):
                        found.append(int(name))
        return found

    def look(self) -> None:
        """Remember the namespaces of the containers that run."""
        ours = {os.readlink(f"/proc/self/ns/{kind}") for kind in os.listdir("/proc/self/ns")}
        for pid in self.processes():
            for kind in ("mnt", "pid", "net", "ipc", "uts", "user", "cgroup", "time"):
                with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
                    self.namespaces.add(os.readlink(f"/proc/{pid}/ns/{kind}"))
        self.namespaces -= ours

    def left(self) -> dict[str, list[str]]:
        """Return what is left, by its kind; nothing is what is wanted."""
        there = set()
        for name in os.listdir("/proc"):
            if name.isdigit():
                with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
                    there |= {os.readlink(f"/proc/{name}/ns/{kind}") for kind in os.listdir(f"/proc/{name}/ns")}
        groups = []
        for folder, names, _ in os.walk("/sys/fs/cgroup"):
            if folder.endswith("/harden"):
                groups += [f"{folder}/{name}" for name in names if self._is_ours(name)]
        mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(self.folder) in line]
        files = [
            str(path) for path in self.folder.rglob("*") if path.is_file() and path.name not in ("lock",) and "cache" not in path.parts
        ]
        found = {
            "processes": [str(pid) for pid in self.processes()],
            "namespaces": sorted(self.namespaces & there),
            "control groups": groups,
            "mounts": mounts,
            "files": files,
            "descriptors": [str(number) for number in range(len(os.listdir("/proc/self/fd")) - self.descriptors)],
        }
        return {kind: rows for kind, rows in found.items() if rows}

    def _is_ours(self, name: str) -> bool:
        words = name.replace(".", "-").split("-")
        return name.startswith("soak") or any(word.isdigit() and int(word) in self.launchers for word in words)

    def settled(self, limit_s: float = 20) -> dict[str, list[str]]:
        """Return what is left once nothing changes any more."""
        deadline = time.monotonic() + limit_s
        while (found := self.left()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return found


def sequence(soak: Soak, runs: int) -> list[int]:
    """Run containers one after another; return the exit codes that are wrong."""
    wrong = []
    for number in range(runs):
        running = soak.container("host", "--", "sh", "-c", f"exit {number % 100}")
        if number % 25 == 0:
            soak.look()
        running.communicate(timeout=120)
        if running.returncode != number % 100:
            wrong.append(running.returncode)
    return wrong


def crowd(soak: Soak, runs: int) -> list[int]:
    """Run containers at once; return the exit codes that are wrong."""
    running = [soak.container("--memory", "64m", "--pids-limit", "16", "host", "--", "sleep", "2") for _ in range(runs)]
    deadline = time.monotonic() + 30
    while any(one.poll() is None for one in running) and time.monotonic() < deadline:
        soak.look()
        time.sleep(0.2)
    with ThreadPoolExecutor(runs) as pool:
        list(pool.map(lambda one: one.communicate(timeout=300), running))
    return [one.returncode for one in running if one.returncode]


def killed(soak: Soak, times: int, seed: int, most_s: float) -> dict[str, int]:
    """Kill launchers, supervisors and whatever else of a command there is, at random moments; return how often each died of it."""
    chance = random.Random(seed)
    ends = {"killed": 0, "finished": 0, "supervisors": 0}
    for number in range(times):
        detached = number % 2 == 1
        options = ["-d", "--name", f"soak-{number}"] if detached else []
        running = soak.container(*options, "host", "--", "sleep", "0.2")
        time.sleep(chance.uniform(0.0, most_s))
        if number % 10 == 0:
            soak.look()
        if detached:
            for pid in soak.processes():
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    words = Path(f"/proc/{pid}/cmdline").read_bytes()
                    if pid != running.pid and b"sleep" not in words.split(b"\0")[0]:
                        os.kill(pid, signal.SIGKILL)
                        ends["supervisors"] += 1
        with contextlib.suppress(ProcessLookupError):
            os.kill(running.pid, signal.SIGKILL)
        running.communicate(timeout=60)
        ends["killed" if running.returncode == -signal.SIGKILL else "finished"] += 1
    return ends


def clean(soak: Soak) -> None:
    """Do what a user does next: one more run, a look at what there is, and the removal of what has a name."""
    soak.run("run", "host", "true")
    _, listed = soak.run("ps", "-aq")
    for name in listed.split():
        soak.run("rm", "-f", name)


def main() -> int:
    """Soak, and say what is left; the exit code is 1 when anything is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=50)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        soak = Soak(Path(name))
        for what, act in (
            (f"{given.runs} runs one after another", lambda: sequence(soak, given.runs)),
            (f"{given.at_once} runs at once", lambda: crowd(soak, given.at_once)),
            (f"{given.kills} killed at random moments", lambda: killed(soak, given.kills, given.seed, 0.8)),
        ):
            begin = time.monotonic()
            said = act()
            took_s = time.monotonic() - begin
            at_once = soak.settled(3)
            clean(soak)
            left = soak.settled()
            failed |= bool(left)
            print(f"{what}: {took_s:.0f} s, {said or 'all as expected'}")
            print(f"  left at once: { {kind: len(rows) for kind, rows in at_once.items()} or 'nothing' }")
            print(f"  left after the next command: {left or 'nothing'} ({len(soak.namespaces)} namespaces seen)", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
