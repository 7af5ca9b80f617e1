"""`harden exec`, as a user has it."""

import os
import pty
import select
import signal
import sys
from pathlib import Path

import pytest
from lives import Lives, until


@pytest.fixture
def one(harden: Lives) -> Lives:
    harden.do("run", "-d", "--name", "one", "host", "sleep", "100")
    return harden


@pytest.mark.parametrize(
    ("words", "code", "out", "err"),
    [
        (["one", "echo", "a b"], 0, "a b\n", ""),
        (["one", "--", "echo", "--", "x"], 0, "-- x\n", ""),
        (["one", "sh", "-c", "exit 9"], 9, "", ""),
        (["one", "sh", "-c", "kill -TERM $$"], 143, "", ""),
        (["one", "/nosuch"], 127, "", "/nosuch: not found"),
        (["one", "/etc/passwd"], 126, "", "Permission denied"),
        (["-w", "/tmp", "one", "pwd"], 0, "/tmp\n", ""),
        (["-w", "/nowhere", "one", "pwd"], 125, "", "/nowhere"),
        (["-w", "tmp", "one", "pwd"], 125, "", "is not absolute"),
        (["-e", "A=1", "-e", "GIVEN", "-e", "NOT_GIVEN", "one", "sh", "-c", "echo $A$GIVEN${NOT_GIVEN-unset}"], 0, "1givenunset\n", ""),
        (["-e", "=x", "one", "true"], 125, "", "'=x' is not NAME=value"),
        (["-u", "nobody", "one", "sh", "-c", "id -u; echo $HOME"], 0, "65534\n/nonexistent\n", ""),
        (["-u", "12:13", "one", "sh", "-c", "id -u; id -g"], 0, "12\n13\n", ""),
        (["-u", "12x", "one", "true"], 125, "", "no user '12x' in the container's /etc/passwd"),
        (["-u", "nobody", "one", "sh", "-c", "grep -c 'Cap.*:.*0000000000000000' /proc/self/status"], 0, "5\n", ""),
        (["--privileged", "one", "true"], 125, "", "gets no more than the container"),
        (["-it", "one", "true"], 125, "", "the input device is not a TTY"),
        (["one"], 125, "", "there is no program to run"),
        (["two", "true"], 125, "", "there is no container 'two'"),
        (["--nosuch", "one", "true"], 2, "", "--nosuch"),
    ],
)
def test_words(one: Lives, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int, out: str, err: str) -> None:
    one.environment["GIVEN"] = "given"
    result = one("exec", *words)
    assert (result.returncode, result.stdout, err in result.stderr) == (code, out, True), result


def test_variables_of_a_file(one: Lives, folder: Path) -> None:
    (folder / "env").write_text("# comment\n\nA=from file\n  B=2\nGIVEN\n")
    one.environment["GIVEN"] = "given"
    result = one("exec", "--env-file", str(folder / "env"), "-e", "B=3", "one", "sh", "-c", "echo $A,$B,$GIVEN")
    assert result.stdout == "from file,3,given\n"
    (folder / "env").write_text("A B=1\n")
    assert "'A B' is not the name of a variable" in one("exec", "--env-file", str(folder / "env"), "one", "true").stderr
    assert "cannot be read: No such file" in one("exec", "--env-file", "/nosuch", "one", "true").stderr


def test_input_only_when_asked_for(one: Lives) -> None:
    assert one("exec", "-i", "one", "cat", stdin="given").stdout == "given"
    assert one("exec", "one", "cat", stdin="given").stdout == ""


def test_detached_it_outlives_the_command(one: Lives) -> None:
    script = "a=$(readlink /proc/$$/fd/0 /proc/$$/fd/1 /proc/$$/fd/2); echo $a >/tmp/streams; echo $$ >/tmp/pid; sleep 100"
    assert one.do("exec", "-d", "one", "sh", "-c", script) == ""
    until(lambda: one("exec", "one", "sh", "-c", "kill -0 $(cat /tmp/pid)").returncode == 0)
    assert one("exec", "-d", "one", "/nosuch").returncode == 127
    assert one.do("exec", "one", "cat", "/tmp/streams") == "/dev/null /dev/null /dev/null\n"


def test_a_container_that_is_not_running(one: Lives) -> None:
    one.do("kill", "one")
    until(lambda: one.ps("one")["State"] == "exited")
    result = one("exec", "one", "true")
    assert (result.returncode, "the container one is not running" in result.stderr) == (125, True)


def test_a_paused_container_is_not_waited_for(one: Lives) -> None:
    one.do("pause", "one")
    result = one("exec", "one", "true", timeout_s=20)
    one.do("unpause", "one")
    assert (result.returncode, "the container one is paused" in result.stderr, "harden unpause one" in result.stderr) == (125, True, True)
    assert one("exec", "one", "true").returncode == 0


def test_a_killed_command_takes_its_program_with_it(one: Lives) -> None:
    running = one.open("exec", "one", "sh", "-c", "echo $$ >/tmp/pid; exec sleep 100")
    until(lambda: one("exec", "one", "test", "-s", "/tmp/pid").returncode == 0)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    until(lambda: one("exec", "one", "sh", "-c", "kill -0 $(cat /tmp/pid)").returncode != 0)
    assert one.ps("one")["State"] == "running"


def test_on_a_terminal(one: Lives) -> None:
    pid, screen = pty.fork()
    if pid == 0:
        words = ["python", "-m", "hardener", "exec", "-it", "one", "sh", "-c", "tty; echo $TERM; read x; echo got $x; exit 3"]
        os.execve(sys.executable, words, one.environment)
    seen = b""
    sent = False
    while select.select([screen], [], [], 20)[0]:
        try:
            seen += os.read(screen, 1000)
        except OSError:
            break
        if b"xterm" in seen and not sent:
            os.write(screen, b"hello\r")
            sent = True
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
    os.close(screen)
    assert b"/dev/pts/0" in seen
    assert b"got hello" in seen


def test_it_counts_in_the_limits_of_the_container(one: Lives) -> None:
    result = one("exec", "one", "sh", "-c", "for i in $(seq 300); do sleep 3 & done 2>&1 | head -1")
    assert "fork" in result.stdout


def test_run_asks_for_a_terminal_too(harden: Lives) -> None:
    result = harden("run", "-it", "host", "true")
    assert (result.returncode, "the input device is not a TTY" in result.stderr) == (125, True)


@pytest.mark.parametrize(("user", "kept"), [("root", "0000000000000000"), ("nobody", "0000000000000400")])
def test_a_capability_is_inherited_only_where_it_must_be(harden: Lives, user: str, kept: str) -> None:
    # CVE-2022-24769: root gets what it is given without that.
    words = ("run", "-u", user, "--cap-add", "NET_BIND_SERVICE", "host", "grep", "^Cap", "/proc/self/status")
    found = dict(line.split(":\t") for line in harden.do(*words).splitlines())
    assert found == {
        "CapInh": kept,
        "CapPrm": "0000000000000400",
        "CapEff": "0000000000000400",
        "CapBnd": "0000000000000400",
        "CapAmb": kept,
    }
