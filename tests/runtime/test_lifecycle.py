"""What happens to containers that have a name: started, seen, stopped, started again, removed; and that nothing of them remains."""

import json
import os
import re
import signal
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from lives import Lives, alive, catches, until

from hardener.runtime import clock

SH = ("host", "sh", "-c")


def quiet(process: Path) -> None:
    """Wait until a process has not run for a moment."""

    def rests() -> bool:
        before = (process / "schedstat").read_text()
        time.sleep(0.5)
        return (process / "schedstat").read_text() == before

    until(rests)


def links(pid: int) -> list[str]:
    """Return what the open files of a process lead to."""
    found = []
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            found.append(os.readlink(path))
    return found


# --- in the foreground ----------------------------------------------------------------------------------------------------------


def test_a_name_keeps_a_record_of_a_program_that_has_ended(harden: Lives) -> None:
    result = harden("run", "--name", "one", "--label", "team=web", *SH, "echo out; echo err >&2; exit 3")
    assert (result.returncode, result.stdout, result.stderr) == (3, "out\n", "err\n")
    row = harden.ps("one")
    assert (row["State"], row["ExitCode"], row["Image"], row["Labels"]) == ("exited", 3, "host", "team=web")
    assert re.fullmatch(r"Exited \(3\) (Less than a|\d+) seconds? ago", row["Status"])
    assert harden.do("ps") == "CONTAINER ID   IMAGE   COMMAND   CREATED   STATUS   NAMES\n"
    assert harden.do("rm", "one") == "one\n"
    assert harden.ps("one") == {}


def test_rm_removes_the_record_at_the_end(harden: Lives) -> None:
    assert harden("run", "--name", "one", "--rm", *SH, "exit 4").returncode == 4
    assert harden.left() == []


def test_a_container_that_does_not_start_has_no_record(harden: Lives) -> None:
    for options in ([], ["-d"]):
        result = harden("run", *options, "--name", "one", "host", "/nosuch")
        assert (result.returncode, "/nosuch: not found" in result.stderr) == (127, True)
        result = harden("run", *options, "--name", "one", "host", "/etc/passwd")
        assert (result.returncode, "Permission denied" in result.stderr) == (126, True)
        assert harden.left() == []


def test_a_program_in_the_foreground_is_stopped_from_elsewhere(harden: Lives) -> None:
    running = harden.open("run", "--name", "one", "host", "sleep", "100")
    until(lambda: harden.ps("one").get("State") == "running")
    assert "runs in the foreground" in harden("attach", "one").stderr
    assert "started in the foreground" in harden("logs", "one").stderr
    assert harden.do("stop", "-t", "60", "one") == "one\n"
    assert running.wait(90) == 143
    running.communicate()
    assert harden.ps("one")["ExitCode"] == 143


# --- detached -------------------------------------------------------------------------------------------------------------------


def test_a_detached_container_has_logs_and_an_end(harden: Lives) -> None:
    identity = harden.do("run", "-d", "--name", "one", *SH, "echo out; echo err >&2; sleep 100").strip()
    until(lambda: harden("logs", "one").stdout != "")
    assert (harden.ps("one")["ID"], harden.ps("one")["State"]) == (identity, "running")
    result = harden("logs", "one")
    assert (result.stdout, result.stderr) == ("out\n", "err\n")
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z out\n", harden.do("logs", "-t", "one"))
    pid = harden.ps("one")["Pid"]
    assert alive(pid)
    assert harden.do("stop", "-t", "60", identity[:4]) == f"{identity[:4]}\n"
    assert not alive(pid)
    assert (harden.ps("one")["State"], harden.ps("one")["ExitCode"]) == ("exited", 143)
    assert harden.do("logs", "one") == "out\n"


def test_its_supervisor_is_small_sleeps_and_holds_nothing_that_is_not_its_own(harden: Lives) -> None:
    with open("/dev/null") as leaked:
        os.set_inheritable(leaked.fileno(), True)
        harden.do("run", "-d", "--name", "one", "host", "sleep", "100")
    supervisor = Path(f"/proc/{harden.record('one')['supervisor']}")
    until(lambda: b"runtime import supervisor" in (supervisor / "cmdline").read_bytes())
    until(lambda: len(links(int(supervisor.name))) == 10)  # it may rest before, where a file is read slowly
    quiet(supervisor)
    status = dict(line.split(":", 1) for line in (supervisor / "status").read_text().splitlines())
    assert int(status["VmRSS"].split()[0]) < 12 << 10
    assert (supervisor / "environ").read_bytes() == b""
    assert os.readlink(supervisor / "cwd") == "/"
    fds = links(int(supervisor.name))
    assert fds.count("/dev/null") == 3
    assert len(fds) == 10
    before = (supervisor / "schedstat").read_text()
    time.sleep(1)
    assert (supervisor / "schedstat").read_text() == before  # not once on a processor


