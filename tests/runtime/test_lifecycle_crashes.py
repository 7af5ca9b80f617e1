"""Commands that meet on one name, supervisors that are killed, disks that are full: one clear answer, and nothing left behind."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from lives import COMMAND, UNLIMITED, Lives, alive, until

SH = ("host", "sh", "-c")


def running(lives: Lives, *options: str, name: str = "one") -> int:
    lives.do("run", "-d", *options, "--name", name, "host", "sleep", "100")
    pid: int = lives.record(name)["pid"]
    assert alive(pid)
    return pid


def crash(lives: Lives, name: str = "one") -> None:
    os.kill(lives.record(name)["supervisor"], signal.SIGKILL)
    until(lambda: not alive(lives.record(name)["supervisor"]))


def groups(record: dict[str, list[str]]) -> list[str]:
    return [path for path in record["cgroups"] if os.path.exists(path)]


# --- two commands at once -------------------------------------------------------------------------------------------------------


def test_of_many_commands_for_one_name_one_wins(harden: Lives) -> None:
    crowd = [harden.open("run", "-d", "--name", "one", "host", "sleep", "100") for _ in range(8)]
    ends = [process.communicate(timeout=60) for process in crowd]
    codes = [process.returncode for process in crowd]
    assert sorted(codes) == [0, *[125] * 7]
    for code, (out, err) in zip(codes, ends, strict=True):
        assert (err.count("harden: error: the name 'one' is taken"), bool(out)) == ((0, True) if code == 0 else (1, False)), err
    assert harden.ps("one")["State"] == "running"


def test_a_name_is_free_again_at_once(harden: Lives) -> None:
    for _ in range(5):
        assert harden("run", "--rm", "--name", "one", "host", "true").returncode == 0
    for _ in range(3):
        harden.do("run", "-d", "--rm", "--name", "one", "host", "true")
        harden("wait", "one")
    until(lambda: harden.left() == [])


@pytest.mark.parametrize("options", [["-d"], [], ["-d", "--restart", "always"]])
def test_stopped_while_it_starts(harden: Lives, options: list[str]) -> None:
    for delay_ms in (0, 30, 60, 100):
        starting = harden.open("run", *options, "--name", "one", "host", "sleep", "100")
        until((harden.folder / "data" / "containers" / "one").exists)
        time.sleep(delay_ms / 1000)
        harden.do("stop", "-t", "1", "one")
        starting.communicate(timeout=60)
        row = harden.ps("one")
        assert row.get("State", "exited") == "exited", (delay_ms, row)
        assert harden("rm", "one").returncode in (0, 2)
        assert harden.left() == []


def test_removed_while_it_starts(harden: Lives) -> None:
    for delay_ms in (0, 30, 60, 100):
        starting = harden.open("run", "-d", "--name", "one", "host", "sleep", "100")
        until((harden.folder / "data" / "containers" / "one").exists)
        time.sleep(delay_ms / 1000)
        harden.do("rm", "-f", "one")
        starting.communicate(timeout=60)
        assert harden.left() == []


def test_two_that_start_it_again_or_remove_it(harden: Lives) -> None:
    harden("run", "--name", "one", "host", "sleep", "0.1")
    for words in (["start", "one"], ["rm", "-f", "one"]):
        crowd = [harden.open(*words) for _ in range(4)]
        for process in crowd:
            _, err = process.communicate(timeout=60)
            assert process.returncode == 0 or "another command" in err or "there is no container" in err, err
    assert harden.left() == []


# --- killed ---------------------------------------------------------------------------------------------------------------------


def test_a_container_dies_with_its_supervisor_and_the_next_command_says_so(harden: Lives) -> None:
    pid = running(harden)
    before = harden.record("one")
    assert len(groups(before)) >= 3
    crash(harden)
    row = harden.ps("one")
    assert (row["State"], row["ExitCode"], row["Note"]) == ("exited", 137, "its supervisor was killed, and it with it")
    assert not alive(pid)
    assert groups(before) == []
    assert list((harden.folder / "run" / "containers").iterdir()) == []
    harden.do("start", "one")
    assert harden.ps("one")["State"] == "running"
    harden.do("stop", "one")


def test_with_rm_nothing_of_it_is_left(harden: Lives) -> None:
    pid = running(harden, "--rm")
    crash(harden)
    assert harden.do("ps", "-aq") == ""
    assert not alive(pid)
    assert harden.left() == []


def test_a_command_in_the_foreground_that_is_killed(harden: Lives) -> None:
    foreground = harden.open("run", "--name", "one", "host", "sleep", "100")
    until(lambda: harden.ps("one").get("State") == "running")
    pid = harden.record("one")["pid"]
    foreground.kill()
    foreground.communicate()
    assert harden.ps("one")["State"] == "exited"
    assert not alive(pid)


def test_killed_at_any_moment_of_its_start(harden: Lives) -> None:
    ids = set()
    for at_ms in range(5, 200, 15):
        starting = harden.open("run", "-d", "--name", "one", "host", "sleep", "100", start_new_session=True)
        time.sleep(at_ms / 1000)
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if str(harden.folder).encode() in words and b"import" in words:
                os.kill(int(path.parent.name), signal.SIGKILL)
        starting.kill()
        starting.communicate()
        row = harden.ps("one")
        ids.add(row.get("ID", ""))
        if row.get("State") in ("created", "running"):  # it was not yet there to be killed
            harden.do("rm", "-f", "one")
        else:
            assert row.get("State", "exited") == "exited", (at_ms, row)
            harden("rm", "one")
        harden.do("ps")
        assert harden.left() == [], at_ms
    assert [path for path in Path("/sys/fs/cgroup").glob("*/harden/one.*") if path.name[4:] in ids] == []


def test_sigterm_to_the_supervisor_stops_the_container_in_its_own_way(harden: Lives) -> None:
    harden.do("run", "-d", "--name", "one", *SH, "trap 'echo bye; exit 8' TERM; echo ready; while :; do sleep 0.05; done")
    until(lambda: "ready" in harden("logs", "one").stdout)
    os.kill(harden.record("one")["supervisor"], signal.SIGTERM)
    until(lambda: harden.ps("one")["State"] == "exited")
    assert (harden.ps("one")["ExitCode"], harden.do("logs", "one")) == (8, "ready\nbye\n")


def test_a_number_that_another_process_has_now_is_left_alone(harden: Lives) -> None:
    running(harden)
    crash(harden)
    with subprocess.Popen(["sleep", "100"]) as other:
        path = harden.folder / "data" / "containers" / "one" / "state.json"
        path.write_text(json.dumps({**harden.record("one"), "pid": other.pid, "started": 1}))
        assert harden.ps("one")["State"] == "exited"
        assert other.poll() is None
        other.kill()


def test_after_a_boot_nothing_runs(harden: Lives) -> None:
    running(harden)
    crash(harden)
    path = harden.folder / "data" / "containers" / "one" / "state.json"
    path.write_text(json.dumps({**harden.record("one"), "bootId": "another"}))
    shutil.rmtree(harden.folder / "run")
    row = harden.ps("one")
    assert (row["State"], row["ExitCode"], row["Note"]) == ("exited", 255, "this machine was booted")


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"id": "x", "name": "two", "status": "exited"}', '{"id": "x", "name": "one", "status": "y"}']
)
def test_a_damaged_record_does_not_hide_the_others(harden: Lives, content: str) -> None:
    harden("run", "--name", "one", "host", "true")
    harden("run", "--name", "two", "host", "true")
    (harden.folder / "data" / "containers" / "one" / "state.json").write_text(content)
    assert (harden.ps("one")["State"], harden.ps("two")["State"]) == ("dead", "exited")
    for words in (["start", "one"], ["wait", "one"], ["rm", "one"], ["stop", "one"]):
        result = harden(*words)
        assert (result.returncode, "its record is damaged" in result.stderr) == (2, True), result
    assert harden.do("rm", "-f", "one") == "one\n"
    assert harden.ps("one") == {}


def test_a_damaged_job(harden: Lives) -> None:
    harden("run", "--name", "one", "host", "true")
    (harden.folder / "data" / "containers" / "one" / "job.json").write_text("{}")
    assert harden.ps("one")["State"] == "exited"
    result = harden("start", "one")
    assert (result.returncode, "job.json is damaged" in result.stderr) == (2, True)
    assert harden.ps("one")["State"] == "exited"


def test_what_killed_commands_left_of_records_is_swept(harden: Lives) -> None:
    home = harden.folder / "data" / "containers"
    harden("run", "--name", "one", "host", "true")
    for name in (".gone-abc", ".new-999999-1-abc"):
        (home / name / "below").mkdir(parents=True)
        (home / name / "below" / "file").touch()
    harden.do("ps")
    assert sorted(path.name for path in home.iterdir()) == ["one"]


# --- disks ----------------------------------------------------------------------------------------------------------------------


def on_a_disk(folder: Path, options: str, script: str) -> "subprocess.CompletedProcess[str]":
    """Run a script whose HARDENER_ROOT is a filesystem of its own, in a mount namespace that ends with it."""
    (folder / "disk").mkdir(exist_ok=True)
    text = f"""
