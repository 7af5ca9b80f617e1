"""The store from inside: names that move, blobs that arrive in parts, and what is neither."""

import fcntl
import hashlib
import io
import json
import os
from pathlib import Path
from typing import BinaryIO

import pytest

from hardener.errors import HardenError
from hardener.images import listing, receiving, storing
from hardener.images.store import name_of
from hardener.images.storing import Stock, nameable
from hardener.oci.image import Descriptor

OCTETS = "application/octet-stream"


def described(content: bytes, algorithm: str = "sha256") -> Descriptor:
    digest = f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"
    return Descriptor(media_type=OCTETS, digest=digest, size=len(content))


@pytest.fixture
def store(tmp_path: Path) -> Stock:
    folder = tmp_path / "images"
    folder.mkdir(0o700)
    return Stock(str(folder))


class Sender:
    """Sends a content from an offset on, and remembers where it was asked to begin."""

    def __init__(self, *contents: bytes) -> None:
        self.contents = [*contents]
        self.offsets: list[int] = []

    def __call__(self, offset: int) -> BinaryIO:
        self.offsets.append(offset)
        content = self.contents.pop(0) if len(self.contents) > 1 else self.contents[0]
        return io.BytesIO(content[offset:])


def partial(store: Stock, descriptor: Descriptor) -> Path:
    return Path(store.folder, "partial", descriptor.digest.replace(":", "-"))


# --- names ----------------------------------------------------------------------------------------------------------------------


A, B = described(b"a"), described(b"b")


@pytest.mark.parametrize(
    ("tags", "left"),
    [
        ([("x", A)], [("x", A)]),
        ([("x", A), ("x", A)], [("x", A)]),
        ([("x", A), ("y", A)], [("x", A), ("y", A)]),
        ([("x", A), ("x", B)], [("", A), ("x", B)]),  # what a tag has moved away from stays
        ([("x", A), ("y", A), ("x", B)], [("y", A), ("x", B)]),  # unless it has another name
        ([("x", A), ("x", B), ("x", A)], [("", B), ("x", A)]),  # a name makes the row without one needless
        ([("", A), ("", A)], [("", A)]),
        ([("", A), ("x", A)], [("x", A)]),
        ([("x", A), ("", A)], [("x", A)]),
    ],
)
def test_what_tags_leave(store: Stock, tags: list[tuple[str, Descriptor]], left: list[tuple[str, Descriptor]]) -> None:
    for name, descriptor in tags:
        store.tag(name, descriptor)
    assert [(name_of(one), one.digest) for one in store.images()] == [(name, one.digest) for name, one in left]


def test_names_are_taken_away_one_by_one_or_all(store: Stock) -> None:
    for name in ("x", "y"):
        store.tag(name, A)
    assert store.untag("x", A.digest)
    assert storing.names(store, A.digest) == ("y",)
    store.tag("x", A)
    assert not store.untag("", A.digest)
    assert store.images() == []


def test_images_are_found_by_name_digest_and_its_beginning(store: Stock) -> None:
    store.tag("docker.io/library/nginx:latest", A)
    digits = A.digest[7:]
    for text in ("nginx", "nginx:latest", "docker.io/nginx", f"nginx@{A.digest}", f"other@{A.digest}", digits, digits[:6], A.digest[:14]):
        found = store.find(text)
        assert found is not None, text
        assert found.digest == A.digest
    for text in ("nginx:1", "other", digits[:5], f"nginx@{B.digest}", "sha256:zz"):
        assert store.find(text) is None, text
    twin = Descriptor(media_type=OCTETS, digest=f"sha256:{digits[:10]}{'0' * 54}", size=1)
    store.tag("docker.io/library/twin:latest", twin)
    with pytest.raises(HardenError, match="is the beginning of 2 digests"):
        store.find(digits[:8])
    assert listing.called(A) == digits[:12]


@pytest.mark.parametrize("text", ["", "A", f"a@{A.digest}", "a:b:c", "../x"])
def test_what_is_no_name_for_an_image(text: str) -> None:
    with pytest.raises(HardenError, match="is no name for an image"):
        nameable(text, "here")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "it is no JSON"),
        ("[]", "it is no index of images"),
        ('{"manifests": [1]}', "it is no index of images"),
        ('{"manifests": [{"digest": "sha256:../../x", "mediaType": "a", "size": 1}]}', "is not a digest"),
        ('{"manifests": [{"size": 1}]}', "is missing"),
        (" " * (8 << 20) + "{}", "larger than"),
    ],
)
def test_an_index_that_is_none_is_told(store: Stock, content: str, why: str) -> None:
    Path(store.folder, "index.json").write_text(content)
    with pytest.raises(HardenError, match=why):
        store.images()


# --- blobs ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_blob_is_put_in_once(store: Stock, algorithm: str) -> None:
    content = os.urandom(3 << 20)
    descriptor, sender = described(content, algorithm), Sender(content)
    heard: list[int] = []
    assert store.take(descriptor, sender, heard.append)
    assert not store.take(descriptor, sender)
    assert (sender.offsets, sum(heard)) == ([0], len(content))
    assert Path(store.path(descriptor)).read_bytes() == content
    assert os.stat(store.path(descriptor)).st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("there", "offsets"),
    [
        (b"abc", [3]),  # the beginning: continued
        (b"abd", [3, 0]),  # something else: from the start, as what was there is not right
        (b"abcdefgh", [0]),  # more than there can be
        (b"abcdef", []),  # all of it
        (b"xxxxxx", [0]),
    ],
)
def test_what_was_cut_off_is_continued(store: Stock, there: bytes, offsets: list[int]) -> None:
    descriptor, sender = described(b"abcdef"), Sender(b"abcdef")
    partial(store, descriptor).write_bytes(there)
    assert store.partial(descriptor) == len(there)
    assert store.take(descriptor, sender)
    assert (sender.offsets, store.partial(descriptor)) == (offsets, 0)
    assert Path(store.path(descriptor)).read_bytes() == b"abcdef"


