"""All layers in one pass: each file is shown to who wants it, and the merged root says what became of it."""

import gzip
import io
import threading
import zlib
from pathlib import Path
from typing import Any

import pytest
from layouts import Layout, entry, folder, link, tar

from hardener.errors import HardenError
from hardener.images import blobs, layout, scan
from hardener.images.image import Image, Layer
from hardener.images.kept import Kept
from hardener.images.tar import Entry
from hardener.images.view import View


@pytest.fixture
def made(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


def image(made: Layout, *layers: bytes, **more: Any) -> Image:
    made.manifests.clear()
    made.add(made.image(*layers, **more))
    return layout.read(str(made.path))


class Eyes:
    """A scanner that writes down what it was shown."""

    def __init__(self, **sizes: int) -> None:
        self.sizes = sizes
        self.asked: list[str] = []
        self.seen: list[tuple[str, int, int, bytes]] = []

    def wants(self, entry: Entry, layer: Layer) -> int:
        self.asked.append(f"{layer.index}:{entry.kind}:{entry.name}")
        return self.sizes.get(entry.name, 0)

    def see(self, entry: Entry, layer: Layer, content: bytes, offset: int) -> None:
        self.seen.append((entry.name, layer.index, offset, content))


def paths(view: View) -> list[str]:
    return [path for path, _ in view]


def test_a_file_is_shown_to_who_wants_it(made: Layout) -> None:
    eyes, others = Eyes(a=scan.WHOLE, b=3, d=scan.WHOLE), Eyes(b=2)
    scan.scan(
        image(made, tar(entry("a", b"one"), entry("b", b"second"), entry("c", b"c"), entry("d")), tar(entry("a", b"two"))), [eyes, others]
    )
    assert eyes.seen == [("a", 0, 0, b"one"), ("b", 0, 0, b"sec"), ("d", 0, 0, b""), ("a", 1, 0, b"two")]
    assert others.seen == [("b", 0, 0, b"se")]
    assert eyes.asked == ["0:file:a", "0:file:b", "0:file:c", "0:file:d", "1:file:a"]


def test_a_large_file_comes_in_windows_that_overlap(made: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("LARGE", 80), ("WINDOW", 40), ("OVERLAP", 10)):
        monkeypatch.setattr(scan, name, value)
    content = bytes(range(200))
    eyes = Eyes(large=scan.WHOLE, fits=scan.WHOLE)
    first = Eyes(large=60)
    part = Eyes(large=90)
    scan.scan(image(made, tar(entry("large", content), entry("fits", content[:80]))), [eyes, first, part])
    windows = [(offset, seen) for name, _, offset, seen in eyes.seen if name == "large"]
    assert [offset for offset, _ in windows] == [0, 30, 60, 90, 120, 150, 180][: len(windows)]
    assert windows[0] == (0, content[:40])
    assert all(seen == content[offset : offset + 40] for offset, seen in windows)
    assert windows[-1][0] + len(windows[-1][1]) == 200
    assert eyes.seen[-1] == ("fits", 0, 0, content[:80])
    assert first.seen == [("large", 0, 0, content[:60])]
    assert b"".join(seen[10:] if offset else seen for _, _, offset, seen in part.seen) == content[:90]


def test_who_wants_a_hardlink_is_shown_its_target(made: Layout) -> None:
    eyes = Eyes(second=scan.WHOLE, third=scan.WHOLE)
    scan.scan(image(made, tar(entry("first", b"x"), link("second", "first", hard=True), link("third", "second", hard=True))), [eyes])
    assert eyes.seen == [("second", 0, 0, b"x"), ("third", 0, 0, b"x")]


def test_what_became_of_each_version(made: Layout) -> None:
    found = image(
        made,
        tar(folder("etc"), entry("etc/passwd", b"below"), entry("etc/gone", b"12345"), entry("a/b/c", b"x" * 10), entry("o/old", b"1")),
        tar(entry("etc/.wh.gone"), entry("etc/passwd", b"new"), folder("o"), entry("o/new"), entry("o/.wh..wh..opq")),
        tar(entry(".wh.a"), entry("etc/gone", b"back")),
    )
    below, middle, top = found.layers
    kept = Kept(lambda entry: entry.name.startswith("etc/"))
    view = scan.scan(found, [kept])
    assert paths(view) == ["etc", "etc/gone", "etc/passwd", "o", "o/new"]
    assert kept.text(view, "etc/passwd") == b"new"
    assert kept.text(view, "etc/gone") == b"back"
    assert kept.text(view, "o/new") is None
    assert kept.text(view, "nowhere") is None
    assert list(kept.all()) == [
        *[("etc/passwd", below, b"below"), ("etc/gone", below, b"12345"), ("etc/passwd", middle, b"new"), ("etc/gone", top, b"back")],
    ]
    for path, layer, end, deleted in (
        *[("etc/passwd", below, middle, False), ("etc/passwd", middle, None, False), ("etc/gone", below, middle, True)],
        *[("a/b/c", below, top, True), ("o/old", below, middle, True), ("o/new", middle, None, False), ("etc/gone", top, None, False)],
    ):
        assert (view.fate(path, layer), view.deleted(path, layer)) == (end, deleted), path
    assert [(one.entries, one.added, one.changed, one.deleted, one.bytes, one.wasted) for one in view.layers] == [
        (5, 5, 0, 0, 21, 21),
        (5, 1, 1, 2, 3, 0),
        (2, 1, 0, 1, 4, 0),
    ]
    passwd = view.find("etc/passwd")
    assert passwd is not None
    assert (passwd.layer, passwd.first, passwd.entry.size, passwd.entry.name) == (middle, below, 3, "etc/passwd")


def test_a_layer_that_is_not_what_it_says(made: Layout) -> None:
    good = tar(entry("a", b"content"))
    found = image(made, good, layers=[made.blob(gzip.compress(good + bytes(512), mtime=0), "application/vnd.oci.image.layer.v1.tar+gzip")])
    with pytest.raises(HardenError, match="what is in it is not sha256:"):
        scan.scan(found, [])


@pytest.mark.parametrize("fast", [True, False], ids=["isal", "zlib"])
@pytest.mark.parametrize("size", [1, 1000, 1 << 20])
def test_all_decompressors_give_the_same(made: Layout, monkeypatch: pytest.MonkeyPatch, fast: bool, size: int) -> None:
    if not fast:
        monkeypatch.setattr(blobs, "_inflate", lambda: (zlib.decompressobj, zlib.error))
    monkeypatch.setattr(blobs, "PIECE", size)
    monkeypatch.setattr(blobs, "OUT", max(size, 100))
    layer = tar(entry("a", b"0123456789" * 700), entry("z", bytes(20_000)))
    packed = gzip.compress(layer[:5000], mtime=0) + gzip.compress(layer[5000:], mtime=0) + bytes(50)
    eyes = Eyes(a=scan.WHOLE, z=scan.WHOLE)
    scan.scan(image(made, layer, layers=[made.blob(packed, "application/vnd.oci.image.layer.v1.tar+gzip")]), [eyes])
    assert eyes.seen == [("a", 0, 0, b"0123456789" * 700), ("z", 0, 0, bytes(20_000))]
    for damaged in (packed[:-60], packed[:100] + b"xxxx" + packed[104:], packed + b"x"):
        found = image(made, layer, layers=[made.blob(damaged, "application/vnd.oci.image.layer.v1.tar+gzip")])
        with pytest.raises(HardenError, match="the layer is damaged"):
            scan.scan(found, [])


def test_a_disk_that_fails(made: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(io.RawIOBase):
        """A file whose disk is broken."""

        def read(self, size: int = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    found = image(made, tar(entry("a")))
    monkeypatch.setattr(layout.Folder, "open", lambda *_: Failing())
    with pytest.raises(HardenError, match="it cannot be read: Input/output error"):
        scan.scan(found, [])


def test_who_is_interrupted_does_not_wait(made: Layout) -> None:
    class Interrupted(Eyes):
        def wants(self, entry: Entry, layer: Layer) -> int:
            raise KeyboardInterrupt

    found = image(made, tar(*[entry(str(number), bytes(100_000)) for number in range(100)]))
    with pytest.raises(KeyboardInterrupt):
        scan.scan(found, [Interrupted()])
    assert threading.active_count() == 1