def test_a_container_without_a_name_is_called_by_its_id(harden: Lives) -> None:
    identity = harden.do("run", "-d", "host", "sleep", "100").strip()
    assert harden.ps(identity)["ID"] == identity
    assert identity in harden.do("ps", "-q").split()


def test_an_empty_name_is_none(harden: Lives) -> None:
    harden.do("run", "--name", "", "host", "true")  # as --name "$UNSET": nobody could call it by that
    assert harden.left() == []


def test_detached_with_rm_leaves_nothing(harden: Lives) -> None:
    harden.do("run", "-d", "--rm", "--name", "one", *SH, "trap 'exit 5' USR1; echo ready; while :; do sleep 0.05; done")
    until(lambda: "ready" in harden.do("logs", "one"))
    waiter = harden.open("wait", "one")
    until(lambda: any(path.endswith("/exits") for path in links(waiter.pid)))
    harden.do("kill", "-s", "USR1", "one")
    assert waiter.communicate(timeout=60)[0] == "5\n"
    until(lambda: harden.left() == [])


def test_wait_tells_the_exit_code_of_what_runs_and_of_what_has_ended(harden: Lives) -> None:
    harden.do("run", "-d", "--name", "one", *SH, "sleep 0.5; exit 6")
    assert harden.do("wait", "one") == "6\n"
    assert harden.ps("one")["State"] == "exited"
    assert harden.do("wait", "one") == "6\n"


def test_started_again_it_writes_on_in_its_log(harden: Lives) -> None:
    harden.do("run", "-d", "--name", "one", *SH, "echo again")
    harden.do("wait", "one")
    assert harden.do("start", "one") == "one\n"
    harden.do("wait", "one")
    assert harden.do("logs", "one") == "again\nagain\n"
    result = harden("start", "-a", "one")
    assert (result.returncode, result.stdout) == (0, "again\n")
    assert harden.do("logs", "--tail", "1", "one") == "again\n"


def test_start_attached_is_attached_to_what_runs_already(harden: Lives) -> None:
    harden.do("run", "-d", "--name", "one", *SH, "trap 'echo heard; exit 4' USR1; echo ready; while :; do sleep 0.05; done")
    until(lambda: "ready" in harden.do("logs", "one"))
    starter = harden.open("start", "-a", "one")
    until(lambda: catches(starter.pid, signal.SIGUSR1))
    starter.send_signal(signal.SIGUSR1)
    assert (starter.communicate(timeout=60)[0], starter.returncode) == ("heard\n", 4)


def test_restart_makes_another_process_of_the_same_container(harden: Lives) -> None:
    harden.do("run", "-d", "--name", "one", "host", "sleep", "100")
    before = harden.ps("one")
    harden.do("restart", "-t", "0", "one")
    after = harden.ps("one")
    assert (before["ID"], after["State"]) == (after["ID"], "running")
    assert before["Pid"] != after["Pid"]


def test_kill_sends_a_signal(harden: Lives) -> None:
    harden.do("run", "-d", "--name", "one", *SH, "trap 'echo heard' USR1; echo ready; while :; do sleep 0.05; done")
    until(lambda: "ready" in harden("logs", "one").stdout)
    assert harden.do("kill", "-s", "USR1", "one") == "one\n"
    until(lambda: "heard" in harden("logs", "one").stdout)
    assert harden.do("kill", "one") == "one\n"
    assert harden.do("wait", "one") == "137\n"
    result = harden("kill", "one")
    assert (result.returncode, "the container one is not running" in result.stderr) == (2, True)


def test_a_program_that_ignores_the_signal_is_killed_after_its_time(harden: Lives) -> None:
    harden.do("run", "-d", "--stop-timeout", "1", "--name", "one", *SH, "trap '' TERM; echo ready; while :; do sleep 0.05; done")
    until(lambda: "ready" in harden("logs", "one").stdout)
    began = time.monotonic()
    harden.do("stop", "one")
    assert time.monotonic() - began >= 1
    assert harden.ps("one")["ExitCode"] == 137


def test_a_stop_signal_of_its_own(harden: Lives) -> None:
    script = "trap 'echo bye; exit 9' USR1; echo ready; while :; do sleep 0.05; done"
    harden.do("run", "-d", "--stop-signal", str(int(signal.SIGUSR1)), "--name", "one", *SH, script)
    until(lambda: "ready" in harden("logs", "one").stdout)
    harden.do("stop", "one")
    assert (harden.ps("one")["ExitCode"], harden.do("logs", "one")) == (9, "ready\nbye\n")


