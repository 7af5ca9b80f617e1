"""Terminals: raw while they are passed through, as before afterwards, and nobody waits for anybody."""

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

import pytest
from launching import PYTHON, Running, config

from hardener.errors import HardenError
from hardener.linux import calls, consts, signals
from hardener.oci.runtime import Spec
from hardener.runtime import cgroups, console, container

SH = ("/bin/sh", "-c")


@pytest.mark.parametrize(
    ("keys", "typed", "passed", "left"),
    [
        ("ctrl-p,ctrl-q", [b"a\x10\x11b"], b"a", True),
        ("ctrl-p,ctrl-q", [b"a\x10", b"\x11"], b"a", True),
        ("ctrl-p,ctrl-q", [b"a\x10", b"b"], b"a\x10b", False),
        ("ctrl-p,ctrl-q", [b"\x10\x10\x11"], b"\x10", True),
        ("ctrl-p,ctrl-q", [b"\x10"], b"", False),
        ("x", [b"abc", b"x"], b"abc", True),
        ("a,b", [b"aab"], b"a", True),
        ("ctrl-@,z", [b"\x00z"], b"", True),
        ("", [b"\x10\x11"], b"\x10\x11", False),
    ],
)
def test_keys_that_let_go(keys: str, typed: list[bytes], passed: bytes, left: bool) -> None:
    watch = console.Keys(keys)
    answers = [watch.feed(chunk) for chunk in typed]
    assert (b"".join(answer[0] for answer in answers), answers[-1][1]) == (passed, left)


@pytest.mark.parametrize("keys", ["ctrl-", "ctrl-ö", "ctrl-1", "alt-x", "a,,b", "ö"])
def test_keys_that_are_none(keys: str) -> None:
    with pytest.raises(HardenError, match="is not a key"):
        console.Keys(keys)


def attributes(fd: int) -> list[object]:
    return termios.tcgetattr(fd)


class Session(Running):
    """A launcher on a terminal whose settings can be looked at."""

    def until_shown(self, text: bytes) -> bytes:
        seen = b""
        while text not in seen:
            assert select.select([self.screen], [], [], 20)[0], seen
            seen += os.read(self.screen, 1000)
        return seen

    def settings(self) -> list[object]:
        return attributes(self.screen)  # of either side they are the same


@pytest.mark.parametrize(
    ("script", "number", "code"),
    [
        ("echo up; read x; exit 3", None, 3),
        ("trap 'exit 4' TERM; echo up; while :; do sleep 0.01; done", signal.SIGTERM, 4),
        ("echo up; exec sleep 60", signal.SIGTERM, 143),
        ("echo up; exec sleep 60", signal.SIGHUP, 129),
    ],
)
def test_our_terminal_is_as_before_afterwards(root: Path, folder: Path, script: str, number: int | None, code: int) -> None:
    running = Session(config(root, *SH, script, process__terminal=True), folder, terminal=True)
    running.until_shown(b"up\r\n")
    slave = os.open(f"/proc/{running.pid}/fd/0", os.O_RDWR | os.O_NOCTTY)  # keeps the terminal when all others have left it
    lflag = running.settings()[3]
    assert isinstance(lflag, int)
    assert not lflag & (termios.ECHO | termios.ICANON | termios.ISIG)
    if number is None:
        os.write(running.screen, b"\r")
    else:
        os.kill(running.pid, number)
    _, status = os.waitpid(running.pid, 0)
    assert os.waitstatus_to_exitcode(status) == code
    after = attributes(slave)[3]
    assert isinstance(after, int)
    assert after & termios.ECHO and after & termios.ICANON and after & termios.ISIG
    os.close(slave)
    os.close(running.screen)


def test_after_a_stop_it_is_raw_again(root: Path, folder: Path) -> None:
    running = Session(
        config(root, *SH, "trap 'echo cont' CONT; echo up; while :; do sleep 0.01; done", process__terminal=True), folder, terminal=True
    )
    running.until_shown(b"up\r\n")
    os.kill(running.pid, signal.SIGSTOP)
    cooked = termios.tcgetattr(running.screen)
    cooked[3] |= termios.ECHO | termios.ICANON
    termios.tcsetattr(running.screen, termios.TCSANOW, cooked)  # as a shell does
    os.kill(running.pid, signal.SIGCONT)
    running.until_shown(b"cont")
    lflag = running.settings()[3]
    assert isinstance(lflag, int)
    assert not lflag & (termios.ECHO | termios.ICANON)
    os.kill(running.pid, signal.SIGTERM)
    assert running.end() == 143


