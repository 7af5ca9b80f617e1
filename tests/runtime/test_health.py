"""The health of containers: checked by their supervisors behind the walls of the container, and shown in docker's words."""

import json
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from layouts import Layout, entry, link, tar
from layouts import folder as directory
from lives import UNLIMITED, Lives, alive, until

BUSYBOX = Path("/bin/busybox")
needs_busybox = pytest.mark.skipif(not BUSYBOX.exists(), reason="needs busybox-static: a root of one file")
SH = ("host", "sh", "-c")
QUICK = ("--health-interval", "200ms", "--health-timeout", "60s")
SLEEP = "while :; do sleep 0.05; done"


def known(harden: Lives, name: str = "one") -> dict[str, Any]:
    """Return what `harden inspect` says of the health of a container."""
    found: dict[str, Any] = json.loads(harden.do("inspect", "--format", "json", name))[0].get("health", {})
    return found


def becomes(harden: Lives, status: str, name: str = "one") -> dict[str, Any]:
    """Wait until the health of a container is so; return what is known of it."""
    until(lambda: known(harden, name).get("Status") == status)
    return known(harden, name)


def checked(harden: Lives, name: str = "one", times: int = 1) -> list[dict[str, Any]]:
    """Wait until the health of a container has been checked so many times; return the checks."""
    until(lambda: len(known(harden, name).get("Log", ())) >= times)
    log: list[dict[str, Any]] = known(harden, name)["Log"]
    return log


def test_a_container_is_starting_then_healthy_then_unhealthy_and_healthy_again(harden: Lives) -> None:
    script = f"trap 'touch /tmp/well' USR1; trap 'rm /tmp/well' USR2; trap 'exit 0' TERM; {SLEEP}"
    harden.do("run", "-d", "--name", "one", "--health-cmd", "echo seen; cat /tmp/well", "--health-retries", "2", *QUICK, *SH, script)
    assert "(health: starting)" in harden.ps("one")["Status"] or known(harden)["Log"]
    told = becomes(harden, "unhealthy")
    assert told["FailingStreak"] >= 2
    assert harden.ps("one")["Status"].endswith(" (unhealthy)")
    assert harden.ps("one")["Health"] == "unhealthy"
    harden.do("kill", "-s", "USR1", "one")
    told = becomes(harden, "healthy")
    assert told["FailingStreak"] == 0
    assert (told["Log"][-1]["ExitCode"], told["Log"][-1]["Output"]) == (0, "seen\n")
    assert told["Log"][-1]["Start"] < told["Log"][-1]["End"]
    assert harden.ps("one")["Status"].endswith(" (healthy)")
    assert harden.do("ps", "-q", "--filter", "health=healthy").split() == [harden.ps("one")["ID"]]
    assert harden.do("ps", "-q", "--filter", "health=unhealthy") == ""
    harden.do("kill", "-s", "USR2", "one")
    told = becomes(harden, "unhealthy")
    assert len(told["Log"]) <= 5
    harden.do("stop", "one")
    assert harden.ps("one")["Status"].startswith("Exited (0)")
    assert known(harden)["Status"] == "unhealthy"  # what was known last
    assert harden.ps("one")["Health"] == "none"


def test_inspect_shows_the_last_check_and_lets_it_drive_no_terminal(harden: Lives) -> None:
    harden.do("run", "-d", "--name", "one", "--health-cmd", "printf '\\033[2Jbad\\nworse'; exit 9", "--health-interval", "1s", *SH, SLEEP)
    assert "not checked yet" in harden.do("inspect", "--format", "table", "one")
    checked(harden)
    row = next(line for line in harden.do("inspect", "--format", "table", "one").splitlines() if line.startswith("health"))
    assert "the last check exited with 9: \u241b[2Jbad worse" in row
    assert row.split()[1] in ("starting", "unhealthy")


def test_one_failure_of_three_is_not_unhealthy(harden: Lives) -> None:
    command = "n=$(cat /tmp/n 2>/dev/null); echo $((n + 1)) >/tmp/n; [ $((n % 3)) -ne 0 ]"
    harden.do("run", "-d", "--name", "one", "--health-cmd", command, *QUICK, *SH, SLEEP)
    log = checked(harden, times=5)
    assert sorted({each["ExitCode"] for each in log}) == [0, 1]
    assert known(harden)["Status"] == "healthy"


