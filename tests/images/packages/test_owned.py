"""Which files are what their package brought."""

import hashlib
from collections.abc import Callable

import pytest

from hardener.images.packages.model import Owned

STOCK = b"stock"
MD5, SHA256 = hashlib.md5(STOCK).hexdigest(), hashlib.sha256(STOCK).hexdigest()


def digest(content: bytes) -> Callable[[str], str]:
    return lambda algorithm: hashlib.new(algorithm, content).hexdigest()


@pytest.fixture
def owned() -> Owned:
    made = Owned()
    made.add("base", [("etc/a", "md5", MD5), ("lib/x/b", "sha256", SHA256), ("usr/sbin/c", "sha256", SHA256[:40]), ("d", "", "")])
    return made


@pytest.mark.parametrize("path", ["etc/a", "lib/x/b", "usr/lib/x/b", "usr/sbin/c", "sbin/c"])
def test_stock_files_are_pristine_until_they_are_changed(owned: Owned, path: str) -> None:
    assert owned.is_pristine(path, digest(STOCK))
    assert not owned.is_pristine(path, digest(b"changed"))
    assert owned.owner(path) == "base"


@pytest.mark.parametrize("path", ["etc/b", "usr/etc/a", "", "d", "x/b"])
def test_others_are_not(owned: Owned, path: str) -> None:
    assert not owned.is_pristine(path, digest(STOCK))


def test_what_is_owned_without_a_checksum_has_an_owner(owned: Owned) -> None:
    assert owned.owner("d") == "base"
    assert owned.owner("e") == ""


def test_every_version_that_there_ever_was_is_pristine(owned: Owned) -> None:
    owned.add("base", [("etc/a", "md5", hashlib.md5(b"newer").hexdigest()), ("lib/x/b", "", "")])
    assert owned.is_pristine("etc/a", digest(STOCK))
    assert owned.is_pristine("etc/a", digest(b"newer"))
    assert owned.is_pristine("lib/x/b", digest(STOCK))


@pytest.mark.parametrize("digits", ["", "8", MD5[:31]])
def test_a_checksum_that_is_cut_proves_nothing(digits: str) -> None:
    made = Owned()
    made.add("evil", [("key", "md5", digits), ("key", "crc32", "00000000000000000000000000000000")])
    assert not made.is_pristine("key", digest(STOCK))