def test_too_much_memory_is_noted(harden: Lives) -> None:
    script = "x=$(head -c 100m /dev/zero | tr '\\0' x); echo $?"
    harden.do("run", "-d", "--name", "one", "--memory", str(16 << 20), *SH, script)
    harden.do("wait", "one")
    row = harden.ps("one")
    assert row["OOMKilled"] is True
    assert row["Note"].startswith("memory: ")


def test_what_is_paused_is_seen_stopped_and_swept(harden: Lives) -> None:
    harden.do("run", "-d", "--name", "one", "host", "sleep", "100")
    harden.do("pause", "one")
    row = harden.ps("one")
    assert (row["State"], row["Status"].endswith(" (Paused)")) == ("paused", True)
    harden.do("stop", "one")
    assert harden.ps("one")["ExitCode"] == 143
    harden.do("start", "one")
    harden.do("pause", "one")
    record = harden.record("one")
    os.kill(record["supervisor"], signal.SIGKILL)  # on cgroup v1 what is frozen does not even hear the kernel's own SIGKILL
    until(lambda: not alive(record["supervisor"]))
    assert harden.ps("one")["State"] == "exited"
    assert not any(map(os.path.exists, record["cgroups"]))
    assert not alive(record["pid"])


def test_a_supervisor_does_not_grow(harden: Lives) -> None:
    """Five megabytes of output, ten clients that come and go: the same descriptors, and no more memory than a buffer."""
    script = "trap 'yes | head -c 5000000; echo done' USR1; echo ready; while :; do sleep 0.05; done"
    harden.do("run", "-d", "--name", "one", *SH, script)
    supervisor = Path(f"/proc/{harden.record('one')['supervisor']}")
    until(lambda: "ready" in harden.do("logs", "one"))
    fds = len(list((supervisor / "fd").iterdir()))
    harden.do("kill", "-s", "USR1", "one")
    until(lambda: "done" in harden.do("logs", "--tail", "1", "one"))
    for _ in range(10):
        with harden.open("attach", "--sig-proxy=false", "one") as client:
            until(partial(catches, client.pid, signal.SIGWINCH))
            client.kill()
    until(lambda: len(list((supervisor / "fd").iterdir())) == fds)
    status = dict(line.split(":", 1) for line in (supervisor / "status").read_text().splitlines())
    assert int(status["VmRSS"].split()[0]) < 12 << 10


# --- rm -------------------------------------------------------------------------------------------------------------------------


def test_what_runs_is_removed_by_force_alone(harden: Lives) -> None:
    harden.do("run", "-d", "--name", "one", "host", "sleep", "100")
    pid = harden.ps("one")["Pid"]
    groups = harden.record("one")["cgroups"]
    assert all(map(os.path.isdir, groups))
    result = harden("rm", "one")
    assert (result.returncode, "the container one is running" in result.stderr) == (2, True)
    assert harden.do("rm", "-f", "one", "nosuch") == "one\n"
    assert not alive(pid)
    assert harden.left() == []
    assert not any(map(os.path.exists, groups))


def test_several_names_and_one_that_is_none(harden: Lives) -> None:
    for name in ("one", "two"):
        harden.do("run", "-d", "--name", name, "host", "sleep", "100")
    result = harden("stop", "one", "twoo", "two")
    assert (result.returncode, result.stdout) == (2, "one\ntwo\n")
    assert "there is no container 'twoo'" in result.stderr
    assert "did you mean 'two'?" in result.stderr


# --- restart policies -----------------------------------------------------------------------------------------------------------


def test_on_failure_gives_up(harden: Lives) -> None:
    harden.do("run", "-d", "--restart", "on-failure:2", "--name", "one", *SH, "echo try; exit 7")
    until(lambda: harden.ps("one")["State"] == "exited")
    row = harden.ps("one")
    assert (row["Restarts"], row["ExitCode"], harden.do("logs", "one")) == (2, 7, "try\ntry\ntry\n")


def test_on_failure_is_content_with_success(harden: Lives) -> None:
    harden.do("run", "-d", "--restart", "on-failure", "--name", "one", *SH, "echo once")
    harden.do("wait", "one")
    assert (harden.ps("one")["State"], harden.do("logs", "one")) == ("exited", "once\n")


@pytest.mark.parametrize("policy", ["always", "unless-stopped"])
def test_always_goes_on_until_it_is_stopped(harden: Lives, policy: str) -> None:
    harden.do("run", "-d", "--restart", policy, "--name", "one", *SH, "sleep 0.05")
    until(lambda: harden.ps("one")["Restarts"] >= 2)
    harden.do("stop", "one")
    assert harden.ps("one")["State"] == "exited"
    time.sleep(0.5)
    assert harden.ps("one")["State"] == "exited"


