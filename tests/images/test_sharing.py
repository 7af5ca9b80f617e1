"""Layers that are read side by side: what comes of it is what one process makes of them, errors and oddities included."""

import gc
import gzip
import os
import signal
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import secret_samples
from layouts import OCI, Layout, entry, folder, link, tar

from hardener.cli.image.layers import Largest
from hardener.errors import HardenError
from hardener.images import layout, scan, sharing
from hardener.images.find import find
from hardener.images.image import Image, Layer
from hardener.images.kept import Kept
from hardener.images.limits import Limits
from hardener.images.packages.scanner import PackageScanner
from hardener.images.tar import Entry
from hardener.rules.image_changes import Digests
from hardener.rules.image_programs import Programs
from hardener.rules.secrets.scanner import SecretScanner

TOKEN = secret_samples.github("ghp_").encode()
STATUS = "Package: {0}\nStatus: install ok installed\nVersion: {1}\nArchitecture: amd64\n\n"
LOWEST = tar(
    *[folder("etc"), entry("etc/passwd", b"root:x:0:0::/root:/bin/sh\n"), link("etc/same", "etc/passwd", hard=True)],
    *[entry("var/lib/dpkg/status", (STATUS.format("bash", "5.1") + STATUS.format("curl", "8")).encode())],
    *[entry("../out"), entry("usr/bin/tool", b"\x7fELF" + bytes(200), mode=0o4755), entry("twice", b"first"), entry("twice", b"second")],
    *[entry("etc/twice", b"kept"), folder("etc/twice"), entry("etc/thrice", b"1"), entry("etc/thrice", b"2"), link("lib64", "usr/lib")],
    *[link("etc/chain", "etc/same", hard=True), entry("dev/null", type=tarfile.CHRTYPE), entry("root/.netrc", b"machine a password b\n")],
)
THROUGH_LINKS = tar(
    *[entry(f"usr/share/{number}/doc", b"%d" % number) for number in range(1500)],
    *[entry("../again"), entry("odd\nname"), entry("etc/late", b"x"), link("etc/hard", "etc/late", hard=True)],
    *[link("opt/etc", "/etc"), entry("opt/etc/passwd", b"root:x:0:0::/root:/bin/bash\n"), entry("opt/etc/token", b"token=" + TOKEN)],
)
HIDES = tar(
    *[entry("etc/.wh.same"), folder("root"), entry("root/.wh..wh..opq"), entry("usr/share/.wh.7"), entry("app/.env", b"A=" + TOKEN)],
    *[entry("var/lib/dpkg/status", STATUS.format("bash", "5.2").encode()), entry("etc/large", bytes(5000)), entry("etc/empty")],
) + b"behind the end".ljust(512, b"\0")  # fmt: skip
LARGE = tar(
    entry("srv/data.txt", b"line\n" * 1_900_000 + b"token " + TOKEN + b"\n"), entry("var/lib/rpm/rpmdb.sqlite", b"SQLite" + bytes(9 << 20))
)
ALL = (LOWEST, THROUGH_LINKS, HIDES, LARGE, tar(), LOWEST)


