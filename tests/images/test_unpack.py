"""Layers become folders, and nothing in them reaches beyond."""

import gzip
import os
import shutil
import stat
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from layouts import OCI, Layout, entry, folder, link, tar

from hardener.errors import HardenError
from hardener.images import blobs, layout, platforms, unpack
from hardener.images.limits import LIMITS
from hardener.images.tar import Reader

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: owners, and files of a machine's root that must stay as they are")


@pytest.fixture
def made(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


def unpacked(made: Layout, *layers: bytes, **more: Any) -> list[Path]:
    made.add(made.image(*layers, architecture=str(platforms.machine().architecture), **more))
    image = layout.read(str(made.path))
    return [Path(path) for path in unpack.layers(image, str(made.path.parent / "cache"))]


def tree(top: Path) -> dict[str, str]:
    """What is in a folder: path -> type and mode."""
    return {str(path.relative_to(top)): stat.filemode(path.lstat().st_mode) for path in sorted(top.rglob("*"))}


def hidden(path: Path) -> bool:
    found = path.lstat()
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == 0


@ROOT
def test_everything_a_layer_may_hold(made: Layout) -> None:
    [top] = unpacked(
        made,
        tar(
            folder("./", mode=0o711, uid=5),
            folder("etc/", mode=0o750, mtime=1000),
            entry("etc/passwd", b"root:x", mode=0o640, uid=7, gid=8, mtime=2000),
            entry("bin/su", b"x" * 300_000, mode=0o4755),
            link("sh", "bin/su"),
            link("etc/out", "/../../../etc/shadow"),
            link("bin/sudo", "bin/su", hard=True),
            link("bin/name of a link", "sh", hard=True),
            entry("pipe", type=tarfile.FIFOTYPE, mode=0o600),
            entry("ünï\udcff", b""),
            entry("a/" * 100 + "deep", b"deep", mode=0o600),
        ),
    )
    assert tree(top) | {"etc": "drwxr-x---"} == tree(top)
    assert stat.filemode(top.lstat().st_mode) == "drwx--x--x"
    found = (top / "etc" / "passwd").stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777, found.st_mtime) == (7, 8, 0o640, 2000)
    assert (top / "etc").stat().st_mtime == 1000
    assert (top / "bin" / "su").stat().st_mode & 0o7777 == 0o4755
    assert (top / "bin" / "sudo").samefile(top / "bin" / "su")
    assert os.readlink(top / "bin" / "name of a link") == "bin/su"
    assert os.readlink(top / "etc" / "out") == "/../../../etc/shadow"
    assert (top / ("a/" * 100) / "deep").read_text() == "deep"
    assert top.parent.stat().st_mode & 0o777 == 0o700


def test_whiteouts_take_the_form_of_overlays(made: Layout) -> None:
    [top] = unpacked(
        made,
        tar(
            entry("etc/.wh.gone"),
            folder("opaque"),
            entry("opaque/new"),
            entry("opaque/.wh..wh..opq"),
            entry("here", b"stays"),
            entry(".wh.here"),
            folder("both"),
            entry("both/mine"),
            entry(".wh.both"),
            entry(".wh.again"),
            folder("again"),
            entry(".wh.file"),
            entry("file", b"new"),
            folder(".wh..wh.plnk"),
            entry(".wh..wh.plnk/1.2"),
            folder(".wh.hidden"),
        ),
    )
    assert hidden(top / "etc" / "gone")
    assert hidden(top / "hidden")
    assert not hidden(top / "here")
    for name in ("opaque", "both", "again"):
        assert os.getxattr(top / name, "user.overlay.opaque") == b"y"
    assert (top / "both" / "mine").exists()
    assert (top / "file").read_text() == "new"
    assert not [name for name in tree(top) if ".wh." in name]


def test_the_last_entry_of_a_name_wins(made: Layout) -> None:
    [top] = unpacked(
        made,
        tar(
            entry("a", b"1"),
            entry("a", b"2"),
            folder("b"),
            entry("b/x"),
            entry("b", b"file"),
            entry("c"),
            folder("c", mode=0o700),
            link("d", "c"),
            entry("d", b"no link"),
            folder("e", mode=0o700),
            entry("e/f"),
            folder("e", mode=0o711),
        ),
    )
    assert (top / "a").read_text() == "2"
    assert (top / "b").read_text() == "file"
    assert (top / "c").is_dir()
    assert list((top / "c").iterdir()) == []
    assert (top / "d").read_text() == "no link"
    assert tree(top)["e"] == "drwx--x--x"


def test_folders_that_are_kept_open_are_the_right_ones(made: Layout) -> None:
    [top] = unpacked(
        made,
        tar(
            folder("real"),
            link("alias", "real"),
            entry("alias/one"),
            folder("alias"),
            entry("alias/two"),
            folder("d"),
            entry("d/gone"),
            entry("d"),
            folder("d"),
            entry("d/stays"),
            link("l", "."),
            entry("l/l/x"),
            *[entry(f"many/{number}/x") for number in range(unpack.OPEN + 10)],
            folder("l"),
            entry("l/y"),
        ),
    )
    assert sorted(path for path in tree(top) if not path.startswith("many")) == [
        *("alias", "alias/two", "d", "d/stays", "l", "l/y", "real", "real/one", "x"),
    ]


