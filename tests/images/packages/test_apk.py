"""Packages of Alpine, out of the text database of apk."""

import base64
import hashlib
from pathlib import Path

import pytest
from package_images import Scanned

INSTALLED = "lib/apk/db/installed"
CONTENT = b"busybox"
SHA1 = base64.b64encode(hashlib.sha1(CONTENT).digest()).decode()
SHA256 = base64.b64encode(hashlib.sha256(CONTENT).digest()[:20]).decode()
DATABASE = f"""C:Q1qwertyqwertyqwertyqwertyqw=
P:busybox
V:1.36.1-r29
A:x86_64
S:500000
L:GPL-2.0-only
o:busybox
m:Sören Tempel <soeren+alpine@soeren-tempel.net>
D:so:libc.musl-x86_64.so.1 !uclibc
p:cmd:busybox=1.36.1-r29 /bin/sh
F:bin
R:busybox
a:0:0:755
Z:Q1{SHA1}
R:new
Z:Q2{SHA256}
R:bare
F:etc
F:
R:top
Z:Q1{SHA1}

P:musl-utils
V:1.2.5-r0
A:x86_64
L:MIT AND BSD-2-Clause
o:musl
D:musl>=1.2.5 scanelf
p:so:libc.musl-x86_64.so.1=1

P:broken

V:1
"""


def digest(name: str) -> str:
    return hashlib.new(name, CONTENT).hexdigest()


def test_what_apk_has_installed(tmp_path: Path) -> None:
    found = Scanned(tmp_path, {INSTALLED: DATABASE, "etc/os-release": "ID=alpine\nVERSION_ID=3.20.1\n"})
    busybox, utils = found.packages
    assert busybox.purl == "pkg:apk/alpine/busybox@1.36.1-r29?arch=x86_64&distro=alpine-3.20.1"
    assert (busybox.licenses, busybox.depends) == (("GPL-2.0-only",), ("so:libc.musl-x86_64.so.1",))
    assert busybox.provides == ("cmd:busybox", "/bin/sh")
    assert busybox.supplier == "Sören Tempel <soeren+alpine@soeren-tempel.net>"
    assert (utils.source, utils.source_version, utils.licenses) == ("musl", "1.2.5-r0", ("MIT AND BSD-2-Clause",))
    assert utils.purl.endswith("&upstream=musl")
    assert utils.depends == ("musl", "scanelf")


def test_files_are_owned_with_their_checksums(tmp_path: Path) -> None:
    owned = Scanned(tmp_path, {INSTALLED: DATABASE}).owned
    for path in ("bin/busybox", "usr/bin/busybox", "bin/new", "top"):
        assert owned.is_pristine(path, digest)
        assert not owned.is_pristine(path, lambda name: hashlib.new(name, b"other").hexdigest())
    assert owned.owner("bin/bare") == "busybox"
    assert not owned.is_pristine("bin/bare", digest)


def test_stock_files_of_before_an_update_are_still_known(tmp_path: Path) -> None:
    other = DATABASE.replace(SHA1, base64.b64encode(hashlib.sha1(b"newer").digest()).decode())
    owned = Scanned(tmp_path, {INSTALLED: DATABASE}, {INSTALLED: other}).owned
    assert owned.is_pristine("bin/busybox", digest)
    assert owned.is_pristine("bin/busybox", lambda name: hashlib.new(name, b"newer").hexdigest())


def test_a_package_is_of_the_layer_of_its_files(tmp_path: Path) -> None:
    found = Scanned(tmp_path, {INSTALLED: DATABASE, "bin/busybox": CONTENT}, {INSTALLED: DATABASE})
    assert [(one.name, one.layer and one.layer.index) for one in found.packages] == [("busybox", 0), ("musl-utils", 1)]


def test_the_database_is_found_where_usr_is_merged(tmp_path: Path) -> None:
    assert Scanned(tmp_path, {f"usr/{INSTALLED}": "P:a\nV:1\n"}).names == ["apk a 1"]
    assert Scanned(tmp_path / "2", {f"srv/{INSTALLED}": "P:a\nV:1\n"}).names == []


@pytest.mark.parametrize(
    "text",
    [
        b"P:a\nV:1\n" + b"F:x\n" * 300_000,
        b"P:a\nV:1\nF:x\n" + b"R:y\n" * 300_000,
        b"P:a\nV:1\nR:y\nZ:Q1===\nR:z\nZ:Q9\nR:w\nZ:\n",
        b"\0" * 300_000,
        b"\n:\n",
    ],
    ids=["folders", "files", "digests", "zeros", "colon"],
)
def test_hostile_databases_are_read_in_bounds(tmp_path: Path, text: bytes) -> None:
    found = Scanned(tmp_path, {INSTALLED: text})
    assert len(found.packages) <= 1
    assert not found.owned.is_pristine("y", lambda _: "")