@pytest.fixture
def made(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


def image(made: Layout, *layers: bytes, **more: Any) -> Image:
    made.manifests.clear()
    made.add(made.image(*layers, **more))
    return layout.read(str(made.path))


def fields(entry: Entry) -> list[Any]:
    return [getattr(entry, each) for each in Entry.__slots__]


def everything(image: Image, workers: int, **more: Any) -> list[Any]:
    """Return all that the scanners there are, and the view, know of an image."""
    kept = Kept(lambda entry: entry.name.startswith("etc/"), limit=4096)
    little = Kept(lambda entry: "passwd" in entry.name or "twice" in entry.name, most=80)
    packages, secrets, programs, digests, largest = PackageScanner(), SecretScanner(), Programs(), Digests(), Largest()
    view = scan.scan(image, [kept, packages, secrets, little, programs, digests, largest], workers=workers, **more)
    found = [(path, fields(one.entry), one.layer, one.first, one.since, digests.digest(path, one.layer)) for path, one in view]
    owned = packages.owned(view)
    return [
        *[found, view.notes, [[getattr(one, each) for each in type(one).__slots__] for one in view.layers]],
        *[list(each.all()) for each in (kept, little)],
        *[kept.left_out, little.left_out, packages.packages(view), packages.notes, packages.distribution(view), len(owned)],
        *[secrets.leaks(view), secrets.leaks(view, owned), [programs.of("usr/bin/tool", layer) for layer in image.layers], largest.found],
    ]


@pytest.fixture
def fds() -> Iterator[None]:
    """Nothing stays open, and no process is left."""
    gc.collect()  # archives of other tests close their files when nobody has them any more
    before = sorted(os.listdir("/proc/self/fd"))
    yield
    gc.collect()
    assert sorted(os.listdir("/proc/self/fd")) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
    assert threading.active_count() == 1


@pytest.mark.usefixtures("fds")
@pytest.mark.parametrize("layers", [ALL, (LOWEST, HIDES), (HIDES, THROUGH_LINKS, LOWEST)], ids=["all", "two", "turned"])
def test_it_makes_no_difference(made: Layout, layers: tuple[bytes, ...]) -> None:
    found = image(made, *layers)
    alone = everything(found, 0)
    assert len(alone[0]) > 10
    assert alone[11]  # leaks
    for workers in (2, 3):
        assert [str(each) for each in everything(found, workers)] == [str(each) for each in alone]


def test_archives(made: Layout, tmp_path: Path) -> None:
    image(made, *ALL)
    with tarfile.open(tmp_path / "image.tar", "w") as packed:
        packed.add(made.path, ".")
    found = find(f"oci-archive:{tmp_path / 'image.tar'}")
    assert sharing.shares(found, [], 2)
    assert [str(each) for each in everything(found, 2)] == [str(each) for each in everything(found, 0)]


def test_who_reads_what(made: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    found = image(made, LOWEST, THROUGH_LINKS, HIDES)
    assert [[layer.index for layer in share] for share in sharing.shares(found, [], 2)] == [[1], [0, 2]]
    assert sharing.shares(found, [], None) == []  # nothing of it is large
    monkeypatch.setattr(sharing, "SMALL", found.layers[0].descriptor.size)
    monkeypatch.setattr(sharing, "_processors", lambda: 2)
    assert len(sharing.shares(found, [], None)) == 2
    assert sharing.shares(found, [Plain()], None) == []
    monkeypatch.setattr(sharing, "_processors", lambda: 1)
    assert sharing.shares(found, [], None) == []
    ready = threading.Event()
    other = threading.Thread(target=ready.wait)
    other.start()
    assert sharing.shares(found, [], 2) == []
    ready.set()
    other.join()
    assert sharing.shares(find(f"rootfs:{made.path}"), [], 2) == []


class Plain:
    """A scanner that nobody else can look for."""

    def wants(self, entry: Entry, layer: Layer) -> int:
        return 0

    def see(self, entry: Entry, layer: Layer, content: bytes, offset: int) -> None:
        raise AssertionError("nothing is wanted")


GOOD = tar(*[entry(f"a/{number}", b"%d" % number) for number in range(2000)])


def error_of(found: Image, workers: int, limits: Limits) -> str:
    with pytest.raises(HardenError) as caught:
        scan.scan(found, [Digests(), Kept(lambda entry: True)], limits, workers=workers)
    return str(caught.value)


@pytest.mark.usefixtures("fds")
@pytest.mark.parametrize("at", [0, 2])
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (GOOD[:700_001], "unexpected end of data"),
        (GOOD[: 512 * 3000] + b"\1" * 512 + GOOD[512 * 3001 :], "checksum"),
        (tar(*[entry(f"b/{number}") for number in range(2000)], entry("b/1/x"), entry("c")), "is no folder of the layer"),
        (tar(*[entry(f"b/{number}") for number in range(2600)]), "more than 2500 entries"),
        (tar(link("a", "no/where"), entry("a/b")), "leads to nothing"),
        (tar(entry("a/" + "x" * 300)), "longer than any file's"),
    ],
    ids=["short", "damaged", "merge", "entries", "link", "name"],
)
def test_errors_are_the_same(made: Layout, at: int, bad: bytes, message: str) -> None:
    layers = [GOOD, tar(entry("other")), tar(entry("more"))]
    layers[at] = bad
    found = image(made, *layers)
    limits = Limits(entries=2500)
    alone = error_of(found, 0, limits)
    assert message in alone
    assert error_of(found, 2, limits) == alone
    # Damaged on the way is what it is, whatever else is wrong; the lowest layer's error is the one that is told.
    for index in (at, 1):
        layer = found.layers[index]
        blob = Path(found.source.path(layer.descriptor))
        content = blob.read_bytes()
        blob.write_bytes(content[:-9] + b"damaged!!")
        alone = error_of(found, 0, limits)
        assert error_of(found, 2, limits) == alone
        assert "damaged" in alone or message in alone
    forged = made.blob(gzip.compress(GOOD + bytes(512), mtime=0), f"{OCI}.layer.v1.tar+gzip")
    plain = made.blob(tar(), f"{OCI}.layer.v1.tar")
    found = image(made, GOOD, tar(), layers=[forged, plain])
    assert "what is in it is not" in error_of(found, 2, limits)


