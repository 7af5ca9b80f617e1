"""Credentials in the layers of images: where they are, and what became of them."""

from pathlib import Path

import pytest
from layouts import Layout, entry, folder, tar
from secret_samples import TOKENS, alnum, github, hexa, pem

from hardener.images.find import find
from hardener.images.scan import LARGE, WINDOW, scan
from hardener.images.tar import Entry
from hardener.rules.secrets import contents
from hardener.rules.secrets.scanner import MOST, Leak, SecretScanner

GITHUB = github("gh" + "p")
PW = "Xy9p" + "Q2rT"


def leaks(tmp_path: Path, *layers: bytes, owned: "Vouches | None" = None) -> tuple[Leak, ...]:
    layout = Layout(tmp_path / "layout")
    layout.add(layout.image(*layers), "x")
    scanner = SecretScanner()
    view = scan(find(f"oci:{tmp_path / 'layout'}"), [scanner])
    return scanner.leaks(view, owned)


def shown(found: tuple[Leak, ...]) -> list[tuple[str, int, str, int, int | None, bool]]:
    return [
        (leak.path, leak.layer.index, leak.hit.secret.kind, leak.hit.line, leak.fate.index if leak.fate else None, leak.is_deleted)
        for leak in found
    ]


class Vouches:
    def __init__(self, *paths: str) -> None:
        self.paths = paths
        self.asked: list[tuple[str, str]] = []

    def is_pristine(self, path: str, digest: object) -> bool:
        assert callable(digest)
        self.asked.append((path, digest("md5")))
        return path in self.paths


def test_a_deleted_file_is_still_in_its_layer(tmp_path: Path) -> None:
    first = tar(folder("root"), entry("root/.npmrc", f"//r/:_authToken={GITHUB}\n".encode()), entry("app/id_rsa", pem().encode()))
    second = tar(entry("root/.wh..npmrc"), entry("app/id_rsa", b"gone"))
    third = tar(folder("srv"), entry("srv/.env", f"A=1\nDB_PASSWORD={PW}\n".encode()))
    assert shown(leaks(tmp_path, first, second, third)) == [
        ("app/id_rsa", 0, "private-key", 1, 1, False),
        ("root/.npmrc", 0, "npm-token", 1, 1, True),
        ("srv/.env", 2, "password", 2, None, False),
    ]


def test_an_opaque_folder_deletes_too(tmp_path: Path) -> None:
    found = leaks(
        tmp_path, tar(folder("a"), entry("a/b/.netrc", f"machine x login me password {PW}".encode())), tar(entry("a/.wh..wh..opq"))
    )
    assert shown(found) == [("a/b/.netrc", 0, "password", 1, 1, True)]


def test_a_file_that_is_brought_again_is_told_of_once(tmp_path: Path) -> None:
    content = f"x\ntoken = {GITHUB}\n".encode()
    found = leaks(tmp_path, tar(entry("a.conf", content)), tar(entry("a.conf", content, mode=0o600)), tar(entry(".wh.a.conf")))
    assert shown(found) == [("a.conf", 0, "github-token", 2, 2, True)]
    assert found[0].more == 1


def test_another_secret_at_the_same_place_is_another_leak(tmp_path: Path) -> None:
    found = leaks(tmp_path, *(tar(entry("a.conf", f"token = {github('gh' + 'p')}\n".encode())) for _ in range(2)))
    assert [(leak.layer.index, leak.fate.index if leak.fate else None) for leak in found] == [(0, 1), (1, None)]


@pytest.mark.parametrize("kind_and_token", TOKENS[::3], ids=lambda item: str(item[0]))
@pytest.mark.parametrize("path", ["app/deep/er/still/notes.txt", "app/data.bin", "var/log/x.log"])
def test_a_planted_token_is_found_in_its_layer(tmp_path: Path, kind_and_token: tuple[str, str], path: str) -> None:
    kind, token = kind_and_token
    content = f"one\ntwo {token} three\n".encode()
    is_binary = path.endswith(".bin")
    found = leaks(tmp_path, tar(folder("app")), tar(entry(path, b"\x7f\0\1" + content if is_binary else content)))
    # Random bytes make up the shapes of some, which are not searched for in binary files.
    expected = [] if is_binary and kind in contents._WEAK_EVIDENCE else [(path, 1, kind, 0 if is_binary else 2)]
    assert [(leak.path, leak.layer.index, leak.hit.secret.kind, leak.hit.line) for leak in found] == expected


@pytest.mark.parametrize("at", [LARGE - 20, WINDOW - 20, WINDOW - 65536, WINDOW - 32768 - 7, 2 * WINDOW - 65536 - 40, 9_000_000])
def test_a_large_file_is_searched_to_its_end(tmp_path: Path, at: int) -> None:
    content = bytearray((b"y" * 99 + b"\n") * 95_000)
    content[at : at + len(GITHUB) + 2] = f" {GITHUB} ".encode()
    (leak,) = leaks(tmp_path, tar(entry("var/dump.log", bytes(content))))
    assert (leak.hit.secret.kind, leak.hit.line) == ("github-token", bytes(content)[:at].count(b"\n") + 1)


def test_who_is_vouched_for_is_let_go(tmp_path: Path) -> None:
    import hashlib

    key = pem().encode()
    large = key + b"\0" * (LARGE + 10)
    owned = Vouches("usr/lib/libx.so", "usr/lib/large.so")
    layer = tar(entry("usr/lib/libx.so", b"\0" + key), entry("usr/lib/large.so", b"\0" + large), entry("app/x.key", key))
    assert [leak.path for leak in leaks(tmp_path, layer, owned=owned)] == ["app/x.key"]
    digests = {path: hashlib.md5(content).hexdigest() for path, content in (("usr/lib/libx.so", b"\0" + key), ("app/x.key", key))}
    digests["usr/lib/large.so"] = hashlib.md5(b"\0" + large).hexdigest()
    assert dict(owned.asked) == digests


def test_a_list_of_keys_is_not_told_without_end(tmp_path: Path) -> None:
    text = "\n".join(github("gh" + "p") for _ in range(MOST + 30))
    assert len(leaks(tmp_path, tar(entry("a.txt", text.encode())))) == MOST


def test_what_cannot_hold_any_is_not_read(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "layout")
    layout.add(layout.image(tar()), "x")
    (layer,) = find(f"oci:{tmp_path / 'layout'}").layers
    scanner = SecretScanner()
    wanted = [
        scanner.wants(Entry(name, kind, 0o644, 0, 0, size), layer)
        for name, kind, size in (("a", "file", 9), ("a.png", "file", 9), ("a", "file", 0), ("go.sum", "file", 9), ("a", "hardlink", 9))
    ]
    assert wanted == [-1, 0, 0, 0, 0]


def test_a_hash_or_a_digest_is_no_secret(tmp_path: Path) -> None:
    text = "\n".join([hexa(40), "sha512-" + alnum(86) + "==", "AK" + "IAIOSFODNN7EXAMPLE", "gh" + "p_" + "x" * 36])
    assert leaks(tmp_path, tar(entry("a.conf", text.encode()), entry("b.txt", text.encode()))) == ()
