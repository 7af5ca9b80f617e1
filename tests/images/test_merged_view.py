"""The merged root is what a container gets: the folders that layers are unpacked into, put over one another as overlayfs does."""

import os
import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from layouts import Layout, entry, folder, link, tar

from hardener.errors import HardenError
from hardener.images import layout, scan, unpack
from hardener.images.image import Image
from hardener.images.view import View

PATHS = [f"{top}{below}{last}" for top in ("a", "b") for below in ("", "/a", "/b") for last in ("", "/a", "/b")]
STEPS = st.one_of(
    st.tuples(st.just("file"), st.sampled_from(PATHS), st.integers(0, 9)),
    st.tuples(st.just("folder"), st.sampled_from(PATHS), st.just(0)),
    st.tuples(st.just("whiteout"), st.sampled_from(PATHS), st.just(0)),
    st.tuples(st.just("opaque"), st.sampled_from(PATHS), st.just(0)),
    st.tuples(st.just("link"), st.sampled_from(PATHS), st.integers(0, len(PATHS) - 1)),
    st.tuples(st.just("hardlink"), st.sampled_from(PATHS), st.integers(0, len(PATHS) - 1)),
)
Step = tuple[str, str, int]
Tree = dict[str, tuple[str, int, int]]  # path -> kind, size, and the layer that put it there


def written(steps: list[Step]) -> bytes:
    made = []
    for kind, path, number in steps:
        above, _, last = path.rpartition("/")
        match kind:
            case "file":
                made.append(entry(path, b"x" * number))
            case "folder":
                made.append(folder(path))
            case "whiteout":
                made.append(entry(f"{above}/.wh.{last}"))
            case "opaque":
                made.append(entry(f"{path}/.wh..wh..opq"))
            case "link":
                made.append(link(path, f"/{PATHS[number]}"))
            case _:
                made.append(link(path, PATHS[number], hard=True))
    return tar(*made)


def stacked(folders: tuple[str, ...]) -> Tree:
    """Put folders over one another, in the plainest way."""
    merged: Tree = {}

    def forget(path: str, *, itself: bool) -> None:
        for known in list(merged):
            if known.startswith(f"{path}/") or (itself and known == path):
                del merged[known]

    for index, top in enumerate(folders):
        for path in sorted(Path(top).rglob("*")):
            name = path.relative_to(top).as_posix()
            found = path.lstat()
            if stat.S_ISCHR(found.st_mode):
                forget(name, itself=True)
            elif stat.S_ISDIR(found.st_mode):
                if "user.overlay.opaque" in os.listxattr(path):
                    forget(name, itself=False)
                if merged.get(name, ("",))[0] != "folder":
                    merged[name] = ("folder", 0, index)
            else:
                forget(name, itself=True)
                kind = "link" if stat.S_ISLNK(found.st_mode) else "file"
                merged[name] = (kind, found.st_size if kind == "file" else 0, index)
    return merged


def seen(view: View) -> Tree:
    """What the view has, in the same form: a hardlink is what its target is."""
    tree: Tree = {}
    for path, found in view:
        kind = {"symlink": "link"}.get(found.entry.kind, found.entry.kind)
        tree[path] = (kind, found.entry.size, found.layer.index)
    return tree


@settings(max_examples=120)
@given(st.lists(st.lists(STEPS, max_size=7), min_size=1, max_size=4))
def test_the_view_is_what_overlayfs_makes_of_the_folders(steps: list[list[Step]]) -> None:
    with tempfile.TemporaryDirectory() as place:
        made = Layout(Path(place) / "layout")
        made.add(made.image(*[written(layer) for layer in steps]))
        image = layout.read(str(made.path))
        try:
            folders = unpack.layers(image, f"{place}/cache")
        except HardenError:
            assume(False)
        expected = stacked(folders)
        view = scan.scan(image, [])
        found = seen(view)
        assert found.keys() == expected.keys()
        for path, (kind, size, index) in found.items():
            if kind == "hardlink":
                assert expected[path][0] != "folder"
            elif kind == "folder":  # which of several layers has its attributes does not matter here
                assert expected[path][0] == "folder"
            else:
                assert (kind, size, index) == expected[path]
        check_fates(image, view, steps)


def check_fates(image: Image, view: View, steps: list[list[Step]]) -> None:
    """What a layer put somewhere is there at the end, or a later layer is named that ends it."""
    for layer, each in zip(image.layers, steps, strict=True):
        for kind, path, _ in each:
            if kind != "file":
                continue
            found = view.find(path)
            end = view.fate(path, layer)
            if end is not None:
                assert end.index > layer.index
            if found is not None and found.path == path and found.layer is layer:
                assert end is None
                assert not view.deleted(path, layer)
    for summary in view.layers:
        assert summary.wasted <= summary.bytes
        assert min(summary.added, summary.changed, summary.deleted) >= 0


@pytest.fixture
def made(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


def merged(made: Layout, *layers: bytes) -> View:
    made.manifests.clear()
    made.add(made.image(*layers))
    return scan.scan(layout.read(str(made.path)), [])


def test_links_are_followed_inside(made: Layout) -> None:
    view = merged(
        made,
        tar(
            entry("usr/bin/sh", b"x"),
            link("bin", "usr/bin"),
            link("usr/abs", "/bin"),
            link("out", "../../../../usr"),
            link("loop", "loop"),
            link("nowhere", "/nothing"),
            entry("file"),
        ),
    )
    for path, real in (
        *[
            ("bin/sh", "usr/bin/sh"),
            ("usr/abs/sh", "usr/bin/sh"),
            ("out/bin/sh", "usr/bin/sh"),
            ("bin", "usr/bin"),
            ("./usr//bin/", "usr/bin"),
        ],
        *[("", ""), ("usr/bin/../..", ""), ("..", ""), ("bin/../bin/sh", "usr/bin/sh")],
    ):
        found = view.find(path)
        assert found is not None, path
        assert found.path == real
    for path in ("loop", "nowhere", "file/x", "usr/none", "loop/x"):
        assert view.find(path) is None
    assert len(view) == 9


def test_a_folder_that_comes_back_is_empty(made: Layout) -> None:
    view = merged(made, tar(entry("d/old")), tar(entry(".wh.d")), tar(entry("d/new")))
    assert [path for path, _ in view] == ["d", "d/new"]
    lower = view.image.layers[0]
    assert view.fate("d/old", lower) is view.image.layers[1]
    assert view.deleted("d/old", lower)
    assert [summary.deleted for summary in view.layers] == [0, 1, 0]


def test_a_whiteout_spares_its_own_layer(made: Layout) -> None:
    for order in (1, -1):
        view = merged(
            made, tar(entry("d/old"), entry("f")), tar(*[entry("d/new"), entry(".wh.d"), entry("f", b"x"), entry(".wh.f")][::order])
        )
        assert [path for path, _ in view] == ["d", "d/new", "f"]
        lower = view.image.layers[0]
        assert not view.deleted("f", lower)
        assert view.deleted("d/old", lower)


def test_folders_that_are_only_named_again_are_no_changes(made: Layout) -> None:
    view = merged(
        made, tar(folder("etc"), entry("etc/a")), tar(folder("etc"), entry("etc/b")), tar(folder("etc", mode=0o700), entry("etc/a", b"x"))
    )
    assert [(one.added, one.changed, one.deleted) for one in view.layers] == [(2, 0, 0), (1, 0, 0), (0, 2, 0)]
