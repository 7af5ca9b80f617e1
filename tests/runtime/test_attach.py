"""Being a container's input and output for a while: with and without a terminal, by several at once, and leaving it again."""

import fcntl
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import termios
import time
from pathlib import Path

from lives import Lives, catches, until

from hardener.runtime import attach

SH = ("host", "sh", "-c")
ECHO = 'echo ready; while read line; do echo "got $line"; done; echo over'


def waiting(script: str) -> str:
    """Return a script that does something when it gets USR1."""
    return f"trap '{script}' USR1; echo ready; while :; do sleep 0.05; done"


def attached(lives: Lives, *options: str) -> "subprocess.Popen[str]":
    """Attach to a container that waits, and return when output cannot be missed any more."""
    until(lambda: "ready" in lives.do("logs", "one"))
    process = lives.open("attach", *options, "one")
    until(lambda: catches(process.pid, signal.SIGWINCH))
    return process


class Screen:
    """A terminal with a command on it."""

    def __init__(self, lives: Lives, *words: str) -> None:
        self.master, slave = pty.openpty()
        self.size(24, 80)
        self.process = lives.open(*words, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)
        self.shown = b""
        until(lambda: words[0] != "attach" or catches(self.process.pid, signal.SIGWINCH))

    def size(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def see(self, text: bytes, timeout_s: float = 60) -> None:
        deadline = time.monotonic() + timeout_s
        while text not in self.shown:
            assert time.monotonic() < deadline, self.shown
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    self.shown += os.read(self.master, 4096)
                except OSError:
                    assert text in self.shown, self.shown
        self.shown = self.shown[self.shown.index(text) + len(text) :]

    def code(self) -> int:
        code = self.process.wait(60)
        os.close(self.master)
        return code


def test_input_goes_in_and_output_comes_out(harden: Lives) -> None:
    harden.do("run", "-d", "-i", "--name", "one", *SH, ECHO)
    with harden.open("attach", "one", stdin=subprocess.PIPE) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write("a\n")
        client.stdin.flush()
        until(lambda: "got a" in harden.do("logs", "one"))
        harden.do("stop", "-t", "0", "one")
        assert client.wait(60) == 143
        assert "got a\n" in client.stdout.read()


def test_the_end_of_input_is_handed_on_by_who_started_it(harden: Lives) -> None:
    harden("run", "-d", "-i", "--name", "one", *SH, ECHO)
    harden.do("stop", "-t", "0", "one")
    result = harden("start", "-a", "-i", "one", stdin="x\ny\n")
    assert (result.returncode, result.stdout) == (0, "ready\ngot x\ngot y\nover\n")


def test_without_input_there_is_none(harden: Lives) -> None:
    harden.do("run", "-d", "--name", "one", *SH, ECHO)
    assert harden.do("wait", "one") == "0\n"
    assert harden.do("logs", "one") == "ready\nover\n"


def test_streams_stay_apart_and_the_exit_code_comes_back(harden: Lives) -> None:
    harden.do("run", "-d", "--name", "one", *SH, waiting("echo out; echo err >&2; exit 9"))
    process = attached(harden)
    harden.do("kill", "-s", "USR1", "one")
    assert (*process.communicate(timeout=60), process.returncode) == ("out\n", "err\n", 9)


def test_several_see_the_same(harden: Lives) -> None:
    harden.do("run", "-d", "--name", "one", *SH, waiting("echo seen; exit"))
    crowd = [attached(harden, "--no-stdin") for _ in range(3)]
    harden.do("kill", "-s", "USR1", "one")
    assert [process.communicate(timeout=60)[0] for process in crowd] == ["seen\n"] * 3


def test_signals_are_handed_on(harden: Lives) -> None:
    harden.do("run", "-d", "--name", "one", *SH, "trap 'echo heard; exit 5' INT; echo ready; while :; do sleep 0.05; done")
    process = attached(harden)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (5, "heard\n")


def test_signals_can_be_kept(harden: Lives) -> None:
    harden.do("run", "-d", "--name", "one", *SH, "echo ready; sleep 100")
    process = attached(harden, "--sig-proxy=false")
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGTERM
    assert harden.ps("one")["State"] == "running"


def test_who_does_not_read_holds_nobody_up_for_long(harden: Lives) -> None:
    harden.do("run", "-d", "--name", "one", *SH, "sleep 0.7; head -c 3000000 /dev/zero | tr '\\0' 'x' | fold -w 100; echo; echo over")
    silent = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    silent.connect(str(harden.folder / "run" / "containers" / "one" / "attach.sock"))
    harden.do("wait", "one")
    silent.close()
    assert harden.do("logs", "--tail", "1", "one") == "over\n"
    assert len(harden.do("logs", "one").replace("\n", "")) == 3_000_004


def test_the_socket_is_the_users_alone(harden: Lives) -> None:
    name = "n" * 120  # with the folders before it, more than the name of a socket may be long
    harden.do("run", "-d", "-i", "--hostname", "h", "--name", name, *SH, ECHO)
    path = harden.folder / "run" / "containers" / name / "attach.sock"
    assert path.stat().st_mode & 0o777 == 0o600
    for folder in (path.parent, path.parent.parent, harden.folder / "run"):
        assert folder.stat().st_mode & 0o777 == 0o700
    abstract = [line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines() if "@" in line]
    assert not any("hardener" in address or "attach" in address for address in abstract)  # CVE-2020-15257
    with harden.open("attach", name, stdin=subprocess.PIPE) as client:
        assert client.stdin is not None
        client.stdin.write("long\n")
        client.stdin.flush()
        until(lambda: "got long" in harden.do("logs", name))
        harden.do("rm", "-f", name)


def test_what_does_not_run_has_no_streams(harden: Lives) -> None:
    harden("run", "--name", "one", "host", "true")
    result = harden("attach", "one")
    assert (result.returncode, "the container one is exited, not running" in result.stderr) == (2, True)


# --- with a terminal ------------------------------------------------------------------------------------------------------------


def test_a_terminal_is_left_and_taken_up_again(harden: Lives) -> None:
    harden.do("run", "-d", "-t", "-i", "--name", "one", *SH, 'while read line; do echo "<$line $(stty size)>"; done; exit 3')
    screen = Screen(harden, "attach", "one")
    screen.type(b"first\r")
    screen.see(b"<first 24 80>")
    screen.size(30, 90)
    os.kill(screen.process.pid, signal.SIGWINCH)
    time.sleep(0.3)
    screen.type(b"second\r")
    screen.see(b"<second 30 90>")
    screen.type(b"\x10\x11")  # ctrl-p ctrl-q
    assert screen.code() == 0
    assert harden.ps("one")["State"] == "running"
    screen = Screen(harden, "attach", "--detach-keys", "ctrl-a", "one")
    screen.type(b"third\r")
    screen.see(b"<third 24 80>")
    screen.type(b"\x01")
    assert screen.code() == 0
    screen = Screen(harden, "attach", "one")
    screen.type(b"\x04")
    assert screen.code() == 3
    assert "<third 24 80>" in harden.do("logs", "one")


def test_in_the_foreground_with_a_name_it_can_be_left_too(harden: Lives) -> None:
    screen = Screen(harden, "run", "-it", "--name", "one", *SH, 'echo ready; read line; echo "<$line>"; exit 4')
    screen.see(b"ready")
    screen.type(b"\x10\x11")
    assert screen.code() == 0
    screen = Screen(harden, "attach", "one")
    screen.type(b"back\r")
    screen.see(b"<back>")
    assert screen.code() == 4
    assert harden.ps("one")["ExitCode"] == 4


def test_in_the_foreground_with_rm_it_is_gone_when_the_command_ends(harden: Lives) -> None:
    screen = Screen(harden, "run", "-it", "--rm", "--name", "one", *SH, "exit 6")
    assert screen.code() == 6
    until(lambda: harden.left() == [])


def test_a_terminal_without_one_of_ours(harden: Lives) -> None:
    harden.do("run", "-d", "-t", "--name", "one", *SH, waiting("tty; echo err >&2; exit 2"))
    process = attached(harden)
    harden.do("kill", "-s", "USR1", "one")
    assert (*process.communicate(timeout=60), process.returncode) == ("/dev/pts/0\nerr\n", "", 2)


def test_what_was_said_before_the_end_is_heard_whoever_has_read_our_input() -> None:
    """A socket that is closed with something unread tells of that first, and then gives what is still in it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.send(b"e")
    theirs.send(b"x5")
    theirs.close()
    try:
        assert [attach._receive(ours), attach._receive(ours)] == [b"x5", b""]
    finally:
        ours.close()
