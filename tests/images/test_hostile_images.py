"""Images that are made to do harm: each is refused, or contained with a word about it, by who reads it and by who unpacks it.

What lies beside the image never changes, nothing is left over, and no error is a crash.
"""

import gzip
import hashlib
import json
import os
import stat
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from layouts import OCI, Layout, entry, folder, link, tar
from raw_tars import END, header, member, pax, records

from hardener.errors import HardenError
from hardener.images import find, image, platforms, scan, unpack
from hardener.images.kept import Kept
from hardener.images.limits import LIMITS, Limits
from hardener.oci.image import Descriptor

MACHINE = str(platforms.machine().architecture)
GOOD = tar(entry("x", b"content"))
GZIP = f"{OCI}.layer.v1.tar+gzip"

Entries = list[tuple[tarfile.TarInfo, bytes]]


class Refused(str):
    """The error that says no."""

    __slots__ = ()


class Contained(str):
    """What a note says, or nothing where there is nothing to say."""

    __slots__ = ()


def layers(*contents: bytes) -> Callable[[Layout, str], None]:
    def write(made: Layout, outside: str) -> None:
        made.add(made.image(*[content.replace(b"OUTSIDE", outside.encode()) for content in contents], architecture=MACHINE))

    return write


def entries(*each: Entries) -> Callable[[Layout, str], None]:
    """An image of layers, in whose names and links OUTSIDE is the folder with the file that must not change."""

    def write(made: Layout, outside: str) -> None:
        for layer in each:
            for info, _ in layer:
                info.name, info.linkname = [text.replace("OUTSIDE", outside) for text in (info.name, info.linkname)]
        made.add(made.image(*[tar(*layer) for layer in each], architecture=MACHINE))

    return write


def blob(content: bytes, diff: bytes = b"", media_type: str = GZIP) -> Callable[[Layout, str], None]:
    """An image of one layer, whose blob says of itself that it holds `diff`."""

    def write(made: Layout, _: str) -> None:
        made.add(made.image(diff, architecture=MACHINE, layers=[made.blob(content, media_type)]))

    return write


def described(**fields: Any) -> Callable[[Layout, str], None]:
    """A good image whose descriptor is changed."""

    def write(made: Layout, _: str) -> None:
        made.add({**made.image(GOOD, architecture=MACHINE), **fields})

    return write


def configured(change: Callable[[dict[str, Any]], object]) -> Callable[[Layout, str], None]:
    """A good image with another configuration."""

    def write(made: Layout, _: str) -> None:
        rootfs = {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(GOOD).hexdigest()}"]}
        config: dict[str, Any] = {"os": "linux", "architecture": MACHINE, "rootfs": rootfs}
        changed = change(config)
        content = changed if isinstance(changed, bytes) else json.dumps(changed).encode()
        layer = made.blob(gzip.compress(GOOD, mtime=0), GZIP)
        described = {"schemaVersion": 2, "config": made.blob(content, f"{OCI}.config.v1+json"), "layers": [layer]}
        made.add(made.document(described, f"{OCI}.manifest.v1+json"))

    return write


def manifest(**more: Any) -> Callable[[Layout, str], None]:
    """A good image with more in its manifest."""

    def write(made: Layout, _: str) -> None:
        made.add(made.image(GOOD, architecture=MACHINE, **more))

    return write


def wrong_digest(made: Layout, _: str) -> None:
    good = made.image(GOOD, architecture=MACHINE)
    made.add(good)
    for path in (made.path / "blobs" / "sha256").iterdir():
        if path.read_bytes().startswith(b"\x1f\x8b"):
            path.write_bytes(path.read_bytes()[:-20] + b"x" * 20)


def with_urls(made: Layout, _: str) -> None:
    layer = made.blob(gzip.compress(GOOD, mtime=0), GZIP, urls=["http://127.0.0.1:1/layer"])
    made.add(made.image(GOOD, architecture=MACHINE, layers=[layer]))


def nested(depth: int) -> Callable[[Layout, str], None]:
    def write(made: Layout, outside: str) -> None:
        inner = made.image(GOOD, architecture=MACHINE)
        for _ in range(depth):
            inner = made.document({"schemaVersion": 2, "manifests": [inner]}, f"{OCI}.index.v1+json")
        made.add(inner)

    return write


