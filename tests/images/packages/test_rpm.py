"""Packages of rpm, out of databases that rpm has written, and out of such as no rpm would write."""

import hashlib
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest
from package_images import Scanned

DATABASE = "usr/lib/sysimage/rpm/rpmdb.sqlite"
OS = 'ID="rhel"\nVERSION_ID="9.4"\n'
SPEC = """%define __os_install_post %{nil}
Name: tool
Epoch: 2
Version: 1.4^git1
Release: 3.el9
Summary: a tool
License: GPLv2+ and MIT
Vendor: Ann Inc.
BuildArch: noarch
Provides: hammer = 2
%description
A tool.
%package lib
Summary: its library
Requires: hammer
%description lib
Its library.
%install
mkdir -p %{buildroot}/usr/bin %{buildroot}/etc %{buildroot}/usr/lib/tool
printf tool > %{buildroot}/usr/bin/tool
printf conf > %{buildroot}/etc/tool.conf
printf data > %{buildroot}/usr/lib/tool/data
%files
/usr/bin/tool
%config /etc/tool.conf
%files lib
/usr/lib/tool
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build two packages, and have rpm install them under a root."""
    if shutil.which("rpmbuild") is None:
        pytest.skip("needs rpm")
    made = tmp_path_factory.mktemp("rpm")
    (made / "tool.spec").write_text(SPEC)
    define = ("--define", f"_topdir {made}/top", "--define", "_build_id_links none", "--define", f"_dbpath {made}/none")
    subprocess.run(["rpmbuild", "-bb", *define, str(made / "tool.spec")], check=True, capture_output=True)
    packages = sorted(map(str, (made / "top/RPMS/noarch").glob("*.rpm")))
    (made / "root" / DATABASE).parent.mkdir(parents=True)
    # Into the database alone, so that nobody need be root for it.
    command = ["rpm", "--dbpath", str((made / "root" / DATABASE).parent), "-i", "--justdb", "--nodeps", "--noscripts", "--force-debian"]
    subprocess.run([*command, *packages], check=True, capture_output=True)
    return made / "root"


def database(root: Path) -> dict[str, bytes | str | None]:
    return {DATABASE: (root / DATABASE).read_bytes(), "etc/os-release": OS}


def test_what_rpm_has_installed(root: Path, tmp_path: Path) -> None:
    found = Scanned(tmp_path, database(root))
    tool, lib = found.packages
    assert tool.purl == "pkg:rpm/redhat/tool@1.4%5Egit1-3.el9?arch=noarch&distro=rhel-9.4&epoch=2"
    assert (tool.version, tool.source, tool.source_version) == ("2:1.4^git1-3.el9", "tool", "2:1.4^git1-3.el9")
    assert (tool.licenses, tool.supplier) == (("GPL-2.0-or-later AND MIT",), "Ann Inc.")
    assert "hammer" in tool.provides
    assert lib.purl.endswith("/tool-lib@1.4%5Egit1-3.el9?arch=noarch&distro=rhel-9.4&epoch=2&upstream=tool")
    assert lib.depends == ("hammer",)


@pytest.mark.parametrize(("path", "content"), [("usr/bin/tool", b"tool"), ("etc/tool.conf", b"conf"), ("usr/lib/tool/data", b"data")])
def test_files_are_owned_with_their_checksums(root: Path, tmp_path: Path, path: str, content: bytes) -> None:
    owned = Scanned(tmp_path, database(root)).owned
    assert owned.is_pristine(path, lambda name: hashlib.new(name, content).hexdigest())
    assert not owned.is_pristine(path, lambda name: hashlib.new(name, b"other").hexdigest())
    assert owned.owner("usr/lib/tool") == "tool-lib"


def test_a_log_beside_the_database_counts(root: Path, tmp_path: Path) -> None:
    """SQLite leaves what is written last in a log, when nobody closes the database."""
    copy = tmp_path / "rpmdb.sqlite"
    shutil.copy(root / DATABASE, copy)
    connection = sqlite3.connect(copy, isolation_level=None)
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("DELETE FROM Packages WHERE hnum = 1")
    files = {DATABASE: copy.read_bytes(), f"{DATABASE}-wal": Path(f"{copy}-wal").read_bytes()}
    connection.close()
    assert len(Scanned(tmp_path / "without", {DATABASE: files[DATABASE]}).packages) == 2
    assert len(Scanned(tmp_path / "with", files).packages) == 1
    torn = files | {f"{DATABASE}-wal": files[f"{DATABASE}-wal"][:-1]}
    assert len(Scanned(tmp_path / "torn", torn).packages) == 2


