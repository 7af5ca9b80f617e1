"""A mirror is read as it is laid out, indexed once, and never trusted with memory, names or sizes."""

import json
import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from osv_mirror import Record, block, mirror, record, zipped

from hardener.errors import HardenError
from hardener.images.advisories import database, index
from hardener.images.advisories import zipped as zip_reader
from hardener.images.advisories.database import Database

FIRST = record("DSA-1", block("Debian:12", "openssl", "introduced 0", "fixed 3.0.1"), block("Debian:11", "openssl", "introduced 0"))
SECOND = record("DSA-2", block("Debian:12", "zlib", "introduced 0"), modified="2026-11-22T00:00:00Z")
GONE = record("DSA-3", block("Debian:12", "openssl", "introduced 0"), withdrawn="2026-01-01T00:00:00Z")


def opened(path: Path, cache: Path | None = None, told: list[str] | None = None) -> Database:
    said = [] if told is None else told
    return database.open_database(str(path), lambda _: True, str(cache) if cache else "", tell=said.append)


def ids(held: Database, ecosystem: str, name: str) -> list[str]:
    return [advisory.id for advisory in held.find(ecosystem, name)]


def test_what_is_in_a_mirror_is_found(tmp_path: Path) -> None:
    with opened(mirror(tmp_path, Debian=[FIRST, SECOND, GONE])) as held:
        assert ids(held, "Debian:12", "openssl") == ["DSA-1"]
        assert ids(held, "Debian:11", "openssl") == ["DSA-1"]
        assert ids(held, "Debian:13", "openssl") == ids(held, "Debian:12", "bash") == []
        (advisory,) = held.find("Debian:12", "openssl")
        assert [block.ecosystem for block in advisory.affected] == ["Debian:12"]
        assert advisory.affected[0].ranges[0].events[1].version == "3.0.1"
        known = held.ecosystems()
        assert {name: each[1:] for name, each in known.items()} == {
            "Debian:11": (1, "2026-11-20T00:00:00Z"),
            "Debian:12": (3, "2026-11-22T00:00:00Z"),
        }
        assert held.parts[0].built == index.Built(3, 1, (), 0)


def folder_of(path: Path, *records: Record) -> None:
    path.mkdir(parents=True)
    for each in records:
        (path / f"{each['id']}.json").write_text(json.dumps(each))


def test_layouts(tmp_path: Path) -> None:
    mirror(tmp_path / "bucket", Debian=[FIRST], PyPI=[])
    mirror(tmp_path / "scanner" / "osv-scanner", Debian=[FIRST])
    folder_of(tmp_path / "loose" / "Debian", FIRST)
    folder_of(tmp_path / "flat", FIRST)
    zipped(tmp_path / "one" / "all.zip", [FIRST])
    told = {}
    for name in ("bucket", "scanner", "loose", "flat", "one", "one/all.zip"):
        path = tmp_path / name
        told[name] = [(source.kind, source.ecosystem) for source in database.sources(str(path))]
        with opened(path) as held:
            assert ids(held, "Debian:12", "openssl") == ["DSA-1"], name
    assert told == {
        "bucket": [("zip", "Debian"), ("zip", "PyPI")],
        "scanner": [("zip", "Debian")],
        "loose": [("records", "Debian")],
        "flat": [("records", "")],
        "one": [("zip", "")],
        "one/all.zip": [("zip", "one")],
    }


def test_what_nobody_asks_for_is_not_read(tmp_path: Path) -> None:
    (mirror(tmp_path, Debian=[FIRST]) / "npm").mkdir()
    (tmp_path / "npm" / "all.zip").write_bytes(b"no zip at all")
    with database.open_database(str(tmp_path), lambda name: name == "Debian", "", tell=print) as held:
        assert [part.source.ecosystem for part in held.parts] == ["Debian"]


