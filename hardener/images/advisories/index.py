"""An index of advisories by ecosystem and package: one SQLite file, built once from a mirror, and read ever after.

It holds nothing that the mirror does not, so that it may be thrown away at any time. It is built beside its place and moved there when it
is whole; two processes that build the same one are in nobody's way.
"""

from __future__ import annotations

import json
import os
import sqlite3
from typing import TYPE_CHECKING, Final

from hardener.errors import HardenError
from hardener.finding import Severity
from hardener.images.advisories import osv
from hardener.images.advisories.osv import Advisory, Affected, Event, Range
from hardener.record import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

APPLICATION: Final = 0x48414456  # "HADV": what SQLite keeps in the head of a file to say whose it is
FORMAT: Final = 1
SHOWN: Final = 5  # unreadable records that are told by name
_SCHEMA: Final = """
CREATE TABLE advisory (id TEXT, aliases TEXT, upstream TEXT, summary TEXT, severity INTEGER, score REAL);
CREATE TABLE affected (ecosystem TEXT, name TEXT, advisory INTEGER, blocks TEXT);
CREATE TABLE coverage (ecosystem TEXT, records INTEGER, newest TEXT);
CREATE TABLE about (key TEXT, value TEXT);
"""


class Coverage(NamedTuple):
    """What an index knows of one ecosystem."""

    ecosystem: str  # with its release
    records: int
    newest: str  # when the latest of its records was modified, RFC 3339; "" when none says


class Built(NamedTuple):
    """What came of reading a mirror."""

    records: int
    withdrawn: int
    unreadable: tuple[str, ...]  # the first few, each with the reason
    unreadable_count: int


def build(records: Iterable[tuple[str, bytes]], target: str, *, source: str) -> Built:
    """Write an index of the records (name, JSON) to a file. Raises `HardenError`.

    `source` is what messages call the mirror. Memory does not grow with the number of records, but by ecosystem and release.
    """
    scratch = f"{target}.{os.getpid()}.tmp"
    if os.path.exists(target) and not os.path.isfile(target):
        raise HardenError("an index is a file, which this is not", where=target, how="name a file, or one that is not there yet")
    try:
        if os.path.exists(scratch):  # of a process of the same number that was killed
            os.unlink(scratch)
        connection = sqlite3.connect(scratch, isolation_level=None)
        try:
            built = _fill(connection, records, source)
        finally:
            connection.close()
        os.replace(scratch, target)
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise HardenError(
            f"the index of advisories cannot be written: {reason}", where=target, how="make room, or free its folder"
        ) from None
    finally:
        if os.path.exists(scratch):
            os.unlink(scratch)
    return built


def _fill(connection: sqlite3.Connection, records: Iterable[tuple[str, bytes]], source: str) -> Built:
    connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -16000;")
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {FORMAT}")
    connection.executescript(_SCHEMA)
    connection.execute("BEGIN")
    coverage: dict[str, tuple[int, str]] = {}
    unreadable: list[str] = []
    read = withdrawn = failed = 0
    for name, data in records:
        try:
            advisory = osv.parse(data)
        except ValueError as error:
            failed += 1
            if failed <= SHOWN:
                unreadable.append(f"{name}: {error}")
            continue
        read += 1
        for ecosystem in {block.ecosystem for block in advisory.affected}:
            count, newest = coverage.get(ecosystem, (0, ""))
            coverage[ecosystem] = (count + 1, max(newest, advisory.modified))
        if advisory.withdrawn:
            withdrawn += 1
        else:
            _put(connection, read, advisory)
    connection.executemany("INSERT INTO coverage VALUES (?, ?, ?)", [(name, *told) for name, told in coverage.items()])
    built = Built(read, withdrawn, tuple(unreadable), failed)
    about = {
        "source": source,
        "records": str(read),
        "withdrawn": str(withdrawn),
        "unreadable": json.dumps(unreadable),
        "unreadable_count": str(failed),
    }
    connection.executemany("INSERT INTO about VALUES (?, ?)", about.items())
    connection.execute("CREATE INDEX by_package ON affected (ecosystem, name)")
    connection.execute("COMMIT")
    return built