def test_failures_of_the_start_period_do_not_count(harden: Lives) -> None:
    words = ("--health-start-period", "1h", "--health-start-interval", "100ms", "--health-interval", "1h", "--health-retries", "1")
    harden.do("run", "-d", "--name", "one", "--health-cmd", "test -e /tmp/well", *words, *SH, f"trap 'touch /tmp/well' USR1; {SLEEP}")
    checked(harden, times=3)
    assert (known(harden)["Status"], known(harden)["FailingStreak"]) == ("starting", 0)
    harden.do("kill", "-s", "USR1", "one")
    becomes(harden, "healthy")
    log = known(harden)["Log"]
    time.sleep(0.5)
    assert known(harden)["Log"] == log  # from then on, an hour lies between two


def test_a_check_that_takes_too_long_is_killed_with_all_that_it_started(harden: Lives) -> None:
    words = ("--health-interval", "10s", "--health-start-period", "1h", "--health-start-interval", "2s", "--health-timeout", "500ms")
    harden.do("run", "-d", "--name", "one", "--health-cmd", "echo begun; sleep 1234; true", *words, *SH, SLEEP)
    entry = checked(harden)[0]
    assert (entry["ExitCode"], entry["Output"]) == (-1, "Health check exceeded timeout (0.5s): begun\n")
    group = Path(harden.record("one")["cgroups"][0], "cgroup.procs")

    def sleeping() -> list[str]:
        found = []
        for pid in group.read_text().split():
            with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
                if b"1234" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(pid)
        return found

    until(lambda: not sleeping())  # there is a moment without any between two checks


def children(harden: Lives, name: str = "one") -> list[str]:
    """Return the processes that a supervisor has started beside the container."""
    record = harden.record(name)
    pid = record["supervisor"]
    return [child for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split() if int(child) != record["pid"]]


def test_what_a_check_leaves_behind_holds_nobody_up(harden: Lives) -> None:
    command = "sleep 1000 & head -c 100000 /dev/zero | tr '\\0' x; exit 3"
    harden.do("run", "-d", "--name", "one", "--health-cmd", command, "--health-interval", "1s", *SH, SLEEP)
    entry = checked(harden)[0]
    assert entry["ExitCode"] == 3
    assert entry["Output"] == "x" * 4096 + "..."


def test_a_check_that_does_not_start_is_a_failure(harden: Lives, folder: Path) -> None:
    made = image(folder / "image", ["CMD", "/nosuch"])
    harden.do("run", "-d", "--name", "one", *QUICK, made, "/bin/sh", "-c", "sleep 100")
    entry = checked(harden)[0]
    assert entry["ExitCode"] == -1
    assert "/nosuch: not found" in entry["Output"]


def test_a_check_has_the_walls_of_its_container(harden: Lives) -> None:
    shown = "grep -E '^(Cap|NoNewPrivs|Seccomp|Uid|Groups)' /proc/self/status; id -u; cat /proc/self/uid_map; hostname; pwd; echo $WORD"
    harden.do("run", "-d", "--name", "one", "-e", "WORD=said", "-w", "/usr", "--health-cmd", shown, *QUICK, *SH, f"{shown}; {SLEEP}")
    until(lambda: "said" in harden.do("logs", "one"))
    plain = harden.do("logs", "one")
    assert checked(harden)[0]["Output"] == plain
    assert "CapEff:\t0000000000000000" in plain
    assert "Seccomp:\t2" in plain


def test_its_supervisor_stays_small_and_sleeps_between_checks(harden: Lives) -> None:
    words = ("--health-start-period", "1h", "--health-start-interval", "100ms", "--health-interval", "1h")
    harden.do("run", "-d", "--name", "one", "--health-cmd", "true", *words, *SH, SLEEP)
    becomes(harden, "healthy")
    until(lambda: not children(harden))
    supervisor = Path(f"/proc/{harden.record('one')['supervisor']}")
    status = dict(line.split(":", 1) for line in (supervisor / "status").read_text().splitlines())
    assert int(status["VmRSS"].split()[0]) < 12 << 10
    assert len(list((supervisor / "fd").iterdir())) == 10

    def rests() -> bool:
        before = (supervisor / "schedstat").read_text()
        time.sleep(0.5)
        return (supervisor / "schedstat").read_text() == before

    until(rests)


def test_what_is_paused_is_not_checked(harden: Lives) -> None:
    """Nor does a check count that was begun before, and could not answer."""
    words = ("--health-interval", "300ms", "--health-timeout", "2s", "--health-retries", "1")
    harden.do("run", "-d", "--name", "one", "--health-cmd", "sleep 0.2", *words, *SH, SLEEP)
    becomes(harden, "healthy")
    until(lambda: bool(children(harden)))
    harden.do("pause", "one")
    until(lambda: not children(harden))
    log = known(harden)["Log"]
    time.sleep(0.5)
    assert (known(harden)["Log"], known(harden)["Status"]) == (log, "healthy")
    assert harden.ps("one")["Status"].endswith(" (Paused)")
    harden.do("unpause", "one")
    until(lambda: known(harden)["Log"] != log)


