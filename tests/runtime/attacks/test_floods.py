"""Floods: processes, memory, files, messages, logs, signals. Each ends at a limit of the container, and its machine does not notice."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from attacking import INTERPRETER, default
from launching import launch
from soak import Soak

MIB = 1 << 20
COMMAND = [sys.executable, "-m", "hardener", "run"]
FORKS = """
import os, time
end = time.time() + 1
made = 0
while time.time() < end:
    try:
        if os.fork():
            made += 1
        else:
            time.sleep(30)
    except BlockingIOError:
        pass
print(made, flush=True)
"""
# One mebibyte after another, by every way there is to make a process or the kernel hold memory.
HOLD = {
    "anonymous": "kept.append(bytearray(1 << 20))",
    "a file of /tmp": "os.write(file, block)",
    "memory without a name": "os.write(memory, block)",
    "pipes": "ends = os.pipe2(os.O_NONBLOCK); fcntl.fcntl(ends[1], 1031, 1 << 20); os.write(ends[1], block); kept.append(ends)",
    "sockets": "pair = socket.socketpair(); pair[0].setblocking(False); pair[0].send(block[:200000]); kept.append(pair)",
    "System V": "at = libc.shmat(libc.shmget(0, 1 << 20, 0o1600), 0, 0); ctypes.memset(at, 1, 1 << 20); libc.shmdt(at)",
    "names in /tmp": "[open(f'/tmp/{number}.{one}', 'w').close() for one in range(1000)]",
}
BEGIN = """
import ctypes, fcntl, os, resource, socket
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
libc.shmat.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int]
libc.shmdt.argtypes = [ctypes.c_void_p]
kept, block = [], b'x' * (1 << 20)
file, memory = os.open('/tmp/big', os.O_WRONLY | os.O_CREAT), os.memfd_create('x')
print('up', flush=True)
for number in range(400):
"""


def limited(document: Any, memory: int) -> Any:
    document["linux"]["resources"]["memory"] = {"limit": memory, "swap": memory}
    return document


def test_a_fork_bomb(place: Path) -> None:
    document = default(*INTERPRETER, "-c", FORKS)
    document["linux"]["resources"]["pids"] = {"limit": 30}
    result = launch(document, place)
    assert 0 < int(result.out) < 30
    assert [notice for notice in result.notices if notice.startswith("pids: ") and "30" in notice], result
    assert result.code == 0


@pytest.mark.parametrize("way", HOLD)
def test_a_memory_bomb(place: Path, way: str) -> None:
    document = limited(default(*INTERPRETER, "-c", f"{BEGIN}    {HOLD[way]}\nprint('all of it')"), 48 * MIB)
    for mount in document["mounts"]:
        if mount["destination"] == "/tmp":
            mount["options"] = [word for word in mount["options"] if not word.startswith("size=")] + ["size=1g"]
    document["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 1024}]
    result = launch(document, place)
    assert result.out == "up\n", result
    killed = [notice for notice in result.notices if notice.startswith("memory: ")]
    assert (result.code == 137 and killed) or result.code == 1, result


def test_files_in_memory_are_limited_by_size_too(place: Path) -> None:
    script = "for at in /tmp /run /dev/shm; do head -c 200m /dev/zero >$at/big; stat -c %s $at/big; rm $at/big; done"
    result = launch(default("/bin/sh", "-c", script), place)
    sizes = [int(line) for line in result.out.split()]
    assert len(sizes) == 3
    assert all(size <= 64 * MIB for size in sizes), sizes
    assert result.err.count("No space left") == 3
    assert result.code == 0


def test_folders_that_hide_this_machine_cannot_be_filled(place: Path) -> None:
    places = "/home /root /var /srv /mnt /dev / /etc /usr /proc /sys"
    script = f"for at in {places}; do (head -c 8m /dev/zero >$at/big) 2>/dev/null; stat -c %s $at/big; done"
    result = launch(default("/bin/sh", "-c", script), place)
    assert sum(int(line) for line in result.out.split()) <= 4 * MIB, result


def test_processor_time_is_limited(place: Path) -> None:
    document = default(*INTERPRETER, "-c", "import os, time\nif os.fork() == 0 or os.fork() == 0:\n    pass\n"
                       "end = time.time() + 1\nwhile time.time() < end: pass\ntime.sleep(0.2)\nprint(sum(os.times()[:2]))")  # fmt: skip
    document["linux"]["resources"]["cpu"] = {"quota": 20000, "period": 100000}
    assert all(float(line) < 0.5 for line in launch(document, place).out.split())


def test_a_log_flood(folder: Path) -> None:
    soak = Soak(folder)
    assert soak.run("run", "-d", "--name", "soak-1", "host", "sh", "-c", "yes $(head -c 500 /dev/zero | tr '\\0' x)")[0] == 0
    time.sleep(2)
    memory = [
        int(line.split()[1])
        for pid in soak.processes()
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmRSS") and b"supervisor" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and "log" in path.name)
    assert soak.run("rm", "-f", "soak-1")[0] == 0
    assert size < 64 * MIB
    assert memory
    assert max(memory) < 40_000
    assert soak.settled() == {}


def test_a_workload_that_ignores_sigterm(folder: Path) -> None:
    soak = Soak(folder)
    script = "trap '' TERM INT HUP; echo up; while :; do sleep 0.05; done"
    assert soak.run("run", "-d", "--name", "soak-1", "host", "sh", "-c", script)[0] == 0
    begin = time.monotonic()
    while "up" not in soak.run("logs", "soak-1")[1]:
        assert time.monotonic() < begin + 20
    begin = time.monotonic()
    code, said = soak.run("stop", "-t", "1", "soak-1")
    assert code == 0, said
    assert 1 <= time.monotonic() - begin < 12
    assert "(137)" in soak.run("ps", "-a")[1]
    soak.run("rm", "soak-1")
    assert soak.settled() == {}


def test_a_workload_in_the_foreground_that_ignores_sigterm_dies_with_its_launcher() -> None:
    script = "trap '' TERM INT HUP; echo up; while :; do sleep 0.05; done"
    with subprocess.Popen([*COMMAND, "host", "sh", "-c", script], stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.readline()
        running.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert running.poll() is None  # it has a say in that, as under docker
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
        running.kill()
        running.wait()
        deadline = time.monotonic() + 90
        while any(os.path.exists(f"/proc/{pid}") for pid in children):
            assert time.monotonic() < deadline


def test_output_that_nobody_reads_holds_up_the_program_alone() -> None:
    with subprocess.Popen([*COMMAND, "host", "sh", "-c", "yes"], stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.read(1 << 16)
        time.sleep(0.5)
        rss = int(Path(f"/proc/{running.pid}/statm").read_text().split()[1]) * 4096
        assert rss < 64 * MIB
        running.send_signal(signal.SIGTERM)
        assert running.wait(20) == 143