def crowded(made: Layout, _: str) -> None:
    row = {"mediaType": f"{OCI}.manifest.v1+json", "digest": f"sha256:{'0' * 64}", "size": 1}
    made.add(made.document({"manifests": [row] * 20_000}, f"{OCI}.index.v1+json"))


def data_field(content: bytes) -> Callable[[Layout, str], None]:
    from base64 import b64encode

    return described(data=b64encode(content).decode())


def twice_said(made: Layout, _: str) -> None:
    good = made.image(GOOD, architecture=MACHINE)
    content = (made.path / "blobs" / "sha256" / good["digest"].partition(":")[2]).read_bytes()
    made.add(made.blob(content[:-1] + b', "layers": []}', good["mediaType"]))


def zstd(content: bytes, *options: str) -> bytes:
    return subprocess.run(["zstd", "-c", "-1", *options], input=content, capture_output=True, check=True).stdout


SPARSE = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "x", "GNU.sparse.realsize": str(1 << 40)}
BOMB = gzip.compress(bytes(1 << 24), mtime=0) * 64  # a gibibyte of zeros
OUT = "OUTSIDE/canary"
NO_FOLDER = Refused("is no folder of the layer")
SAME = None  # unpacking ends as reading does

# name, what writes it, how reading ends, how unpacking ends
CASES: list[tuple[str, Callable[[Layout, str], None], Refused | Contained, Refused | Contained | None]] = [
    # names
    (
        "a name that climbs",
        entries([entry("../x", b"x"), entry("../../../../OUTSIDE/canary", b"x")]),
        Contained("lead out of the root"),
        Refused("would lie outside"),
    ),
    (
        "a name that climbs from within",
        entries([entry("a/../../x", b"x")]),
        Contained("lead out of the root"),
        Refused("would lie outside"),
    ),
    ("a name that climbs inside", entries([entry("a/../x", b"x")]), Contained("with .. in their names"), Refused("would lie outside")),
    ("an absolute name", entries([entry(f"/{OUT}", b"x")]), Contained("absolute names"), Contained("")),
    ("the top as a link", entries([link(".", "OUTSIDE"), entry("canary", b"x")]), Refused("would be the top"), SAME),
    ("a name of 80 KB", entries([entry("n" * 80_000)]), Refused("longer than any file's"), SAME),
    ("a path of 3,000 folders", entries([entry("a/" * 3000 + "x")]), Refused("longer than any file's"), SAME),
    ("a path of 1,000 short folders", entries([entry("a/" * 1000 + "x")]), Refused("or too deep"), SAME),
    (
        "a long name of GNU without an end",
        layers(member(b"././@LongLink", b"n" * 5000, kind=b"L") + END),
        Refused("ends where an entry should be"),
        SAME,
    ),
    ("a NUL in a name", layers(pax((b"path", b"a\0b")) + member(b"x") + END), Refused("NUL in its name"), SAME),
    (
        "control characters",
        entries([entry("new\nline"), entry("\x1b[2Jesc"), entry("\u202ebidi")]),
        Contained("control characters"),
        Contained(""),
    ),
    ("twins in case", entries([entry("Readme"), entry("README")]), Contained("differ only in case"), Contained("")),
    ("twins in composition", entries([entry("caf\u00e9"), entry("cafe\u0301")]), Contained("differ only in case"), Contained("")),
    # links
    ("a link out, written through", entries([link("l", "OUTSIDE"), entry("l/canary", b"x")]), NO_FOLDER, SAME),
    (
        "a link out, in a folder of that name",
        entries([folder("OUTSIDE"), link("l", "OUTSIDE"), entry("l/canary", b"x")]),
        Contained(""),
        SAME,
    ),
    (
        "a link out, written through by the next layer",
        entries([link("l", "OUTSIDE")], [entry("l/canary", b"x")]),
        Contained("no folder in lower layers"),
        Contained(""),
    ),
    ("a relative link out", entries([link("l", "../../../../../../OUTSIDE"), entry("l/canary", b"x")]), NO_FOLDER, SAME),
    ("a link to proc", entries([link("l", "/proc/self/root/OUTSIDE"), entry("l/canary", b"x")]), NO_FOLDER, SAME),
    ("a link to itself", entries([link("l", "l"), entry("l/x", b"x")]), NO_FOLDER, SAME),
    ("a link of 5,000 bytes", entries([link("l", "x" * 5000)]), Refused("it leads nowhere"), SAME),
    (
        "a hardlink out, written again",
        entries([link("h", "../../../OUTSIDE/canary", hard=True), entry("h", b"x")]),
        Contained("lead out of the root"),
        Refused("would lie outside"),
    ),
    (
        "a hardlink to a link, written again",
        entries([link("l", OUT), link("h", "l", hard=True), entry("h", b"x")]),
        Contained("comes again"),
        Contained(""),
    ),
    (
        "an absolute hardlink",
        entries([link("h", f"/{OUT}", hard=True), entry("h", b"x")]),
        Contained("hardlinks to what is not there"),
        Refused("is no file of the layer"),
    ),
    (
        "a hardlink through a link",
        entries([link("l", "OUTSIDE"), link("h", "l/canary", hard=True), entry("h", b"x")]),
        Contained("hardlinks to what is not there"),
        NO_FOLDER,
    ),
    ("a hardlink to a folder", entries([folder("d"), link("h", "d", hard=True)]), Contained(""), Refused("is no file of the layer")),
    ("a file, a link, a file", entries([entry("a"), link("a", OUT), entry("a", b"x")]), Contained("comes again"), Contained("")),
    ("a folder, a link, what lies in it", entries([folder("a"), link("a", "OUTSIDE"), entry("a/canary", b"x")]), NO_FOLDER, SAME),
    ("a file, a folder", entries([entry("a"), folder("a"), entry("a/b", b"x")]), Contained("comes again"), Contained("")),
    ("something in a file", entries([entry("a"), entry("a/b", b"x")]), NO_FOLDER, SAME),
    # whiteouts
    (
        "a whiteout through a link",
        entries([folder("d"), link("l", "OUTSIDE")], [entry("l/.wh.canary")]),
        Contained("no folder in lower layers"),
        Contained(""),
    ),
    ("a whiteout through a link of the same layer", entries([link("l", "OUTSIDE"), entry("l/.wh.canary")]), NO_FOLDER, SAME),
    ("an opaque folder through a link", entries([link("l", "OUTSIDE"), entry("l/.wh..wh..opq")]), NO_FOLDER, SAME),
    ("a whiteout of nothing", entries([entry("a/.wh.")]), Refused("it hides nothing"), SAME),
    ("a whiteout of the folder it lies in", entries([entry("a/.wh..")]), Refused("it hides nothing"), SAME),
    ("a whiteout of the folder above", entries([entry("a/.wh...")]), Refused("it hides nothing"), SAME),
    ("something in a whiteout", entries([entry(".wh.a/b")]), Refused("lies in what only hides"), SAME),
    # what is no file
    (
        "a character device",
        entries([entry("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3)]),
        Contained("device nodes"),
        Contained(""),
    ),
    ("a block device", entries([entry("disk", type=tarfile.BLKTYPE, devmajor=8, devminor=0)]), Contained("device nodes"), Contained("")),
    ("a pipe", entries([entry("pipe", type=tarfile.FIFOTYPE)]), Contained(""), Contained("")),
    ("a set-user-id program", entries([entry("su", b"x", mode=0o4755)]), Contained(""), Contained("")),
    (
        "file capabilities that are none",
        entries([entry("x", pax_headers={"SCHILY.xattr.security.capability": "\x01"})]),
        Contained(""),
        Contained(""),
    ),
    ("a sparse file of 1 TiB", entries([entry("x", b"0\n" + bytes(510), pax_headers=SPARSE)]), Refused("sparse files are not read"), SAME),
    ("a sparse file of GNU", layers(member(b"x", b"x", kind=b"S") + END), Refused("entries of type b'S' are unknown"), SAME),
    ("a type that is unknown", layers(member(b"x", b"x", kind=b"Z") + END), Refused("entries of type b'Z' are unknown"), SAME),
    (
        "a folder with content",
        layers(member(b"d", kind=b"5", size=512) + member(b"x", b"x") + END),
        Contained("that have a size"),
        Contained(""),
    ),
    # numbers
    ("a size of pax without end", layers(pax((b"size", b"9" * 13)) + member(b"x") + END), Refused("it says that it has"), SAME),
    ("a size of pax that is no number", layers(pax((b"size", b"-1")) + member(b"x") + END), Refused("its size is no number"), SAME),
    ("a size in base 256", layers(header(b"x", size=b"\x80" + b"\x7f" * 11) + END), Refused("it says that it has"), SAME),
    ("a size below zero", layers(header(b"x", size=b"\xff" * 12) + END), Refused("its size is below zero"), SAME),
    ("a size that is no number", layers(header(b"x", size=b"0x1234") + END), Refused("its size is no number"), SAME),
    ("8 GiB that are not there", layers(header(b"x", size=8 << 30) + END), Refused("unexpected end of data"), SAME),
    ("an owner that is no id", layers(pax((b"uid", b"4294967296")) + member(b"x") + END), Refused("its owner is no id"), SAME),
    (
        "a record of pax that is too long",
        layers(member(b"p", b"99999 path=x\n", kind=b"x") + member(b"y") + END),
        Refused("a record of its extended header"),
        SAME,
    ),
    (
        "a record of pax without an end",
        layers(member(b"p", b"9 path=xy", kind=b"x") + member(b"y") + END),
        Refused("a record of its extended header"),
        SAME,
    ),
    ("a header of 2 MiB", layers(pax((b"comment", b"x" * (2 << 20))) + member(b"y") + END), Refused("its headers are too large"), SAME),
    ("headers without end", layers(pax((b"comment", b"x" * 5000)) * 300 + member(b"y") + END), Refused("its headers are too large"), SAME),
    (
        "global headers without end",
        layers(b"".join(pax((b"k%d" % n, b"x"), kind=b"g") + member(b"y") for n in range(1100)) + END),
        Refused("its headers are too large"),
        SAME,
    ),
    # the tar, and its compression
    ("a wrong checksum", layers(header(b"x", checksum=b"000001\0 ") + END), Refused("a checksum is wrong"), SAME),
    ("a tar that is cut off", layers(member(b"x", b"x" * 600)[:700]), Refused("unexpected end of data"), SAME),
    ("a tar that is cut off in a header", layers(member(b"x")[:300]), Refused("unexpected end of data"), SAME),
    ("a tar without an end", layers(member(b"x", b"x")), Contained(""), Contained("")),
    ("something between two ends", layers(member(b"x") + bytes(512) + member(b"y") + END), Refused("goes on after its end"), SAME),
    ("something behind the end", layers(member(b"x") + END + member(b"y", b"hidden")), Contained("behind the end"), Contained("")),
    ("a gzip that is cut off", blob(gzip.compress(GOOD)[:-9], GOOD), Refused("it ends in the middle"), SAME),
    (
        "a gzip that is damaged",
        blob(gzip.compress(GOOD)[:30] + b"damage" + gzip.compress(GOOD)[36:], GOOD),
        Refused("the layer is damaged"),
        SAME,
    ),
    ("a gzip with something behind it", blob(gzip.compress(GOOD) + b"hidden", GOOD), Refused("something behind"), SAME),
    ("a gzip of several members", blob(gzip.compress(GOOD[:700]) + gzip.compress(GOOD[700:]), GOOD), Contained(""), Contained("")),
    ("a gzip bomb", blob(BOMB), Refused("what comes out of the layer is too large"), SAME),
    ("a zstd that wants 2 GiB", blob(zstd(GOOD, "--ultra", "--long=31"), GOOD), Refused("zstd cannot read it"), SAME),
    ("an xz that says it is gzip", blob(b"\xfd7zXZ\0" + bytes(600), GOOD), Refused("the layer is no tar"), SAME),
    ("no tar at all", layers(b"no tar at all " * 100), Refused("the layer is no tar"), SAME),
    # what names what
    ("a wrong diffID", blob(gzip.compress(GOOD), GOOD + b"\0"), Refused("what is in it is not sha256:"), SAME),
    ("a blob that was damaged", wrong_digest, Refused("not what its digest and size say"), SAME),
    ("a manifest of another size", described(size=100), Refused("not what its digest and size say"), SAME),
    ("a size below zero of a manifest", described(size=-1), Refused("larger than"), SAME),
    ("a digest that is a path", described(digest="sha256:../../../../../../etc/passwd"), Refused("is not a digest"), SAME),
    ("a digest of an unknown kind", described(digest=f"blake3:{'0' * 64}"), Refused("is not a digest"), SAME),
    ("a digest in capitals", described(digest=f"sha256:{'A' * 64}"), Refused("is not a digest"), SAME),
    ("a manifest that is an index, too", manifest(manifests=[]), Refused("says that it is something else"), SAME),
    (
        "a manifest that says it is another type",
        manifest(mediaType=f"{OCI}.index.v1+json"),
        Refused("says that it is something else"),
        SAME,
    ),
    ("a manifest of schema 1", described(mediaType="application/vnd.docker.distribution.manifest.v1+prettyjws"), Refused("schema 1"), SAME),
    ("a key that is there twice", twice_said, Refused("it names a key twice"), SAME),
    ("embedded data that is another", data_field(b"{}"), Refused("not what its digest and size say"), SAME),
    ("embedded data that is none", described(data="%%%"), Refused("is not base64"), SAME),
    ("a layer with an address", with_urls, Contained(""), Contained("")),
    (
        "a layer that lies elsewhere",
        manifest(
            layers=[
                {
                    "mediaType": f"{OCI}.layer.nondistributable.v1.tar",
                    "digest": f"sha256:{'0' * 64}",
                    "size": 1,
                    "urls": ["http://127.0.0.1:1/"],
                }
            ]
        ),
        Refused("at a foreign address"),
        SAME,
    ),
    ("an index in an index in an index", nested(2), Contained(""), Contained("")),
    ("indexes without end", nested(6), Refused("nested too deeply"), SAME),
    ("an index of 20,000 manifests", crowded, Refused("the index has 20000 manifests"), SAME),
    ("a manifest of 9 MiB", manifest(annotations={"a": "x" * (9 << 20)}), Refused("larger than"), SAME),
    ("a configuration of 9 MiB", configured(lambda config: {**config, "author": "x" * (9 << 20)}), Refused("larger than"), SAME),
    ("a configuration that nests", configured(lambda config: b'{"a":' * 100 + b"1" + b"}" * 100), Refused("nested too deeply"), SAME),
    ("a configuration that nests without end", configured(lambda config: b"[" * 1_000_000), Refused("nested too deeply"), SAME),
    (
        "a history that is longer",
        configured(lambda config: {**config, "history": [{"created_by": "RUN x"}] * 3}),
        Contained("history for other layers"),
        Contained(""),
    ),
    ("a history that is no list", configured(lambda config: {**config, "history": {"a": "b"}}), Refused("no list"), SAME),
    (
        "a history of numbers",
        configured(lambda config: {**config, "history": [{"created_by": 7}]}),
        Refused("something else than text"),
        SAME,
    ),
    ("annotations with escapes", manifest(annotations={"\x1b[2J": "\x1b]0;x\x07"}), Contained(""), Contained("")),
]


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A folder beside the image, with a file that nothing may change."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "canary").write_text("untouched")
    return outside


def write_case(write: Callable[[Layout, str], None], canary: Path) -> str:
    made = Layout(canary.parent / "layout")
    write(made, str(canary)[1:])
    return str(made.path)


def check_untouched(canary: Path, *more: str) -> None:
    assert (canary / "canary").read_text() == "untouched"
    assert os.listdir(canary) == ["canary"]
    assert (canary / "canary").stat().st_nlink == 1
    assert {path.name for path in canary.parent.iterdir()} <= {"outside", "layout", *more}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LIMITS, "free", 4 << 20)  # so that no bomb has to be unpacked as far as it may be


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("write", "expected"), [pytest.param(write, read, id=name) for name, write, read, _ in CASES])
def test_reading(canary: Path, write: Callable[[Layout, str], None], expected: Refused | Contained) -> None:
    where = write_case(write, canary)
    kept = Kept(lambda entry: True)
    if isinstance(expected, Refused):
        with pytest.raises(HardenError) as error:
            scan.scan(find.find(where), [kept])
        assert expected in error.value.what, error.value
        assert len(str(error.value)) < 2000
    else:
        view = scan.scan(find.find(where), [kept])
        assert len(list(view)) < 100
        assert expected in "\n".join(view.notes)
        assert "untouched" not in repr(list(kept.all()))
    check_untouched(canary)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("write", "expected"), [pytest.param(write, into or read, id=name) for name, write, read, into in CASES])