def _put(connection: sqlite3.Connection, number: int, advisory: Advisory) -> None:
    packages: dict[tuple[str, str], list[Affected]] = {}
    for block in advisory.affected:
        packages.setdefault((block.ecosystem, block.name), []).append(block)
    if not packages:  # it tells of commits alone
        return
    severity = None if advisory.severity is None else int(advisory.severity)
    row = (number, advisory.id, json.dumps(advisory.aliases), json.dumps(advisory.upstream), advisory.summary, severity, advisory.score)
    connection.execute("INSERT INTO advisory (rowid, id, aliases, upstream, summary, severity, score) VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    rows = [(*package, number, json.dumps([_packed(block) for block in blocks])) for package, blocks in packages.items()]
    connection.executemany("INSERT INTO affected VALUES (?, ?, ?, ?)", rows)


def _packed(block: Affected) -> list[object]:
    severity = None if block.severity is None else int(block.severity)
    return [[[each.kind, [list(event) for event in each.events]] for each in block.ranges], block.versions, severity, block.remark]


class Index:
    """An index that has been built. Raises `HardenError` from each method when the file is not what it should be."""

    __slots__ = ("_connection", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        if not os.path.isfile(path):
            raise HardenError("there is no such file", where=path, how="check the path")
        try:
            # Immutable: no lock and no journal are looked for, so that it may lie where we cannot write.
            self._connection = sqlite3.connect(f"file:{_quoted(path)}?mode=ro&immutable=1", uri=True)
        except sqlite3.Error as error:
            raise self._damaged(error) from None
        try:
            self._connection.execute("PRAGMA trusted_schema = OFF")
            self._connection.execute("PRAGMA cell_size_check = ON")
            whose = self._connection.execute("PRAGMA application_id").fetchone()[0]
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.Error as error:
            self.close()
            raise self._damaged(error) from None
        if whose != APPLICATION or version != FORMAT:
            self.close()
            raise HardenError(
                "this is no index of advisories that this version of hardener has made",
                where=path,
                how="name the folder of the mirror instead: an index is made of it",
            )

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def coverage(self) -> list[Coverage]:
        """Return what is known of each ecosystem and release."""
        rows = self._rows("SELECT ecosystem, records, newest FROM coverage ORDER BY ecosystem", ())
        return [Coverage(str(name), _whole(records), str(newest)) for name, records, newest in rows]

    def built(self) -> Built:
        """Return what came of reading the mirror."""
        about = {str(key): str(value) for key, value in self._rows("SELECT key, value FROM about", ())}
        try:
            unreadable = tuple(str(each) for each in json.loads(about.get("unreadable", "[]")))
            numbers = [int(about.get(key, "0")) for key in ("records", "withdrawn", "unreadable_count")]
        except (ValueError, TypeError, RecursionError) as error:
            raise self._damaged(error) from None
        return Built(numbers[0], numbers[1], unreadable, numbers[2])

    def find(self, ecosystem: str, name: str) -> Iterator[Advisory]:
        """Yield the advisories on a package; what they say of other packages is left out."""
        rows = self._rows(
            "SELECT id, aliases, upstream, summary, severity, score, blocks FROM affected JOIN advisory ON advisory.rowid = advisory"
            " WHERE ecosystem = ? AND name = ? ORDER BY id",
            (ecosystem, name),
        )
        for row in rows:
            try:
                yield _advisory(row, ecosystem, name)
            except (ValueError, TypeError, IndexError, KeyError, RecursionError) as error:
                raise self._damaged(error) from None

    def _rows(self, query: str, values: tuple[str, ...]) -> Iterator[tuple[object, ...]]:
        try:
            yield from self._connection.execute(query, values)
        except sqlite3.Error as error:
            raise self._damaged(error) from None

    def _damaged(self, error: Exception) -> HardenError:
        return HardenError(f"this index of advisories is damaged: {error}", where=self.path, how="delete it: it is made anew")


def _advisory(row: tuple[object, ...], ecosystem: str, name: str) -> Advisory:
    id_, aliases, upstream, summary, severity, score, blocks = row
    affected = tuple(
        Affected(
            ecosystem,
            name,
            tuple(Range(str(kind), tuple(Event(str(what), str(version)) for what, version in events)) for kind, events in ranges),
            tuple(str(version) for version in versions),
            None if graded is None else Severity(graded),
            str(remark),
        )
        for ranges, versions, graded, remark in json.loads(str(blocks))
    )
    names = [tuple(str(each) for each in json.loads(str(told))) for told in (aliases, upstream)]
    grade = None if severity is None else Severity(_whole(severity))
    points = float(score) if isinstance(score, (int, float)) else None
    return Advisory(str(id_), names[0], names[1], False, "", str(summary), grade, points, affected)


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise ValueError(f"{value!r} is no number")
    return value


def _quoted(path: str) -> str:
    from urllib.parse import quote

    return quote(os.path.abspath(path).encode("utf-8", "surrogateescape"))