@pytest.mark.parametrize("sent", [b"abcdeX", b"abc", b"abcdefgh", b""])
def test_what_is_something_else_never_gets_in(store: Stock, sent: bytes) -> None:
    descriptor, sender = described(b"abcdef"), Sender(sent)
    with pytest.raises(HardenError, match="is not what its digest says"):
        store.take(descriptor, sender)
    assert sender.offsets == [0, 0]
    assert (store.has(descriptor), store.partial(descriptor)) == (False, 0)
    with pytest.raises(HardenError, match="not what its digest and size say"):
        store.put(descriptor, sent)


def test_what_fails_on_the_way_is_kept_for_the_next_time(store: Stock) -> None:
    class Breaking(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            if self.tell() >= 4:
                raise HardenError("the connection broke")
            return super().read1(2)

    descriptor = described(b"abcdef")
    with pytest.raises(HardenError, match="the connection broke"):
        store.take(descriptor, lambda offset: Breaking(b"abcdef"[offset:]))
    assert partial(store, descriptor).read_bytes() == b"abcd"
    sender = Sender(b"abcdef")
    store.take(descriptor, sender)
    assert sender.offsets == [4]


def test_a_disk_that_is_full_is_told_from_the_thread_that_writes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"")
    content = os.urandom(8 << 20)
    fd = os.open(path, os.O_RDONLY)
    try:
        with pytest.raises(OSError, match="Bad file descriptor"):
            receiving.fill(fd, described(content), Sender(content), lambda _: None)
    finally:
        os.close(fd)


def test_a_download_that_another_command_does_not_go_on_with_is_told(store: Stock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "STALLED_S", 0.1)
    descriptor = described(b"abcdef")
    with partial(store, descriptor).open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(HardenError, match="another command fetches this"):
            store.take(descriptor, Sender(b"abcdef"))
        assert store.sweep(0) == 0  # it is somebody's
    assert store.take(descriptor, Sender(b"abcdef"))


# --- locks and tidying up -------------------------------------------------------------------------------------------------------


def test_a_lock_that_somebody_keeps_is_told(store: Stock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "PATIENCE_S", 0.1)
    with Path(store.folder, "users").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        with store.using():
            pass  # others may, too
        with pytest.raises(storing.Busy, match="other commands put images into the store"):
            store.collect()
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(storing.Busy, match="tidying the store up"), store.using():
            pytest.fail("it is not alone")


def test_only_what_nothing_names_is_collected(store: Stock) -> None:
    layer, config = b"layer", json.dumps({"os": "linux", "rootfs": {"type": "layers", "diff_ids": [A.digest]}}).encode()
    parts = [described(config), described(layer)]
    parts[0].media_type, parts[1].media_type = "application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar"
    manifest = json.dumps({"schemaVersion": 2, "config": parts[0].dump(), "layers": [parts[1].dump()]}).encode()
    top = described(manifest)
    top.media_type = "application/vnd.oci.image.manifest.v1+json"
    for descriptor, content in ((parts[1], layer), (parts[0], config), (top, manifest), (A, b"a")):
        store.put(descriptor, content)
    store.tag("x", top)
    scraps = [Path(store.folder, ".0-1234-index.json"), Path(store.folder, "blobs", "sha256", ".999999999-x-y"), partial(store, B)]
    ours = Path(store.folder, f".{os.getpid()}-1234-index.json")
    for scrap in (*scraps, ours):
        scrap.write_bytes(b"scrap")
    assert store.collect() > 0
    assert [scrap.exists() for scrap in scraps] == [False, False, True]  # a download of today may be continued
    assert (store.has(A), store.has(top), ours.exists()) == (False, True, True)
    assert store.needed().diff_ids == {A.digest}
    store.collect(now=True)
    assert not scraps[2].exists()
    (row,) = listing.held(store)
    assert (row.platform, row.size) == ("linux", len(manifest) + len(config) + len(layer))
    Path(store.path(top)).write_bytes(manifest.replace(b"2", b"3", 1))
    (row,) = listing.held(store)
    assert (row.platform, row.size) == ("", 0)
    store.collect()
    assert (store.has(top), store.has(parts[1])) == (True, False)  # nobody can tell what it has consisted of


def test_an_index_that_could_not_be_read_is_not_written(store: Stock, monkeypatch: pytest.MonkeyPatch) -> None:
    descriptor = Descriptor(media_type="application/vnd.oci.image.manifest.v1+json", digest=f"sha256:{'0' * 64}", size=1)
    store.tag("docker.io/library/a:1", descriptor)
    monkeypatch.setattr(storing, "LIMIT", 300)
    with pytest.raises(HardenError, match="too many names"):
        store.tag("docker.io/library/a:2", descriptor)
    assert len(store.images()) == 1