def test_an_index_is_made_once_and_anew_when_the_file_changes(tmp_path: Path) -> None:
    told: list[str] = []
    place, cache = mirror(tmp_path / "db", Debian=[FIRST]), tmp_path / "cache"
    for _ in range(2):
        with opened(place, cache, told) as held:
            assert ids(held, "Debian:12", "openssl") == ["DSA-1"]
    assert len(told) == 1
    zipped(place / "Debian" / "all.zip", [FIRST, record("DSA-4", block("Debian:12", "openssl", "introduced 0"))])
    with opened(place, cache, told) as held:
        assert ids(held, "Debian:12", "openssl") == ["DSA-1", "DSA-4"]
    assert len(told) == 2
    (kept,) = (cache / "advisories").iterdir()
    kept.write_bytes(kept.read_bytes()[:3000])  # damaged: made anew
    with opened(place, cache, told) as held:
        assert ids(held, "Debian:12", "openssl") == ["DSA-1", "DSA-4"]
    assert [path.suffix for path in (cache / "advisories").iterdir()] == [".sqlite"]
    folder_of(tmp_path / "loose", FIRST)
    told.clear()
    for _ in range(2):
        with opened(tmp_path / "loose", cache, told):
            pass
    (tmp_path / "loose" / "DSA-2.json").write_text(json.dumps(SECOND))
    with opened(tmp_path / "loose", cache, told) as held:
        assert ids(held, "Debian:12", "zlib") == ["DSA-2"]
    assert len(told) == 2


def test_unreadable_records_are_counted_and_cost_no_other(tmp_path: Path) -> None:
    place = zipped(tmp_path / "all.zip", [FIRST])
    with zipfile.ZipFile(place, "a") as archive:
        archive.writestr("bad.json", b"{")
        archive.writestr("worse.json", b'{"id": 1}')
        archive.writestr("README.md", b"not a record")
    with opened(tmp_path) as held:
        built = held.parts[0].built
        assert (built.records, built.unreadable_count) == (1, 2)
        assert [line.partition(":")[0] for line in built.unreadable] == ["bad.json", "worse.json"]
        assert ids(held, "Debian:12", "openssl") == ["DSA-1"]


def test_an_index_of_a_whole_mirror_is_a_mirror_too(tmp_path: Path) -> None:
    python = record("PYSEC-1", block("PyPI", "flask", "introduced 0"))
    place = mirror(tmp_path / "db", Debian=[FIRST], PyPI=[python])
    target = tmp_path / "all.sqlite"
    assert database.write_index(str(place), str(target)).records == 2
    with opened(target) as held:
        assert ids(held, "PyPI", "flask") == ["PYSEC-1"]
        assert ids(held, "Debian:12", "openssl") == ["DSA-1"]
    with pytest.raises(HardenError, match="an index already"):
        database.write_index(str(target), str(tmp_path / "b.sqlite"))


def refusal(path: Path) -> str:
    with pytest.raises(HardenError) as error, opened(path):
        pass
    return f"{error.value.what} ({os.path.basename(error.value.where)})"