def test_unpacking(canary: Path, write: Callable[[Layout, str], None], expected: Refused | Contained) -> None:
    where = write_case(write, canary)
    cache = canary.parent / "cache"
    if isinstance(expected, Refused):
        with pytest.raises(HardenError) as error:
            unpack.layers(find.find(where), str(cache))
        assert expected in error.value.what, error.value
        left = os.listdir(cache / "layers") if cache.exists() else []
        assert len([name for name in left if name.startswith(".")]) == 0
    else:
        unpacked = unpack.layers(find.find(where), str(cache))
        assert all(Path(layer).is_dir() for layer in unpacked)
        for layer in unpacked:
            for above, folders, names in os.walk(layer):
                for name in [*folders, *names]:
                    found = os.lstat(f"{above}/{name}")
                    assert not stat.S_ISBLK(found.st_mode)
                    assert not stat.S_ISCHR(found.st_mode) or found.st_rdev == 0
    check_untouched(canary, "cache")


@pytest.mark.parametrize(
    ("limits", "content", "message"),
    [
        (Limits(entries=3), tar(*[entry(str(number)) for number in range(5)]), "more than 3 entries"),
        (Limits(total=5000), tar(entry("x", b"x" * 4000), entry("y", b"y" * 4000)), "what comes out of the layer is too large"),
        (Limits(free=5000, ratio=2), tar(entry("x", bytes(1 << 20))), "what comes out of the layer is too large"),
        (Limits(depth=2), tar(entry("a/b/c")), "or too deep"),
        (Limits(part=3), tar(entry("long")), "a part of its name is longer"),
        (Limits(name=5, part=5), tar(entry("abc/def")), "a name of 7 bytes is longer"),
        (Limits(headers=100), tar(entry("x", pax_headers={"comment": "x" * 200})), "its headers are too large"),
    ],
)
def test_limits_of_layers(tmp_path: Path, limits: Limits, content: bytes, message: str) -> None:
    made = Layout(tmp_path / "layout")
    made.add(made.image(content, architecture=MACHINE))
    with pytest.raises(HardenError, match=message):
        scan.scan(find.find(str(made.path)), [], limits)