def test_links_on_the_way_stay_inside(made: Layout, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    [top] = unpacked(
        made,
        tar(
            folder("real"),
            link("alias", "real"),
            entry("alias/file", b"x"),
            folder(str(outside)[1:]),
            link("out", str(outside)),
            entry("out/planted", b"x"),
            link("up", "../../../../../../../.."),
            entry("up/planted", b"x"),
        ),
    )
    assert (top / "real" / "file").read_text() == "x"
    assert list(outside.iterdir()) == []
    assert (top / str(outside)[1:] / "planted").exists()
    assert (top / "planted").exists()
    assert not Path("/planted").exists()


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([entry("../x", b"x")], "would lie outside of the layer"),
        ([entry("a/../../x", b"x")], "would lie outside of the layer"),
        ([entry("a/" * 300 + "x")], "would lie outside of the layer, or too deep"),
        ([link("x", "/etc/passwd", hard=True)], "which is no file of the layer"),
        ([link("x", "../../etc/passwd", hard=True)], "would lie outside of the layer"),
        ([folder("d"), link("x", "d", hard=True)], "which is no file of the layer"),
        ([link("x", ".", hard=True)], "it leads nowhere"),
        ([entry(".wh.y"), link("x", "y", hard=True)], "a second name for nothing"),
        ([link("x", "")], "it leads nowhere"),
        ([link("l", "/nowhere"), entry("l/x")], "is no folder of the layer"),
        ([link("l", "l"), entry("l/x")], "is no folder of the layer"),
        ([link("l", "/proc/self/root/etc"), entry("l/x")], "is no folder of the layer"),
        ([entry("f"), entry("f/x")], "is no folder of the layer"),
        ([entry(".", b"")], "it would be the top of the layer"),
        ([entry(".wh.")], "it hides nothing"),
        ([entry(".wh.x/y")], "it lies in what only hides"),
        ([entry("a/.wh...")], "it hides nothing"),
        ([entry("x", uid=2**32)], "its owner is no id"),
        ([entry("x" * 256)], "File name too long"),
        ([entry("x", type=b"Z")], "entries of type b'Z' are unknown"),
    ],
)
def test_entries_that_are_refused(made: Layout, entries: list[tuple[tarfile.TarInfo, bytes]], message: str) -> None:
    with pytest.raises(HardenError, match=message):
        unpacked(made, tar(*entries))
    assert os.listdir(made.path.parent / "cache" / "layers") == []


@ROOT
def test_devices_are_not_made(made: Layout) -> None:
    disk: dict[str, Any] = {"type": tarfile.BLKTYPE, "devmajor": 8, "devminor": 0}
    [top] = unpacked(made, tar(entry("disk", **disk), entry("null", **{**disk, "type": tarfile.CHRTYPE}), entry("x")))
    assert list(tree(top)) == ["x"]


def test_attributes_that_are_the_kernels_are_dropped(made: Layout) -> None:
    headers = {
        "SCHILY.xattr.user.mine": "kept",
        "SCHILY.xattr.user.overlay.redirect": "/etc",
        "SCHILY.xattr.trusted.overlay.redirect": "/etc",
        "SCHILY.xattr.security.capability": "\x01",
    }
    [top] = unpacked(made, tar(entry("x", pax_headers=headers), folder("d", pax_headers=headers)))
    for name in ("x", "d"):
        assert os.listxattr(top / name) == ["user.mine"]


def replaced(made: Layout, content: bytes, diff: bytes, media_type: str = f"{OCI}.layer.v1.tar+gzip") -> list[Path]:
    """Unpack a blob that says of itself that it holds `diff`."""
    return unpacked(made, diff, layers=[made.blob(content, media_type)])


GOOD = tar(entry("x", b"content"))


def test_compressions(made: Layout) -> None:
    two = gzip.compress(GOOD[:1000], mtime=0) + gzip.compress(GOOD[1000:], mtime=0) + bytes(100)
    for content in (GOOD, two, gzip.compress(GOOD, mtime=0)):
        made.manifests.clear()
        [top] = replaced(made, content, GOOD)
        assert (top / "x").read_text() == "content"
        shutil.rmtree(top)


@pytest.mark.parametrize("module", [True, False], ids=["by a module", "by the tool"])
def test_zstd(made: Layout, monkeypatch: pytest.MonkeyPatch, module: bool) -> None:
    if not module:
        monkeypatch.setattr(blobs, "_zstd_module", lambda: None)
    content = subprocess.run(["zstd", "-c"], input=GOOD[:1000], capture_output=True, check=True).stdout
    content += subprocess.run(["zstd", "-c"], input=GOOD[1000:], capture_output=True, check=True).stdout
    [top] = replaced(made, content, GOOD, f"{OCI}.layer.v1.tar+zstd")
    assert (top / "x").read_text() == "content"
    shutil.rmtree(top)
    for damaged in (content[:-9], content[:40] + b"x" + content[41:], content + b"x"):
        made.manifests.clear()
        with pytest.raises(HardenError, match="the layer is damaged"):
            replaced(made, damaged, GOOD)


