"""`harden pause`, `unpause` and `stats` on containers that run."""

import json
import os
import re
import signal
import time

import pytest
from lives import Lives, until

TICKING = ("host", "sh", "-c", "while :; do echo x; sleep 0.01; done")


def written(harden: Lives) -> int:
    return len(harden.do("logs", "one"))


def test_a_container_is_paused_and_goes_on(harden: Lives) -> None:
    harden.do("run", "-d", "--name", "one", *TICKING)
    until(lambda: written(harden) > 0)
    assert harden.do("pause", "one") == "one\n"
    assert harden.ps("one")["State"] == "paused"
    assert harden.ps("one")["Status"].endswith(" (Paused)")
    time.sleep(0.1)  # what it had written before reaches the log
    before = written(harden)
    time.sleep(0.2)
    assert written(harden) == before
    assert "is paused, and only what runs can be paused" in harden("pause", "one").stderr
    assert harden.do("unpause", "one") == "one\n"
    assert harden.ps("one")["State"] == "running"
    until(lambda: written(harden) > before)
    result = harden("unpause", "one", "none")
    assert result.returncode == 2
    assert "is running, not paused" in result.stderr
    assert "no container 'none'" in result.stderr


@pytest.mark.parametrize("words", [("kill",), ("stop", "-t", "1"), ("rm", "-f")])
def test_what_is_paused_can_be_ended(harden: Lives, words: tuple[str, ...]) -> None:
    harden.do("run", "-d", "--name", "one", *TICKING)
    until(lambda: written(harden) > 0)
    harden.do("pause", "one")
    harden.do(*words, "one")
    if words[0] != "rm":
        until(lambda: harden.ps("one").get("State") == "exited")
        assert harden.ps("one")["ExitCode"] in (137, 143)
    else:
        assert harden.ps("one") == {}


def test_what_containers_use(harden: Lives) -> None:
    harden.do("run", "-d", "--name", "busy", "--memory", str(64 << 20), "host", "sh", "-c", "while :; do :; done")
    identity = harden.do("run", "-d", "--name", "idle", "host", "sleep", "100").strip()
    rows = {row["Name"]: row for row in map(json.loads, harden.do("stats", "--no-stream", "--format", "json").splitlines())}
    assert rows.keys() == {"busy", "idle"}
    assert float(rows["busy"]["CPUPerc"].rstrip("%")) > 5 > float(rows["idle"]["CPUPerc"].rstrip("%"))
    assert re.fullmatch(r"[\d.]+[KM]iB / 64MiB", rows["busy"]["MemUsage"])
    assert re.fullmatch(r"[\d.]+%", rows["busy"]["MemPerc"])
    assert (rows["idle"]["PIDs"], rows["idle"]["NetIO"], rows["idle"]["Container"]) == ("1", "0B / 0B", identity)
    lines = harden.do("stats", "--no-stream", "idle").splitlines()
    assert re.sub(" {3,}", "|", lines[0]) == "CONTAINER ID|NAME|CPU %|MEM USAGE / LIMIT|MEM %|NET I/O|BLOCK I/O|PIDS"
    assert lines[1].startswith(f"{identity}   idle")
    assert len(lines) == 2
    harden.do("kill", "busy")
    until(lambda: harden.ps("busy").get("State") == "exited")
    ended = next(line for line in harden.do("stats", "-a", "--no-stream").splitlines() if "busy" in line)
    assert ended.split()[2:] == ["--"] * 6
    assert "no container 'none'" in harden("stats", "--no-stream", "none").stderr
    assert "did you mean 'json'" in harden("stats", "--format", "jsn").stderr


def test_stats_go_on_until_interrupted(harden: Lives) -> None:
    harden.do("run", "-d", "--name", "one", "host", "sleep", "100")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which is ignored in what a shell runs in the background
    watching = harden.open("stats", "--format", "json", "one")
    assert watching.stdout is not None
    for _ in range(2):
        assert json.loads(watching.stdout.readline())["Name"] == "one"
    os.kill(watching.pid, signal.SIGINT)
    watching.communicate(timeout=20)
    assert watching.returncode == 130