set -u
harden() {{ {" ".join(COMMAND)} "$@"; }}
mount -t tmpfs -o {options} tmpfs {folder}/disk || exit 99
export HARDENER_ROOT={folder}/disk
{script}
"""
    environment = {**os.environ, "PYTHONPATH": Lives(folder).environment["PYTHONPATH"]}
    return subprocess.run(["unshare", "-m", "sh", "-c", text], env=environment, capture_output=True, text=True, timeout=200, check=False)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a filesystem")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("size=12k", "No space left on device"),
        ("nr_inodes=4", "No space left on device"),
        ("ro", "Read-only file system"),
    ],
)
@pytest.mark.parametrize("flag", ["-d", "--rm"])
def test_a_record_that_cannot_be_written(folder: Path, options: str, message: str, flag: str) -> None:
    found = 'find "$HARDENER_ROOT/data" "$HARDENER_ROOT/run" -type f 2>/dev/null'
    result = on_a_disk(folder, options, f'harden run {flag} --name one host true; echo "code $?"; {found}')
    assert result.stdout == "code 125\n", result
    assert result.stderr.count("harden: error:") == 1
    assert message in result.stderr
    assert "fix: " in result.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a filesystem")
def test_a_disk_that_fills_up_loses_lines_and_says_so_but_neither_the_container_nor_its_exit_code(folder: Path) -> None:
    (folder / "run").mkdir()
    words = r"i=0; while [ \$i -lt 200 ]; do echo line \$i of many; i=\$((i+1)); done"
    script = f"""
