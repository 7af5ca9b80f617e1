"""The reader of SQLite's files reads what SQLite has written, and says what is wrong with anything else."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hardener.images.packages.sqlite import Damaged, Database

VALUES = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), st.binary(max_size=20_000), st.text("aé\0", max_size=50))
FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def written(path: Path, rows: Sequence[tuple[object, ...]], page: int = 4096) -> bytes:
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA page_size = {page}")
    connection.execute("CREATE TABLE before (a)")
    connection.execute("CREATE INDEX between_them ON before (a)")
    connection.execute("CREATE TABLE T (a, b)")
    connection.executemany("INSERT INTO T VALUES (?, ?)", rows)
    connection.commit()
    connection.close()
    return path.read_bytes()


@FEW
@given(rows=st.lists(st.tuples(VALUES, VALUES), max_size=30), page=st.sampled_from([512, 4096, 65536]))
def test_rows_are_those_of_sqlite(tmp_path: Path, rows: list[tuple[object, object]], page: int) -> None:
    content = written(tmp_path / "db", rows, page)
    plain = [[value.encode() if isinstance(value, str) else value for value in row] for row in rows]
    assert [values for _, values in Database(content).rows("T")] == plain


def test_many_rows_stand_on_many_pages(tmp_path: Path) -> None:
    rows: list[tuple[object, ...]] = [(number, b"x" * (number % 700)) for number in range(5000)]
    assert [values for _, values in Database(written(tmp_path / "db", rows)).rows("T")] == [list(row) for row in rows]


@FEW
@given(st.data())
def test_damage_is_said_and_never_endless(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(written(tmp_path / "db", [(1, b"x" * 3000), (2, b"y")], 512))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    for broken in (bytes(content), bytes(content[:cut])):
        size = 0
        try:
            for _, values in Database(broken, bytes(content)).rows("T"):
                size += sum(len(value) for value in values if isinstance(value, bytes))
        except Damaged as error:
            assert str(error)
        assert size <= 4 * 2 * len(content)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({0: b"X"}, "does not begin"),
        ({16: b"\0\3"}, "size of its pages"),
        ({56: b"\0\0\0\2"}, "not UTF-8"),
        ({100: b"\2"}, "not of a table"),
        ({103: b"\xff\xff"}, "outside of its page"),
    ],
)
def test_what_is_wrong(tmp_path: Path, change: dict[int, bytes], why: str) -> None:
    content = bytearray(written(tmp_path / "db", [(1, 2)]))
    for at, new in change.items():
        content[at : at + len(new)] = new
    with pytest.raises(Damaged, match=why):
        list(Database(bytes(content)).rows("T"))


def test_a_circle_of_pages_is_walked_once(tmp_path: Path) -> None:
    content = bytearray(written(tmp_path / "db", [(number, b"x" * 400) for number in range(40)], 512))
    for start in range(512, len(content), 512):
        if content[start] == 5:
            content[start + 8 : start + 12] = (start // 512 + 1).to_bytes(4, "big")
    with pytest.raises(Damaged, match="circle"):
        list(Database(bytes(content)).rows("T"))


def test_a_view_is_no_table(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "db")
    connection.execute("CREATE VIEW Packages AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x FROM n) SELECT x, x FROM n")
    connection.close()
    with pytest.raises(Damaged, match="no table Packages"):
        list(Database((tmp_path / "db").read_bytes()).rows("Packages"))
