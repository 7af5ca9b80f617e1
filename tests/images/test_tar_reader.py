"""The reader of tars sees what Python's own does in all that is well made."""

import io
import tarfile
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_tars import END, header, member, pax

from hardener.errors import HardenError
from hardener.images.limits import LIMITS
from hardener.images.notes import Notes
from hardener.images.tar import Entry, Reader

KINDS = {
    tarfile.REGTYPE: "file",
    tarfile.DIRTYPE: "folder",
    tarfile.SYMTYPE: "symlink",
    tarfile.LNKTYPE: "hardlink",
    tarfile.FIFOTYPE: "fifo",
    tarfile.CHRTYPE: "char",
    tarfile.BLKTYPE: "block",
}
# Sun's tar took the bytes of a header for signed numbers.
SIGNED = header(b"caf\xe9", checksum=b"%06o\0 " % (sum(header(b"caf\xe9", checksum=b" " * 8)) - 256))
PART = st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="/"), min_size=1, max_size=60).filter(
    lambda part: part not in (".", "..") and not part.startswith(".wh.")
)
NAME = st.lists(PART, min_size=1, max_size=5).map("/".join)
FORMATS = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)


@st.composite
def infos(draw: st.DrawFn) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(draw(NAME))
    info.type = draw(st.sampled_from(sorted(KINDS)))
    info.mode = draw(st.integers(0, 0o7777))
    info.uid, info.gid = draw(st.integers(0, 2**32 - 2)), draw(st.integers(0, 70_000))
    info.mtime = draw(st.integers(0, 2**40))
    content = draw(st.binary(max_size=1500)) if info.type == tarfile.REGTYPE else b""
    info.size = len(content)
    if info.type in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        info.linkname = draw(NAME)
    if draw(st.booleans()):
        info.pax_headers = {"SCHILY.xattr.user.a": draw(st.text(max_size=20))}
    return info, content


def pieces(content: bytes, size: int) -> Iterator[bytes]:
    for at in range(0, len(content), size):
        yield content[at : at + size]


def reader(content: bytes, size: int = 1 << 20, *, strict: bool = False, notes: Notes | None = None) -> Reader:
    stream = pieces(content, size)
    return Reader(lambda: next(stream, b""), "layer", LIMITS, notes or Notes(), strict=strict)


def read(content: bytes, size: int = 1 << 20) -> list[tuple[Entry, bytes]]:
    opened = reader(content, size)
    return [(entry, opened.content(entry.size)) for entry in iter(opened.next, None)]


@settings(max_examples=150)
@given(st.lists(infos(), max_size=6), st.sampled_from(FORMATS), st.integers(1, 5000))
def test_both_read_the_same(given_: list[tuple[tarfile.TarInfo, bytes]], kind: int, size: int) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=kind) as archive:
        for info, content in given_:
            try:
                archive.addfile(info, io.BytesIO(content))
            except ValueError:  # it does not fit into this format
                continue
    out.seek(0)
    expected = []
    with tarfile.open(fileobj=out) as archive:
        for info in archive:
            file = archive.extractfile(info) if info.isreg() else None
            expected.append(
                (
                    info.name.rstrip("/"),
                    *(KINDS[info.type], info.mode, info.uid, info.gid, info.size if info.isreg() else 0, int(info.mtime)),
                    info.linkname if info.type in (tarfile.SYMTYPE, tarfile.LNKTYPE) else "",
                    info.pax_headers.get("SCHILY.xattr.user.a"),
                    file.read() if file is not None else b"",
                )
            )
    found = [
        (one.name, one.kind, one.mode, one.uid, one.gid, one.size, one.mtime, one.link, _text(one.xattrs.get("user.a")), content)
        for one, content in read(out.getvalue(), size)
    ]
    assert found == expected


def _text(value: bytes | None) -> str | None:
    return value.decode() if value is not None else None


@settings(max_examples=200)
@given(st.binary(max_size=3000), st.integers(1, 600))
def test_no_bytes_are_a_crash(noise: bytes, at: int) -> None:
    good = pax((b"path", b"some/name")) + member(b"a", b"content" * 100) + member(b"b", kind=b"2", link=b"a") + END
    for content in (noise, good[:at] + noise[:50] + good[at + 50 :]):
        try:
            found = read(content, 700)
        except HardenError as error:
            assert error.how
        else:
            assert all(len(one) == entry.size for entry, one in found)


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (member(b"./a") + member(b"b/") + END, ["a", "b"]),
        (member(b"./", kind=b"5") + END, [""]),
        (member(b"d/", kind=b"\0") + member(b"f", kind=b"\0") + member(b"g", kind=b"7") + END, ["d", "f", "g"]),
        (member(b"name", prefix=b"long/prefix") + END, ["long/prefix/name"]),
        (member(b"name", prefix=b"ignored", magic=b"ustar  \0") + END, ["name"]),
        (member(b"name", prefix=b"star".ljust(131, b"\0") + b"0" * 12 + b"1" * 12 + b"....tar\0") + END, ["star/name"]),
        (member(b"long", b"n" * 150 + b"\0", kind=b"L") + member(b"short") + END, ["n" * 150]),
        (member(b"long", b"n" * 150 + b"\0", kind=b"L") + pax((b"path", b"pax")) + member(b"short") + END, ["pax"]),
        (pax((b"path", b"global"), kind=b"g") + member(b"a") + pax((b"path", b"own")) + member(b"b") + END, ["global", "own"]),
        (pax((b"path", b"global"), kind=b"g") + pax((b"path", b"")) + member(b"a") + END, ["a"]),
        (member("caf\u00e9".encode()) + member(b"caf\xe9") + END, ["caf\u00e9", "caf\udce9"]),
        (SIGNED + END, ["caf\udce9"]),
        (b"", []),
        (bytes(512), []),
        (bytes(10_240), []),
    ],
)
def test_names(content: bytes, names: list[str]) -> None:
    for size in (1, 512, 1 << 20):
        assert [entry.name for entry, _ in read(content, size)] == names


def test_times_and_owners() -> None:
    content = (
        member(b"a", mtime=b"\xff" * 11 + b"\xfe")
        + pax((b"mtime", b"-1.5"), (b"uid", b"70000"))
        + member(b"b")
        + member(b"c", uid=b"\x80\x00\x00\x00\x00\x01\x00\x00", mtime=b"1234\0junk")
        + END
    )
    assert [(entry.mtime, entry.uid) for entry, _ in read(content)] == [(-2, 0), (-1, 70_000), (0o1234, 65_536)]


def test_content_in_parts() -> None:
    opened = reader(member(b"a", b"0123456789") + member(b"b", b"x") + END, 7)
    assert opened.next()
    assert [opened.content(4), opened.content(4), opened.content(4), opened.content(4)] == [b"0123", b"4567", b"89", b""]
    assert opened.next()
    assert opened.next() is None


def test_many_oddities_are_one_note() -> None:
    notes = Notes()
    opened = reader(b"".join(member(b"/%d" % number) for number in range(1000)) + END, notes=notes)
    assert len(list(iter(opened.next, None))) == 1000
    assert notes.lines() == ("layer: 1000 × entries with absolute names, first '/0'",)