def test_what_is_no_mirror(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("hello")
    (tmp_path / "foreign.sqlite").write_bytes(b"")
    import sqlite3

    with sqlite3.connect(tmp_path / "foreign.sqlite") as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()
    assert refusal(tmp_path / "empty") == "there are no advisories in this folder (empty)"
    assert refusal(tmp_path / "text") == "this is neither a ZIP file, nor an index of advisories (text)"
    assert refusal(tmp_path / "missing") == "the advisories cannot be read: No such file or directory (missing)"
    assert refusal(tmp_path / "foreign.sqlite") == "this is no index of advisories that this version of hardener has made (foreign.sqlite)"


def test_a_damaged_index_that_was_given_is_an_error(tmp_path: Path) -> None:
    target = tmp_path / "x.sqlite"
    database.write_index(str(mirror(tmp_path / "db", Debian=[FIRST])), str(target))
    data = bytearray(target.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    target.write_bytes(data)
    assert refusal(target).startswith("this index of advisories is damaged")


def test_hostile_values_in_an_index_are_an_error(tmp_path: Path) -> None:
    import sqlite3

    target = tmp_path / "x.sqlite"
    database.write_index(str(mirror(tmp_path / "db", Debian=[FIRST])), str(target))
    for blocks in ("[", "[1]", "[[[[[]]], [], null, 0]]", "[[[], [], 77, 0]]", "[" * 50_000):
        with sqlite3.connect(target) as connection:
            connection.execute("UPDATE affected SET blocks = ?", (blocks,))
        connection.close()
        with opened(target) as held, pytest.raises(HardenError, match="damaged"):
            ids(held, "Debian:12", "openssl")


def test_a_cache_that_cannot_be_made_keeps_nobody_from_an_answer(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with opened(mirror(tmp_path / "db", Debian=[FIRST]), tmp_path / "file") as held:
        assert ids(held, "Debian:12", "openssl") == ["DSA-1"]


def test_an_index_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    place = mirror(tmp_path / "db", Debian=[FIRST])
    with pytest.raises(HardenError, match="cannot be written"):
        database.write_index(str(place), str(tmp_path / "nowhere" / "x.sqlite"))
    assert not (tmp_path / "nowhere").exists()


def test_what_another_process_has_left_is_no_hindrance(tmp_path: Path) -> None:
    place, target = mirror(tmp_path / "db", Debian=[FIRST]), tmp_path / "x.sqlite"
    (tmp_path / f"x.sqlite.{os.getpid()}.tmp").write_text("half an index of a process of our number")
    assert database.write_index(str(place), str(target)).records == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["db", "x.sqlite"]


def test_records_that_cannot_be_read_are_an_error(tmp_path: Path) -> None:
    folder_of(tmp_path / "loose", FIRST)
    (tmp_path / "loose" / "gone.json").symlink_to("nowhere")
    with pytest.raises(HardenError, match="No such file"), opened(tmp_path / "loose", tmp_path / "cache"):
        pass
    (tmp_path / "loose" / "gone.json").unlink()
    (tmp_path / "loose" / "long.json").write_bytes(b" " * (zip_reader.MEMBER_BYTES + 1))
    with opened(tmp_path / "loose") as held:
        assert (held.parts[0].built.records, held.parts[0].built.unreadable_count) == (1, 1)


def test_records_on_commits_alone_are_of_no_package(tmp_path: Path) -> None:
    bare = record("OSV-1", {"ranges": [{"type": "GIT", "events": [{"introduced": "0"}]}]})
    with opened(mirror(tmp_path / "db", Debian=[bare, FIRST])) as held:
        assert sorted(held.ecosystems()) == ["Debian:11", "Debian:12"]


def test_without_a_cache_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passing = tmp_path / "tmp"
    passing.mkdir()
    monkeypatch.setenv("TMPDIR", str(passing))
    monkeypatch.setattr("tempfile.tempdir", None)
    with opened(mirror(tmp_path / "db", Debian=[FIRST])) as held:
        assert [*passing.iterdir()] == []
        assert ids(held, "Debian:12", "openssl") == ["DSA-1"]


# --- ZIP files that nobody vouches for ------------------------------------------------------------------------------------------


def test_members_are_what_python_reads(tmp_path: Path) -> None:
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.comment = b"PK\x01\x02 a comment"
        archive.writestr("stored.json", b"{}", zipfile.ZIP_STORED)
        archive.writestr("sub/deflated.JSON", b"[1]" * 1000, zipfile.ZIP_DEFLATED)
        archive.writestr("../../etc/passwd.json", b"1")
        with archive.open("wide.json", "w", force_zip64=True) as member:
            member.write(b"2")
    assert dict(zip_reader.members(str(path))) == {
        "stored.json": b"{}",
        "sub/deflated.JSON": b"[1]" * 1000,
        "../../etc/passwd.json": b"1",
        "wide.json": b"2",
    }
    assert [*tmp_path.iterdir()] == [path]


def wide(path: Path, monkeypatch: pytest.MonkeyPatch) -> bytearray:
    """Return a ZIP file that has everything in the fields of ZIP64."""
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 10)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(3):
            archive.writestr(f"{number}.json", b"[%d]" % number * 20)
    data = bytearray(path.read_bytes())
    end = data.rindex(b"PK\x05\x06")
    data[end + 8 : end + 20] = b"\xff" * 12  # as for a file of four gigabytes
    return data


def test_the_fields_of_large_files_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "all.zip"
    data = wide(path, monkeypatch)
    path.write_bytes(data)
    assert dict(zip_reader.members(str(path))) == {f"{number}.json": b"[%d]" % number * 20 for number in range(3)}
    end = data.rindex(b"PK\x05\x06")
    for at, value, told in (
        (end - 12, b"\xff" * 8, "far behind its end"),
        (end - 12, b"\0" * 8, "not where it should be"),
        (end - 20, b"\0" * 4, "more than 5,000,000|behind its end"),
        (data.rindex(b"PK\x06\x06") + 48, b"\xff" * 7 + b"\x7f", "behind its end"),
    ):
        changed = data.copy()
        changed[at : at + len(value)] = value
        path.write_bytes(changed)
        with pytest.raises(HardenError, match=told):
            list(zip_reader.members(str(path)))


def broken(data: bytes, how: str) -> bytes:
    directory = data.rindex(b"PK\x01\x02")
    end = data.rindex(b"PK\x05\x06")
    match how:
        case "cut":
            return data[: len(data) // 2]
        case "no directory":
            return data[:end]
        case "directory elsewhere":
            return data[: end + 16] + struct.pack("<I", end) + data[end + 20 :]
        case "directory behind the end":
            return data[: end + 16] + struct.pack("<I", 1 << 30) + data[end + 20 :]
        case "too many":
            return data[: end + 10] + struct.pack("<H", 50) + data[end + 12 :]
        case "member elsewhere":
            return data[: directory + 42] + struct.pack("<I", 7) + data[directory + 46 :]
        case "encrypted":
            return data[: directory + 8] + b"\1" + data[directory + 9 :]
        case "another method":
            return data[: directory + 10] + b"\x0e" + data[directory + 11 :]
        case "wrong checksum":
            return data[: directory + 16] + b"\0\0\0\0" + data[directory + 20 :]
        case "wrong size":
            return data[: directory + 24] + b"\7\0\0\0" + data[directory + 28 :]
        case "endless":
            return data[: directory + 20] + b"\xf0\xff\xff\xff" + data[directory + 24 :]
        case _:
            at = data.index(b"x.json") + 6
            return data[:at] + b"\xff" * 8 + data[at + 8 :]


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("cut", "no directory"),
        ("no directory", "no directory"),
        ("directory elsewhere", "ends early"),
        ("directory behind the end", "begin behind its end"),
        ("too many", "ends early"),
        ("member elsewhere", "is not where"),
        ("encrypted", "encrypted"),
        ("another method", "method 14"),
        ("wrong checksum", "checksum"),
        ("wrong size", "checksum"),
        ("endless", "larger than"),
        ("garbage", "damaged"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, how: str, told: str) -> None:
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.json", b"{}" * 500)
    path.write_bytes(broken(path.read_bytes(), how))
    with pytest.raises(HardenError, match=told):
        list(zip_reader.members(str(path)))


def test_a_bomb_does_not_go_off(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.json", b" " * (zip_reader.MEMBER_BYTES + 1))
    with pytest.raises(HardenError, match="expands to more than 16 MiB"):
        list(zip_reader.members(str(tmp_path / "all.zip")))


def test_all_members_together_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_reader, "TOTAL_BYTES", 1000)
    with pytest.raises(HardenError, match="expand to more than"):
        list(zip_reader.members(str(zipped(tmp_path / "all.zip", [FIRST | {"id": f"DSA-{number}"} for number in range(9)]))))
    monkeypatch.setattr(zip_reader, "MEMBERS", 3)
    with pytest.raises(HardenError, match="9 members"):
        list(zip_reader.members(str(tmp_path / "all.zip")))


MEASURED = """
import resource, sys
from hardener.images.advisories import database
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
database.write_index(sys.argv[1], sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_does_not_grow_with_the_records(tmp_path: Path) -> None:
    many = (record(f"GHSA-{number}", block("npm", f"p{number}", "introduced 0", kind="SEMVER")) for number in range(12_000))
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for each in many:
            archive.writestr(f"{each['id']}.json", json.dumps(each))
    words = [sys.executable, "-c", MEASURED, str(tmp_path / "all.zip"), str(tmp_path / "x.sqlite")]
    grown = int(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    assert grown < 40_000  # KiB; the records themselves are a tenth of what a mirror of npm has