def test_each_restart_waits_longer(harden: Lives) -> None:
    harden.do("run", "-d", "--restart", "on-failure:3", "--name", "one", *SH, "exit 1")
    began = clock.parse(harden.record("one")["createdAt"])
    until(lambda: harden.ps("one")["State"] == "exited")
    assert (clock.parse(harden.record("one")["finishedAt"]) - began) / clock.SECOND_NS > 0.1 + 0.2 + 0.4


def test_stopped_between_two_lives(harden: Lives) -> None:
    harden.do("run", "-d", "--restart", "always", "--name", "one", *SH, "exit 1")
    until(lambda: harden.ps("one")["Status"].startswith("Restarting (1)") and harden.ps("one")["Restarts"] > 3)
    harden.do("stop", "one")  # at once: it does not wait for the next life
    assert harden.ps("one")["State"] == "exited"


def test_killed_from_outside_it_is_started_again(harden: Lives) -> None:
    harden.do("run", "-d", "--restart", "always", "--name", "one", "host", "sleep", "100")
    pid = harden.ps("one")["Pid"]
    os.kill(pid, signal.SIGKILL)
    until(lambda: harden.ps("one")["Pid"] not in (pid, None))  # one look: between two of them it may have ended
    assert harden.do("kill", "one") == "one\n"  # but this is somebody's wish
    until(lambda: harden.ps("one")["State"] == "exited")


def test_a_container_that_is_restarted_is_removed_by_force(harden: Lives) -> None:
    harden.do("run", "-d", "--restart", "always", "--name", "one", *SH, "exit 1")
    until(lambda: harden.ps("one")["Restarts"] >= 1)
    assert harden.do("rm", "-f", "one") == "one\n"
    assert harden.left() == []


# --- ps -------------------------------------------------------------------------------------------------------------------------


def test_ps_shows_what_is_asked_for(harden: Lives) -> None:
    harden.do("run", "-d", "--name", "web", "--label", "tier=front", "host", "sleep", "100")
    harden("run", "--name", "job", "--label", "tier=back", *SH, "exit 2")
    rows = harden.do("ps", "-a").splitlines()
    assert rows[0].split() == ["CONTAINER", "ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "NAMES"]
    assert [row.split()[-1] for row in rows[1:]] == ["job", "web"]
    for options, names in (
        ([], ["web"]),
        (["-n", "1"], ["job"]),
        (["-l"], ["job"]),
        (["-a", "--filter", "name=we"], ["web"]),
        (["-a", "--filter", "label=tier"], ["job", "web"]),
        (["-a", "--filter", "label=tier=back"], ["job"]),
        (["--filter", "status=exited"], ["job"]),
        (["--filter", "exited=2"], ["job"]),
        (["-a", "--filter", "exited=3"], []),
        (["-a", "--filter", "ancestor=host", "--filter", "status=running"], ["web"]),
        (["-a", "--filter", f"id={harden.ps('web')['ID'][:6]}"], ["web"]),
    ):
        shown = [json.loads(line)["Names"] for line in harden.do("ps", "--format", "json", *options).splitlines()]
        assert shown == names, options
    assert "sleep 100" in harden.do("ps", "--no-trunc")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["ps", "--filter", "nme=x"], "did you mean 'name'?"),
        (["ps", "--filter", "status=runing"], "did you mean 'running'?"),
        (["ps", "--filter", "exited=x"], "'x' is not an exit code"),
        (["ps", "--format", "jsn"], "did you mean 'json'?"),
        (["logs", "--tail", "x", "one"], "'x' is not a number of lines"),
        (["logs", "--since", "soon", "one"], "'soon' is not a moment"),
        (["kill", "-s", "TERMM", "one"], "did you mean 'TERM'?"),
        (["start", "-a", "one", "two"], "only one container"),
        (["wait", "one"], "there is no container 'one'"),
    ],
)
def test_what_is_wrong_is_said(harden: Lives, words: list[str], message: str) -> None:
    result = harden(*words)
    assert (result.returncode, message in result.stderr, result.stdout) == (2, True, ""), result


def test_the_beginning_of_an_id_must_be_one_containers(harden: Lives) -> None:
    for name in ("one", "two"):
        harden("run", "--name", name, "host", "true")
    for name, identity in (("one", "abc000000000"), ("two", "abd000000000")):
        path = harden.folder / "data" / "containers" / name / "state.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "id": identity}))
    assert harden.do("rm", "abc") == "abc\n"
    harden("run", "--name", "one", "host", "true")
    path = harden.folder / "data" / "containers" / "one" / "state.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "id": "abe000000000"}))
    result = harden("rm", "ab")
    assert (result.returncode, "'ab' is the beginning of 2 ids" in result.stderr) == (2, True)


def test_a_wish_for_both_removal_and_restarts_is_refused(harden: Lives) -> None:
    result = harden("run", "-d", "--rm", "--restart", "always", "host", "true")
    assert (result.returncode, "--rm and --restart contradict" in result.stderr) == (125, True)