@pytest.mark.parametrize(("name", "kind"), [("Packages", "a Berkeley DB"), ("Packages.db", "an ndb")])
def test_databases_of_another_kind_are_named_aloud(tmp_path: Path, name: str, kind: str) -> None:
    found = Scanned(tmp_path, {f"var/lib/rpm/{name}": b"\0" * 100})
    assert found.names == []
    assert found.scanner.notes == (f"var/lib/rpm/{name} is not read: it is {kind} of rpm; only its SQLite database is known",)
    deleted = Scanned(tmp_path / "2", {f"var/lib/rpm/{name}": b"\0" * 100}, {f"var/lib/rpm/{name}": None})
    assert (deleted.names, deleted.scanner.notes) == ([], ())


def test_keys_are_no_packages(tmp_path: Path) -> None:
    assert Scanned(tmp_path, {DATABASE: rows(tmp_path, header({1000: "gpg-pubkey", 1001: "1", 1002: "2"}))}).names == []


def header(texts: dict[int, str], count: int = 1) -> bytes:
    store, index = b"", b""
    for tag, text in texts.items():
        index += b"".join(number.to_bytes(4, "big") for number in (tag, 6 if count == 1 else 8, len(store), count))
        store += text.encode() + b"\0"
    return len(texts).to_bytes(4, "big") + len(store).to_bytes(4, "big") + index + store


def rows(tmp_path: Path, *blobs: bytes | str | None) -> bytes:
    path = tmp_path / "made.sqlite"
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)")
    connection.executemany("INSERT INTO Packages (blob) VALUES (?)", [(blob,) for blob in blobs])
    connection.commit()
    connection.close()
    return path.read_bytes()


@pytest.mark.parametrize(
    ("blob", "why"),
    [
        (b"", "a header is cut"),
        (b"\xff" * 8, "a header is cut"),
        (b"\0\0\0\1\0\0\0\1" + b"\0" * 16, "a header is cut"),
        (header({1000: "a", 1001: "1", 1002: "1", 1116: "x"})[:-1], "a header is cut"),
        (header({1000: "a", 1001: "1"}, 1 << 31), "a header has more texts than there can be"),
    ],
)
def test_a_damaged_header_is_said(tmp_path: Path, blob: bytes, why: str) -> None:
    found = Scanned(tmp_path / "image", {DATABASE: rows(tmp_path, blob)})
    assert found.names == []
    assert found.scanner.notes == (f"{DATABASE} is damaged: {why}",)
    assert len(found.owned) == 0


def test_a_database_that_comes_in_windows(tmp_path: Path) -> None:
    path = tmp_path / "made.sqlite"
    path.write_bytes(rows(tmp_path, header({1000: "a", 1001: "1", 1002: "2"})))
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE filling AS SELECT zeroblob(9000000)")
    connection.execute("INSERT INTO Packages (blob) VALUES (?)", (header({1000: "b", 1001: "1", 1002: "2", 1014: "x" * 5_000_000}),))
    connection.commit()
    connection.close()
    assert Scanned(tmp_path / "image", {DATABASE: path.read_bytes()}).names == ["rpm a 1-2", "rpm b 1-2"]
    linked = Scanned(tmp_path / "linked", {"large": path.read_bytes(), DATABASE: "=large"})
    assert (linked.names, linked.scanner.notes) == ([], (f"{DATABASE} is not read: it is a link to a large file",))


def test_what_is_before_the_damage_is_listed(tmp_path: Path) -> None:
    good = header({1000: "a", 1001: "1", 1002: "2"})
    found = Scanned(tmp_path / "image", {DATABASE: rows(tmp_path, good, b"", good)})
    assert found.names == ["rpm a 1-2"]
    assert found.scanner.notes == (f"{DATABASE} is damaged: a header is cut",)