def test_a_new_life_begins_anew(harden: Lives) -> None:
    words = ("--health-interval", "1h", "--health-start-period", "1h", "--health-start-interval", "100ms")
    harden.do("run", "-d", "--name", "one", "--health-cmd", "true", *words, *SH, f"trap 'exit 0' TERM; {SLEEP}")
    before = becomes(harden, "healthy")["Log"]
    harden.do("restart", "one")
    after = checked(harden)
    assert not [entry for entry in after if entry in before]
    becomes(harden, "healthy")


def test_an_end_in_the_middle_of_a_check_is_an_end(harden: Lives) -> None:
    harden.do("run", "-d", "--name", "one", "--health-cmd", "sleep 1000", *QUICK, *SH, f"trap 'exit 7' USR1; {SLEEP}")
    until(lambda: bool(children(harden)))
    (probe,) = children(harden)
    harden.do("kill", "-s", "USR1", "one")
    assert harden.do("wait", "one") == "7\n"
    until(lambda: not alive(int(probe)))


def test_checks_die_with_their_supervisor(harden: Lives) -> None:
    harden.do("run", "-d", "--name", "one", "--health-cmd", "sleep 1000", *QUICK, *SH, SLEEP)
    until(lambda: bool(children(harden)))
    (probe,) = children(harden)
    os.kill(harden.record("one")["supervisor"], signal.SIGKILL)
    until(lambda: not alive(int(probe)))
    assert harden.ps("one")["State"] == "exited"


def test_a_check_whose_process_is_killed_is_a_failure(harden: Lives) -> None:
    harden.do("run", "-d", "--name", "one", "--health-cmd", "sleep 1000", *QUICK, *SH, SLEEP)
    until(lambda: bool(children(harden)))
    with suppress(ProcessLookupError):
        os.kill(int(children(harden)[0]), signal.SIGKILL)
    entry = checked(harden)[0]
    assert (entry["ExitCode"], entry["Output"]) == (-1, "the check was killed")


def test_in_the_foreground_with_a_name(harden: Lives) -> None:
    words = ("--health-cmd", "echo fine", *QUICK)
    running = harden.open("run", "--name", "one", *words, *SH, "read line; echo got $line; exit 5", stdin=-1)
    until(lambda: harden.ps("one").get("Status", "").endswith(" (healthy)"))
    out, _ = running.communicate("word\n")
    assert (running.returncode, out) == (5, "got word\n")


def test_without_a_record_nobody_could_see_it(harden: Lives) -> None:
    result = harden("run", "--health-cmd", "true", "host", "true")
    assert (result.returncode, result.stderr) == (0, "harden: its health is not checked: that takes a --name or -d\n")


# --- what images say -------------------------------------------------------------------------------------------------------------


def image(path: Path, test: object, shell: list[str] | None = None, more: dict[str, object] | None = None) -> str:
    """Write an image of busybox with a HEALTHCHECK; return its name."""
    program = entry("bin/busybox", BUSYBOX.read_bytes(), mode=0o755)
    names = [link(f"bin/{name}", "bin/busybox", hard=True) for name in ("sh", "sleep", "cat", "echo")]
    check = {"Test": test, **(more or {})} if not isinstance(test, str) else test
    config = {"Cmd": ["/bin/sh", "-c", "sleep 100"], "Healthcheck": check, **({"Shell": shell} if shell else {})}
    layout = Layout(path)
    layout.add(layout.image(tar(directory("bin"), program, *names, directory("tmp")), config=config), "v1")
    return f"{path}:v1"


SECOND = 1_000_000_000