def test_zstd_that_wants_much_memory(made: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ["zstd", "-c", "--ultra", "--long=28", "-1", "--no-progress"]
    content = subprocess.run(command, input=GOOD, capture_output=True, check=True).stdout
    for module in (blobs._zstd_module(), None):
        monkeypatch.setattr(blobs, "_zstd_module", lambda module=module: module)
        made.manifests.clear()
        with pytest.raises(HardenError, match="zstd cannot read it") as error:
            replaced(made, content, GOOD)
        assert "more memory than 64 MiB" in error.value.how


def test_zstd_that_is_not_there(made: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    content = subprocess.run(["zstd", "-c"], input=GOOD, capture_output=True, check=True).stdout
    monkeypatch.setattr(blobs, "_zstd_module", lambda: None)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(HardenError, match="compressed with zstd, which is not there") as error:
        replaced(made, content, GOOD)
    assert "skopeo copy" in error.value.how


def sparse(size: int) -> bytes:
    """A tar that claims a file of a size, and has nothing of it."""
    headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "x", "GNU.sparse.realsize": str(size)}
    return tar(entry("x", b"0\n" + bytes(510), pax_headers=headers))


@pytest.mark.parametrize(
    ("content", "diff", "message"),
    [
        (gzip.compress(GOOD, mtime=0)[:-4], GOOD, "the layer is damaged: it ends in the middle"),
        (gzip.compress(GOOD, mtime=0)[:60], GOOD, "the layer is"),
        (gzip.compress(GOOD, mtime=0)[:-8] + bytes(8), GOOD, "the layer is damaged: gzip cannot read it"),
        (gzip.compress(GOOD, mtime=0), GOOD + b"\0", "what is in it is not sha256:"),
        (b"\x1f\x8b" + bytes(100), GOOD, "the layer is damaged"),
        (GOOD[:1024] + b"junk" + bytes(508) + bytes(1024), b"", "the layer is no tar: a checksum is wrong"),
        (b"no tar at all" * 100, b"", "the layer is no tar"),
        (GOOD[:700], b"", "the layer is no tar: unexpected end of data"),
        (tar(entry("x", pax_headers={"comment": "x" * (2 << 20)})), b"", "its headers are too large"),
        (sparse(1 << 50), b"", "sparse files are not read"),
    ],
)
def test_blobs_that_are_damaged_or_made_to_do_harm(made: Layout, content: bytes, diff: bytes, message: str) -> None:
    with pytest.raises(HardenError, match=message):
        replaced(made, content, diff)
    assert os.listdir(made.path.parent / "cache" / "layers") == []


def test_what_is_in_a_blob_is_limited(made: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LIMITS, "free", 1 << 16)
    monkeypatch.setattr(LIMITS, "ratio", 2)
    with pytest.raises(HardenError, match="what comes out of the layer is too large"):
        unpacked(made, GOOD + bytes(1 << 20))
    made.manifests.clear()
    monkeypatch.setattr(LIMITS, "entries", 3)
    with pytest.raises(HardenError, match="more than 3 entries"):
        unpacked(made, tar(*(entry(str(number)) for number in range(5))))


def test_layers_without_anything(made: Layout) -> None:
    assert [tree(top) for top in unpacked(made, bytes(1024), b"")] == [{}, {}]


def test_a_tar_may_lack_its_end(made: Layout) -> None:
    [top] = unpacked(made, GOOD[:1024])
    assert (top / "x").read_text() == "content"


def test_a_layer_is_unpacked_once(made: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    [top] = unpacked(made, GOOD)
    again = made.path.parent / "cache" / "layers" / f".new-{2**22 + 1}-x"
    again.mkdir()
    monkeypatch.setattr(unpack, "open_layer", None)
    made.manifests.clear()
    assert unpacked(made, GOOD) == [top]
    assert not again.exists()


def test_another_command_is_faster(made: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    real = unpack.Layer.fill

    def overtaken(layer: unpack.Layer, reader: Reader) -> None:
        real(layer, reader)
        [scratch] = (made.path.parent / "cache" / "layers").iterdir()
        shutil.copytree(scratch, scratch.with_name(scratch.name[scratch.name.index("sha256") :]))

    monkeypatch.setattr(unpack.Layer, "fill", overtaken)
    [top] = unpacked(made, GOOD)
    assert os.listdir(top.parent) == [top.name]


def test_a_cache_that_others_reach(made: Layout) -> None:
    home = made.path.parent / "cache" / "layers"
    home.mkdir(parents=True)
    home.chmod(0o755)
    with pytest.raises(HardenError, match="others could reach"):
        unpacked(made, GOOD)


def test_a_disk_that_is_full(made: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(HardenError, match="layers cannot be unpacked: No space left") as error:
        unpacked(made, GOOD)
    assert error.value.how == "make room on the disk (df, df -i)"
