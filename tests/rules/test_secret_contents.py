"""What is searched of a file, how closely, and that windows and the faster prefilter change nothing."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from secret_samples import TOKENS, alnum, github, hexa, jwt, pem

from hardener.rules.secrets import contents, prefilter
from hardener.rules.secrets.contents import OVERLAP, REACH, Hit, inspect, inspect_piece, look

GITHUB = github("gh" + "p")
NOISE = "The quick brown fox: key-value, sk-learn, https://host/path?x=1, a.b.c SG. -us ://@ xoxb-\n"


def in_windows(path: str, data: bytes, size: int) -> list[tuple[str, int]]:
    """Judge data as a layer's large file comes: windows that overlap."""
    content, found, at = look(path, data[:size]), [], 0
    while True:
        window = data[at : at + size]
        ends = at + size >= len(data)
        piece = content._replace(starts=at == 0, ends=ends)
        found += [(hit.secret.kind, at + hit.start) for hit in inspect_piece(piece, window)]
        if ends:
            return found
        at += size - OVERLAP


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.integers(OVERLAP + 20_000, 3 * OVERLAP))
def test_windows_change_nothing(seed: int, size: int) -> None:
    dice = random.Random(seed)
    parts = []
    for _ in range(12):
        parts.append(NOISE + "plain words\n" * dice.randrange(2000))
        _, token = dice.choice(TOKENS)
        parts.append(dice.choice([f" {token}\n", f'"{token}"', f" {pem()}\n", f"\n{jwt()} {token}\n"]))
    data = "".join(parts).encode()
    whole = [(hit.secret.kind, hit.start) for hit in inspect_piece(look("a.log", data), data)]
    assert whole
    assert in_windows("a.log", data, size) == whole


@pytest.mark.parametrize("shift", [-1, 0, 1, 20, 39, 40, 41])
def test_a_token_at_the_end_of_a_window_is_found_once(shift: int) -> None:
    size = 2 * OVERLAP
    for border in (size - REACH, size, size - OVERLAP):
        data = (b"x" * 63 + b"\n") * (size // 64 * 3)
        at = border - shift
        data = data[: at - 1] + b" " + GITHUB.encode() + b" " + data[at + len(GITHUB) + 1 :]
        assert in_windows("a.log", data, size) == [("github-token", at)]


def test_both_prefilters_find_the_same() -> None:
    fast = prefilter.hyperscan_finder()
    if fast is None:
        pytest.fail("hyperscan is a development dependency: pip install hyperscan")
    dice = random.Random(7)
    for _ in range(60):
        pieces = [dice.choice([NOISE, dice.choice(TOKENS)[1], alnum(9), "\n", hexa(40), "\xe9", pem(), "-----BEGIN "]) for _ in range(80)]
        data = "".join(pieces).encode() + dice.randbytes(dice.randrange(3000))
        assert fast(data) == prefilter.plain(data)


def test_a_format_is_found_with_either(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (NOISE * 40 + "\n".join(token for _, token in TOKENS)).encode()
    fast = [(hit.secret, hit.start) for hit in inspect("a.log", text)]
    monkeypatch.setattr(prefilter, "hyperscan_finder", lambda: None)
    assert [(hit.secret, hit.start) for hit in inspect("a.log", text)] == fast
    assert len(fast) >= len(TOKENS) - 3


def kinds(hits: list[Hit]) -> list[str]:
    return [hit.secret.kind for hit in hits]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_text(encoding: str) -> None:
    text = f"a = 1\r\nDB_PASSWORD={'Xy9p' + 'Q2rT'}\r\n"
    data = text.encode(encoding)
    if encoding != "utf-16":
        data = "\ufeff".encode(encoding) + data
    hits = inspect("app/win.ini", data)
    assert [(hit.secret.kind, hit.line) for hit in hits] == [("password", 2)]


def test_binary_files_are_searched_for_formats_that_prove_themselves() -> None:
    data = bytes(200) + b"\x07" + GITHUB.encode() + b"\0" + b"https://me:Xy9pQ2rT@h/\0" + pem().encode() + bytes(9)
    assert kinds(inspect("app/cache.db", data)) == ["github-token", "private-key"]
    assert [hit.line for hit in inspect("app/cache.db", data)] == [0, 0]
    assert kinds(inspect("usr/bin/prog", data)) == ["private-key"]
    assert kinds(inspect("app/x.png", b"\x89PNG" + data)) == []


def test_offsets_count_code_points() -> None:
    text = f"é → {GITHUB}"
    (hit,) = inspect("a.log", text.encode())
    assert text[hit.start : hit.end] == GITHUB
    (hit,) = inspect("a.conf", f"é → x\ntoken = {GITHUB}\n".encode())
    assert hit.line == 2


def test_what_is_not_utf_8_is_judged_as_well() -> None:
    assert kinds(inspect("a.log", b"caf\xe9 " + GITHUB.encode())) == ["github-token"]
    assert kinds(inspect("a.conf", b"# caf\xe9\npassword = Xy9p" + b"Q2rT\n")) == ["password"]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(["a.log", ".npmrc", "x.env", "a.key", "root/.docker/config.json", "etc/shadow", "a.py"]))
def test_nothing_makes_it_fail(data: bytes, path: str) -> None:
    for hit in inspect(path, data):
        assert 0 <= hit.start <= hit.end <= len(data)


@pytest.mark.parametrize("unit", [b"a=", b"://", b"eyJ", b"-----BEGIN ", b"password: ", b"machine x login ", b"\\n", b'"auth":"', b"$2a$"])
def test_hostile_repetition_stays_cheap(unit: bytes) -> None:
    from time import process_time

    data = unit * (200_000 // len(unit))
    for path in ("a.log", "a.conf", ".npmrc", ".netrc", "root/.docker/config.json", "x.tfstate"):
        before = process_time()
        inspect(path, data)
        assert process_time() - before < 8


def test_a_hit_never_carries_the_credential() -> None:
    (hit,) = contents.inspect("a.log", GITHUB.encode())
    assert GITHUB not in repr(hit)


@pytest.mark.parametrize("path", [".env", "srv/app/.env.production", "deploy/web.env"])
@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("DB_PASSWORD=tr0ub4dor&3xyz", "tr0ub4dor&3xyz"),
        ("export DB_PASSWORD=tr0ub4dor;3xyz|q  # the old one", "tr0ub4dor;3xyz|q"),
        ("DB_PASSWORD=&Qw9z(lPP2x", "&Qw9z(lPP2x"),
        ('DB_PASSWORD="tr0ub4dor&3xyz"', "tr0ub4dor&3xyz"),
        ("PASSWORD=<your password>", ""),
        ("PASSWORD=$(cat /run/secrets/password)", ""),
        ("SECRET_KEYS=id,name", ""),
    ],
)
def test_a_value_of_a_dotenv_file_ends_with_its_line(path: str, line: str, value: str) -> None:
    text = f"A=b\n{line}\nC=d\n"
    assert [text[hit.start : hit.end] for hit in inspect(path, text.encode())] == ([value] if value else [])