def test_entries_of_all_layers_are_limited(tmp_path: Path) -> None:
    made = Layout(tmp_path / "layout")
    made.add(made.image(*[tar(*[entry(f"{layer}-{number}") for number in range(3)]) for layer in range(3)], architecture=MACHINE))
    with pytest.raises(HardenError, match="the image has more than 7 entries"):
        scan.scan(find.find(str(made.path)), [], Limits(entries=7))


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(document=100), "larger than 100 bytes"),
        (Limits(nesting=2), "this JSON is nested too deeply"),
        (Limits(layers=1), "the image has 2 layers"),
        (Limits(manifests=0), "the index has 1 manifests"),
        (Limits(indexes=0), "the indexes are nested too deeply"),
    ],
)
def test_limits_of_documents(tmp_path: Path, limits: Limits, message: str) -> None:
    made = Layout(tmp_path / "layout")
    inner = made.image(GOOD, GOOD, architecture=MACHINE)
    made.add(made.document({"schemaVersion": 2, "manifests": [inner]}, f"{OCI}.index.v1+json"))
    source = find.find(str(made.path)).source
    tops = tuple(Descriptor.parse(row) for row in made.manifests)
    with pytest.raises(HardenError, match=message):
        image.read("x", source, tops, limits=limits)
    assert image.read("x", source, tops).index_digest == made.manifests[0]["digest"]


def test_folders_that_are_replaced_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hardener.images.paths.VISITS", 1000)
    many = [entry(f"d/{number}") for number in range(300)]
    again = [one for _ in range(20) for one in (folder("d"), entry("d/x"), entry("d"))]
    made = Layout(tmp_path / "layout")
    made.add(made.image(tar(*many), tar(*again), architecture=MACHINE))
    with pytest.raises(HardenError, match="its own folders without end"):
        scan.scan(find.find(str(made.path)), [])


def test_what_pax_records_are() -> None:
    assert records((b"path", b"x")) == b"9 path=x\n"