@needs_busybox
@pytest.mark.parametrize(
    ("test", "shell", "words", "output"),
    [
        (["CMD", "/bin/echo", "$HOME", "a b"], None, (), "$HOME a b\n"),
        (["CMD-SHELL", "echo $((1 + 1))"], None, (), "2\n"),
        (["CMD-SHELL", "echo no"], ["/bin/echo", "shell:"], (), "shell: echo no\n"),
        (["CMD", "/bin/echo", "no"], None, ("--health-cmd", "echo yes"), "yes\n"),
        (["NONE"], None, ("--health-cmd", "echo yes"), "yes\n"),
        ([], None, ("--health-cmd", "echo yes"), "yes\n"),
    ],
)
def test_the_check_of_an_image(
    harden: Lives, folder: Path, test: list[str], shell: list[str] | None, words: tuple[str, ...], output: str
) -> None:
    made = image(folder / "image", test, shell, {"Interval": SECOND // 10, "Timeout": 60 * SECOND, "Retries": 1})
    harden.do("run", "-d", "--name", "one", *words, made)
    log = becomes(harden, "healthy")["Log"]
    assert (log[0]["ExitCode"], log[0]["Output"]) == (0, output)


@needs_busybox
@pytest.mark.parametrize(
    ("test", "words"), [(["NONE"], ()), ([], ()), (["CMD", "/bin/echo"], ("--no-healthcheck",)), ("odd", ("--no-healthcheck",))]
)
def test_an_image_without_a_check(harden: Lives, folder: Path, test: object, words: tuple[str, ...]) -> None:
    harden.do("run", "-d", "--name", "one", *words, image(folder / "image", test))
    assert known(harden) == {}
    assert "health" not in harden.ps("one")["Status"]


@needs_busybox
def test_flags_change_the_numbers_of_an_image(harden: Lives, folder: Path) -> None:
    made = image(folder / "image", ["CMD", "/bin/cat", "/nosuch"], more={"Interval": 3600 * SECOND, "Retries": 100})
    harden.do("run", "-d", "--name", "one", "--health-interval", "100ms", "--health-retries", "1", made)
    becomes(harden, "unhealthy")
    (health,) = (each["job"]["health"] for each in json.loads(harden.do("inspect", "--format", "json", "one")))
    assert health == {"test": ["/bin/cat", "/nosuch"], "interval": SECOND // 10, "retries": 1}


@needs_busybox
@pytest.mark.parametrize(
    ("check", "more", "message"),
    [
        ("text", {}, "Healthcheck is no object"),
        ([1], {}, "Test is no list of words"),
        ({"CMD": "x"}, {}, "Test is no list of words"),
        (["CMD"], {}, "has nothing behind it"),
        (["EXEC", "x"], {}, "begins with 'EXEC'"),
        (["CMD", "x\0"], {}, "Test is no list of words"),
        (["CMD", "x"], {"Interval": 5}, "Interval is 5"),
        (["CMD", "x"], {"Interval": -1}, "Interval is -1"),
        (["CMD", "x"], {"Timeout": "30s"}, "Timeout is '30s'"),
        (["CMD", "x"], {"Retries": True}, "Retries is True"),
        (["CMD", "x"], {"StartPeriod": 1 << 70}, "StartPeriod is 1180"),
    ],
)
def test_checks_that_cannot_be_read(harden: Lives, folder: Path, check: object, more: dict[str, object], message: str) -> None:
    made = image(folder / "image", check, more=more)
    result = harden("run", "-d", "--name", "one", made)
    assert (result.returncode, message in result.stderr, "--no-healthcheck" in result.stderr) == (125, True, True), result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--health-cmd", "true", "--no-healthcheck"), "contradict each other"),
        (("--health-interval", "1s"), "no check that this could be for"),
        (("--health-cmd", "true", "--health-interval", "1"), "'1' is not a time"),
        (("--health-cmd", "true", "--health-timeout", "1us"), "'1us' is not a time"),
        (("--health-cmd", "true", "--health-timeout", "-1s"), "'-1s' is not a time"),
        (("--health-cmd", "true", "--health-retries", "-1"), "is not a number of failures"),
        (("--health-cmd", "true", "--health-retries", "x"), "is not a whole number"),
    ],
)
def test_flags_that_cannot_be(harden: Lives, words: tuple[str, ...], message: str) -> None:
    result = harden("run", "-d", "--name", "one", *words, "host", "true")
    assert (result.returncode, message in result.stderr) == (125, True), result.stderr


def test_a_user_has_checks_as_well(theirs: Lives) -> None:
    theirs.do(
        "run",
        "-d",
        *UNLIMITED,
        "--name",
        "one",
        "--health-cmd",
        "id -u; [ ! -e /tmp/ill ]",
        *QUICK,
        *SH,
        f"trap 'touch /tmp/ill' USR1; {SLEEP}",
    )
    assert becomes(theirs, "healthy")["Log"][0]["Output"] == "0\n"
    theirs.do("kill", "-s", "USR1", "one")
    becomes(theirs, "unhealthy")
    assert theirs.do("stop", "-t", "1", "one") == "one\n"


def test_a_filter_of_ps_for_what_is_no_health(harden: Lives) -> None:
    result = harden("ps", "--filter", "health=ill")
    assert (result.returncode, "'ill' is no health" in result.stderr) == (2, True)