class Deadly(Digests):
    """A scanner whose parts do something to whom they are part of."""

    def __init__(self, act: Any) -> None:
        super().__init__()
        self.act = act

    def part(self) -> Any:
        made: Any = super().part()
        made.wants = self.act
        return made


@pytest.mark.usefixtures("fds")
def test_workers_that_die(made: Layout, capfd: pytest.CaptureFixture[str]) -> None:
    found = image(made, GOOD, LOWEST, tar(entry("top")))
    me = os.getpid()

    def die(entry: Entry, layer: Layer) -> int:
        assert os.getpid() != me
        if entry.name in ("a/1500", "twice"):
            os.kill(os.getpid(), signal.SIGKILL)
        return -1

    def fail(entry: Entry, layer: Layer) -> int:
        raise ValueError("a bug")

    for act in (die, fail):
        one, other = Deadly(act), Digests()
        view, alone = scan.scan(found, [one], workers=2), scan.scan(found, [other], workers=0)
        assert view.notes == alone.notes
        assert [str(fields(each.entry)) for _, each in view] == [str(fields(each.entry)) for _, each in alone]
        assert [one.digest(path, each.layer) for path, each in view] == [other.digest(path, each.layer) for path, each in alone]
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("fds")
def test_interrupted(made: Layout) -> None:
    class Interrupted(Digests):
        """Is interrupted when the first layer is there; its workers have much to say still."""

        def give(self, layer: object, taken: Any) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scan.scan(image(made, tar(entry("a")), GOOD, GOOD), [Interrupted()], workers=2)


@pytest.mark.usefixtures("fds")
def test_no_more_processes(made: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    found = image(made, LOWEST, HIDES)
    alone = everything(found, 0)

    def refused() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refused)
    assert [str(each) for each in everything(found, 2)] == [str(each) for each in alone]


class Frames:
    """Takes what a worker sends, in this process."""

    def __init__(self) -> None:
        self.kinds: list[str] = []

    def write(self, content: Any) -> int:
        self.kinds.append(chr(content[0]))
        return len(content)


def test_what_a_worker_sends(made: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "_LINKS", 100_000)
    large = tar(entry("var/lib/rpm/rpmdb.sqlite", b"SQLite" + bytes(9 << 20)))
    found = image(made, GOOD, THROUGH_LINKS, HIDES, large, tar(*[link(f"{number:0250}", "x") for number in range(300)]))
    sent = Frames()
    sharing.work(found, found.layers, [PackageScanner(), Digests()], Limits(), sharing.Sender(sent))
    # Entries by the thousand; what leads through links, would have to be sent whole, or is all links, is given up.
    assert "".join(sent.kinds) == "EEDEUEDUU"