mkdir $HARDENER_ROOT/run && mount --bind {folder}/run $HARDENER_ROOT/run
harden run -d --name one host sh -c 'trap "{words}; exit 6" USR1; echo first; while :; do sleep 0.05; done'
until harden logs one | grep -q first; do :; done
head -c 10m /dev/zero > $HARDENER_ROOT/fill 2>/dev/null
harden kill -s USR1 one
harden wait one; echo "code $?"
rm $HARDENER_ROOT/fill
harden ps -a --format json
harden logs one
harden rm one
"""
    result = on_a_disk(folder, "size=256k", script)
    lines = result.stdout.splitlines()
    assert lines[1:4] == ["one", "6", "code 0"], result
    row = json.loads(lines[4])
    assert (row["State"], row["ExitCode"]) == ("exited", 6)
    assert lines[5] == "first"
    assert lines[-1] == "one"


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a filesystem")
def test_lines_that_found_no_room_are_counted_in_the_log(folder: Path) -> None:
    (folder / "flag").mkdir()
    (folder / "flag").chmod(0o777)
    words = r'trap "i=0; while [ \$i -lt 400 ]; do echo line \$i of many; i=\$((i+1)); done; touch /mnt/done" USR1; '
    words += 'trap "echo last; exit" USR2; echo first; while :; do sleep 0.05; done'
    script = f"""
harden run -d -v {folder}/flag:/mnt --name one host sh -c '{words}'
until harden logs one | grep -q first; do :; done
head -c 10m /dev/zero > $HARDENER_ROOT/fill 2>/dev/null
harden kill -s USR1 one
until [ -e {folder}/flag/done ]; do sleep 0.1; done
sleep 0.5
rm $HARDENER_ROOT/fill
harden kill -s USR2 one
harden wait one
harden logs one 2>&1 >/dev/null
harden logs one 2>/dev/null | tail -1
harden rm one
"""
    result = on_a_disk(folder, "size=256k", script)
    lines = result.stdout.splitlines()
    assert re.fullmatch(r"harden: \d+ bytes were not kept: No space left on device", lines[4]), result
    assert lines[-2:] == ["last", "one"]


# --- as an ordinary user --------------------------------------------------------------------------------------------------------


def test_a_user_has_containers_as_well(theirs: Lives) -> None:
    theirs.do("run", "-d", *UNLIMITED, "--name", "one", *SH, "echo out; sleep 100")
    until(lambda: theirs("logs", "one").stdout == "out\n")
    record = theirs.record("one")
    assert theirs.do("stop", "one") == "one\n"
    assert theirs.ps("one")["ExitCode"] == 143
    theirs.do("start", "one")
    os.kill(theirs.record("one")["supervisor"], signal.SIGKILL)
    until(lambda: not alive(theirs.record("one")["supervisor"]))
    assert theirs.ps("one")["State"] == "exited"
    assert not alive(record["pid"])
