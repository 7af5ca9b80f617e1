"""Packages of npm: what is installed, and what a lock file knows of it."""

import hashlib
import json
from pathlib import Path

import pytest
from package_images import Scanned

SHA512 = "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg=="  # of nothing


def package(name: str, version: str = "1.0.0", **more: object) -> str:
    return json.dumps({"name": name, "version": version, **more})


def test_what_is_installed(tmp_path: Path) -> None:
    found = Scanned(
        tmp_path,
        {
            "srv/app/package.json": package("app", "0.1.0", dependencies={"a": "^1"}, license="UNLICENSED", author={"name": "Ann"}),
            "srv/app/node_modules/a/package.json": package("a", license="MIT", author="Bo <b@x.org>", dependencies={"@s/b": "2"}),
            "srv/app/node_modules/a/node_modules/@s/b/package.json": package("@s/b", "2.0.0", licenses=[{"type": "MIT"}, {"type": "ISC"}]),
            "srv/app/node_modules/@s/b/package.json": package("@s/b"),
            "srv/other/node_modules/a/package.json": package("a"),
            "srv/app/node_modules/a/test/package.json": package("fixture"),
            "srv/app/node_modules/a/dist/esm/package.json": '{"type": "module"}',
            "srv/app/node_modules/.bin/package.json": "not json",
        },
    )
    assert found.names == ["npm @s/b 1.0.0", "npm @s/b 2.0.0", "npm a 1.0.0", "npm app 0.1.0"]
    assert found.one("a").places == ("srv/other/node_modules/a/package.json",)
    assert (found.one("app").supplier, found.one("a").licenses) == ("Ann", ("MIT",))
    assert found.packages[1].licenses == ("(MIT OR ISC)",)
    assert found.packages[1].purl == "pkg:npm/%40s/b@2.0.0"


LOCKED = {
    "lockfileVersion": 3,
    "packages": {
        "": {"name": "app", "version": "0.1.0"},
        "node_modules/a": {"version": "1.0.0", "integrity": SHA512, "license": "MIT"},
        "node_modules/a/node_modules/b": {"version": "2.0.0"},
        "node_modules/alias": {"name": "real", "version": "3.0.0"},
        "node_modules/dev": {"version": "1.0.0", "dev": True},
        "node_modules/here": {"link": True, "resolved": "here"},
    },
}
OLD = {
    "lockfileVersion": 1,
    "dependencies": {
        "a": {"version": "1.0.0", "integrity": SHA512, "dependencies": {"b": {"version": "2.0.0"}}},
        "dev": {"version": "1.0.0", "dev": True},
    },
}


@pytest.mark.parametrize("lock", [LOCKED, OLD], ids=["3", "1"])
def test_what_is_installed_has_the_checksum_of_its_archive(tmp_path: Path, lock: dict[str, object]) -> None:
    found = Scanned(tmp_path, {"srv/package-lock.json": json.dumps(lock), "srv/node_modules/a/package.json": package("a")})
    assert found.names == ["npm a 1.0.0"]
    assert found.one("a").hashes == (("sha512", hashlib.sha512(b"").hexdigest()),)


def test_the_lock_within_node_modules_knows_it_as_well(tmp_path: Path) -> None:
    found = Scanned(tmp_path, {"srv/node_modules/.package-lock.json": json.dumps(LOCKED), "srv/node_modules/a/package.json": package("a")})
    assert found.one("a").hashes == (("sha512", hashlib.sha512(b"").hexdigest()),)
    other = Scanned(tmp_path / "2", {"srv/package-lock.json": json.dumps(LOCKED), "srv/node_modules/a/package.json": package("a", "1.0.1")})
    assert (other.names, other.one("a").hashes) == (["npm a 1.0.1"], ())


def test_an_application_whose_packages_are_bundled_has_those_of_its_lock_file(tmp_path: Path) -> None:
    found = Scanned(tmp_path, {"srv/package-lock.json": json.dumps(LOCKED), "srv/bundle.js": "x"})
    assert found.names == ["npm a 1.0.0", "npm b 2.0.0", "npm real 3.0.0"]
    assert found.one("a").notes == ("named by a lock file; not installed beside it",)
    assert Scanned(tmp_path / "2", {"srv/package-lock.json": json.dumps(OLD)}).names == ["npm a 1.0.0", "npm b 2.0.0"]


def _nested(depth: int) -> bytes:
    return b'{"dependencies": {"a": ' * depth + b"{}" + b"}}" * depth


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"null",
        b'{"name": 1, "version": 2}',
        b'{"name": "a", "version": "latest"}',
        b'{"name": "../../a", "version": "1"}',
        b'{"name": "a\\u0000", "version": "1"}',
        b'{"name": "a", "version": "1", "license": {"type": []}, "author": [], "dependencies": []}',
        b"[" * 200_000,
        b'{"packages": {"node_modules/a": []}, "dependencies": {"b": 1}}',
        b'{"packages": {"node_modules/": {"version": "1"}}}',
        _nested(400),
        b"\xff\xfe{}",
        b'{"name": "a", "version": "1' + b"9" * 900_000 + b'"}',
    ],
)
def test_hostile_documents_are_read_in_bounds(tmp_path: Path, text: bytes) -> None:
    found = Scanned(tmp_path, {"srv/node_modules/a/package.json": text, "app/package-lock.json": text, "app/package.json": text})
    assert all(package.name == "a" for package in found.packages)