def test_a_program_that_does_not_read_does_not_hold_us_up(root: Path, folder: Path) -> None:
    # More than its terminal takes is typed; its output and our signals go on all the same.
    script = "stty raw -echo; echo up; for i in 1 2 3 4 5 6 7 8 9; do sleep 0.05; echo tick $i; done; exec sleep 60"
    running = Session(config(root, *SH, script, process__terminal=True), folder, terminal=True)
    running.until_shown(b"up")
    os.set_blocking(running.screen, False)
    for _ in range(40):
        try:
            os.write(running.screen, b"x" * 1000)
        except BlockingIOError:
            time.sleep(0.005)
    os.set_blocking(running.screen, True)
    running.until_shown(b"tick 9")
    os.kill(running.pid, signal.SIGTERM)
    assert running.end() == 143


def test_an_idle_terminal_costs_nothing(root: Path, folder: Path) -> None:
    running = Session(config(root, *SH, "echo up; exec sleep 60", process__terminal=True), folder, terminal=True)
    running.until_shown(b"up")
    time.sleep(0.1)

    def switches() -> str:
        return next(line for line in Path(f"/proc/{running.pid}/status").read_text().splitlines() if line.startswith("voluntary"))

    before = switches()
    time.sleep(0.5)
    assert switches() == before
    os.kill(running.pid, signal.SIGTERM)
    assert running.end() == 143


def test_its_first_window_has_our_size(root: Path, folder: Path) -> None:
    # The size is there before the program starts: it asks at once.
    code = (
        "import os, pty, sys, termios, fcntl, struct\n"
        "pid, screen = pty.fork()\n"
        "if pid == 0:\n"
        "    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('4H', 33, 77, 0, 0))\n"
        f"    sys.path[:0] = {sys.path!r}\n"
        "    from launching import config, _plan\n"
        "    from pathlib import Path\n"
        "    from hardener.runtime import container\n"
        f"    document = config({str(root)!r}, 'stty', 'size', process__terminal=True)\n"
        f"    os._exit(container.run(_plan(document, Path({str(folder)!r}), None)).code)\n"
        "seen = b''\n"
        "try:\n"
        "    while chunk := os.read(screen, 1000): seen += chunk\n"
        "except OSError: pass\n"
        "print(seen.decode()); os.waitpid(pid, 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["33", "77"], done.stderr


def test_a_large_output_arrives_whole(root: Path, folder: Path) -> None:
    running = Session(config(root, *SH, "seq 20000; echo the end", process__terminal=True), folder, terminal=True)
    seen = running.until_shown(b"the end\r\n")
    assert seen.count(b"\n") == 20001
    assert running.end() == 0


def test_signals_are_read_from_a_descriptor() -> None:
    mask = signals.block((signal.SIGUSR1,))
    fd = calls.signalfd((signal.SIGUSR1,))
    try:
        assert signals.read(fd) is None
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)  # another thread would die of it
        assert signals.read(fd) == signal.SIGUSR1
    finally:
        os.close(fd)
        signals.restore(mask)


def test_what_nobody_takes_is_dropped() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    assert console._write(writer, b"words") == 5
    os.close(writer)
    assert console._read(writer) == b""
    assert console._write(writer, b"words") == 5
    master, slave = pty.openpty()
    os.close(slave)
    assert console._read(master) == b""
    os.close(master)


@pytest.mark.parametrize("init", ["true", "false"])
def test_a_terminal_of_an_ordinary_user(root: Path, folder: Path, init: str) -> None:
    # Who may not look into a process that is not dumpable gets the terminal from it.
    uid = 4321
    maps = [{"containerID": 0, "hostID": uid, "size": 1}]
    document = config(root, *SH, "tty; exit 3", linux__uidMappings=maps, linux__gidMappings=maps, linux__resources=None)
    document["mounts"] = [mount for mount in document["mounts"] if mount["destination"] not in (PYTHON, "/probe.py")]
    document["process"]["terminal"] = True
    document["annotations"] = {"dev.hardener.init": init}
    pid, screen = pty.fork()
    if pid == 0:
        code = 99
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            calls.prctl(consts.PR_SET_DUMPABLE, 1)
            spec = Spec.parse(document)
            made = container.plan(spec, bundle="/", name=f"test-{os.getpid()}", machine=cgroups.read_layout())
            code = container.run(made).code
        finally:
            os._exit(code)
    seen = b""
    while select.select([screen], [], [], 20)[0]:
        try:
            seen += os.read(screen, 1000)
        except OSError:
            break
    os.close(screen)
    assert (os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen) == (3, b"/dev/pts/0\r\n")
