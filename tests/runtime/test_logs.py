"""Logs of containers: what is kept, how it is read back, and that a flood of output fills no disk."""

import json
import re
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lives import Lives

from hardener.errors import HardenError
from hardener.runtime import clock, logs

SH = ("host", "sh", "-c")


def lines(folder: Path) -> list[tuple[str, bytes]]:
    reader = logs.Reader(str(folder))
    try:
        return [(entry.stream, entry.line) for entry in reader.read()]
    finally:
        reader.close()


# --- what is kept ---------------------------------------------------------------------------------------------------------------


def test_lines_are_kept_as_docker_keeps_them(tmp_path: Path) -> None:
    log = logs.Log(str(tmp_path))
    log.add(logs.OUT, b"one\ntw")
    log.add(logs.ERR, b"other\n")
    log.add(logs.OUT, b"o\n\nthree")
    log.close()
    rows = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [(row["log"], row["stream"]) for row in rows] == [
        ("one\n", "stdout"),
        ("other\n", "stderr"),
        ("two\n", "stdout"),
        ("\n", "stdout"),
        ("three", "stdout"),
    ]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", row["time"]) for row in rows)
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


@given(st.lists(st.tuples(st.sampled_from((logs.OUT, logs.ERR)), st.binary(max_size=40)), max_size=12))
def test_bytes_come_back_as_they_were(chunks: list[tuple[str, bytes]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        log = logs.Log(folder)
        for stream, chunk in chunks:
            log.add(stream, chunk)
        log.close()
        read = lines(Path(folder))
    for stream in (logs.OUT, logs.ERR):
        assert b"".join(line for one, line in read if one == stream) == b"".join(chunk for one, chunk in chunks if one == stream)


def test_a_line_without_end_is_kept_in_pieces(tmp_path: Path) -> None:
    log = logs.Log(str(tmp_path))
    for _ in range(10):
        log.add(logs.OUT, b"x" * 10_000)
    assert sum(len(line) for _, line in lines(tmp_path)) == 6 * logs.LINE_BYTES
    log.add(logs.OUT, b"\n")
    log.close()
    assert b"".join(line for _, line in lines(tmp_path)) == b"x" * 100_000 + b"\n"


def test_old_lines_make_room_for_new_ones(tmp_path: Path) -> None:
    log = logs.Log(str(tmp_path), limit_bytes=5000, files=3)
    for number in range(1000):
        log.add(logs.OUT, f"line {number}\n".encode())
    log.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "log.1", "log.2"]
    assert all(path.stat().st_size <= 5000 for path in tmp_path.iterdir())
    read = [line for _, line in lines(tmp_path)]
    assert read == [f"line {number}\n".encode() for number in range(1000 - len(read), 1000)]
    assert len(read) > 100
    log = logs.Log(str(tmp_path), limit_bytes=5000, files=3)  # a container that is started again goes on where it was
    log.add(logs.OUT, b"y" * 4000 + b"\n")
    log.close()
    assert [line for _, line in lines(tmp_path)][-1] == b"y" * 4000 + b"\n"


def test_a_reader_that_follows_misses_nothing_at_a_rotation(tmp_path: Path) -> None:
    total = 3000
    log = logs.Log(str(tmp_path), limit_bytes=20_000)

    def write() -> None:
        for number in range(total):
            log.add(logs.OUT, f"line {number}\n".encode())
            if number % 50 == 0:
                time.sleep(0.002)
        log.close()

    reader = logs.Reader(str(tmp_path))
    writer = threading.Thread(target=write)
    writer.start()
    read: list[bytes] = []
    while writer.is_alive():
        read += [entry.line for entry in reader.read()]
    writer.join()
    read += [entry.line for entry in reader.read()]
    reader.close()
    numbers = [int(line.split()[1]) for line in read]
    assert numbers == sorted(set(numbers))
    assert reader.missed or numbers == list(range(total))


def test_a_reader_that_is_too_slow_says_so(tmp_path: Path) -> None:
    log = logs.Log(str(tmp_path), limit_bytes=1000)
    log.add(logs.OUT, b"first\n")
    reader = logs.Reader(str(tmp_path))
    assert [entry.line for entry in reader.read()] == [b"first\n"]
    for number in range(100):
        log.add(logs.OUT, f"line {number}\n".encode())
    log.close()
    read = [entry.line for entry in reader.read()]
    reader.close()
    assert reader.missed
    assert read[-1] == b"line 99\n"
    assert len(read) < 100


@pytest.mark.parametrize("row", ["{", "[]", '{"log": 1}', '{"log": "x", "stream": "stdin", "time": "t"}'])
def test_a_row_that_a_crash_cut_short_is_shown_as_it_is(tmp_path: Path, row: str) -> None:
    (tmp_path / "log").write_text(f'{row}\n{{"log":"fine\\n","stream":"stdout","time":"t"}}\n')
    assert lines(tmp_path) == [("stderr", f"{row}\n".encode()), ("stdout", b"fine\n")]


def test_a_log_that_cannot_be_written_counts_what_it_lost(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    log = logs.Log(str(folder))
    log.add(logs.OUT, b"lost\n")
    log.add(logs.ERR, b"lost as well\n")
    folder.mkdir()
    log.add(logs.OUT, b"kept\n")
    log.close()
    assert lines(folder) == [("stderr", b"harden: 18 bytes were not kept: No such file or directory\n"), ("stdout", b"kept\n")]


# --- harden logs ----------------------------------------------------------------------------------------------------------------


def test_following_ends_with_the_container(harden: Lives) -> None:
    harden.do("run", "-d", "--name", "one", *SH, "for i in 1 2 3 4; do echo $i; sleep 0.2; done")
    assert harden.do("logs", "-f", "one") == "1\n2\n3\n4\n"
    assert harden.do("logs", "-f", "--tail", "2", "one") == "3\n4\n"


def test_following_goes_on_over_restarts(harden: Lives) -> None:
    harden.do("run", "-d", "--restart", "on-failure:2", "--name", "one", *SH, "sleep 0.1; echo try; exit 1")
    assert harden.do("logs", "-f", "one") == "try\ntry\ntry\n"


def test_following_sleeps_while_nothing_happens(harden: Lives) -> None:
    harden.do("run", "-d", "--name", "one", *SH, "echo ready; sleep 100")
    follower = harden.open("logs", "-f", "one")
    assert follower.stdout is not None
    assert follower.stdout.readline() == "ready\n"
    time.sleep(0.3)
    before = Path(f"/proc/{follower.pid}/schedstat").read_text()
    time.sleep(0.7)
    assert Path(f"/proc/{follower.pid}/schedstat").read_text() == before
    harden.do("stop", "one")
    follower.communicate(timeout=60)
    assert follower.returncode == 0


def test_a_time_to_begin_and_to_end_at(harden: Lives) -> None:
    harden.do("run", "-d", "--name", "one", *SH, "echo early; sleep 1; echo late")
    harden.do("wait", "one")
    (early, _), (late, _) = [line.split() for line in harden.do("logs", "-t", "one").splitlines()]
    assert harden.do("logs", "--since", late, "one") == "late\n"
    assert harden.do("logs", "--until", early, "one") == "early\n"
    assert harden.do("logs", "--since", "1h", "one") == "early\nlate\n"
    assert harden.do("logs", "--since", early, "--until", late, "--tail", "1", "one") == "late\n"


def test_a_flood_does_not_fill_the_disk(harden: Lives) -> None:
    """Forty megabytes of output; thirty are kept."""
    harden.do("run", "-d", "--name", "one", *SH, "yes 0123456789012345678901234567890123456789 | head -c 40000000; echo last")
    harden.do("wait", "one")
    home = harden.folder / "data" / "containers" / "one"
    sizes = [path.stat().st_size for path in home.glob("log*")]
    assert len(sizes) == 3
    assert max(sizes) <= logs.LIMIT_BYTES
    assert harden.do("logs", "--tail", "1", "one").endswith("last\n")


def test_a_reader_who_has_had_enough(harden: Lives) -> None:
    harden.do("run", "-d", "--name", "one", *SH, "seq 100000")
    harden.do("wait", "one")
    reader = harden.open("logs", "one")
    assert reader.stdout is not None
    assert reader.stdout.readline() == "1\n"
    reader.stdout.close()
    assert reader.wait(60) == 0
    reader.communicate()


# --- moments --------------------------------------------------------------------------------------------------------------------


@given(st.integers(0, 253_402_300_799_999_999_999))
def test_a_moment_comes_back(ns: int) -> None:
    assert clock.parse(clock.moment(ns)) == ns


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000_000),
        ("1970-01-01T00:00:01.5Z", 1_500_000_000),
        ("1970-01-01T02:00:01+02:00", 1_000_000_000),
        ("1969-12-31T22:00:01-02:00", 1_000_000_000),
        ("1970-01-02", 86_400_000_000_000),
        ("1970-01-01T01", 3_600_000_000_000),
        ("1970-01-01T00:01", 60_000_000_000),
        ("12", 12_000_000_000),
        ("12.25", 12_250_000_000),
        ("10s", 990_000_000_000),
        ("1m30.5s", 909_500_000_000),
        ("100ms", 999_900_000_000),
    ],
)
def test_what_a_user_means_by_a_moment(text: str, ns: int) -> None:
    assert clock.since(text, "--since", now_ns=1_000_000_000_000) == ns


@pytest.mark.parametrize("text", ["", "yesterday", "1x", ".s", "1.2.3s", "m", "1970-01-01T0", "1970-13-01", "1970-01-01T00:00:00.xZ"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(HardenError, match="is not a moment"):
        clock.since(text, "--since")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "Less than a second"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "About a minute"),
        (125, "2 minutes"),
        (3600, "About an hour"),
        (7300, "2 hours"),
        (3 * 86400, "3 days"),
        (15 * 86400, "2 weeks"),
        (100 * 86400, "3 months"),
        (800 * 86400, "2 years"),
    ],
)
def test_how_long_something_lasts(seconds: float, text: str) -> None:
    assert clock.lasting(seconds) == text
