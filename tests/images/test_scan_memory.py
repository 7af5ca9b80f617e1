"""No image takes more memory than 150 MB, however large or hostile: each is scanned in a process of its own, whose peak is looked at."""

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from layouts import OCI, Layout
from raw_tars import BLOCK, END, header, member

from hardener.errors import HardenError
from hardener.images import layout
from hardener.images.limits import Limits
from hardener.images.merge import Merge
from hardener.images.notes import Notes
from hardener.images.tar import Entry

MOST_MB = 150
SCAN = """
import sys
from hardener.errors import HardenError
from hardener.images import find, scan

class All:
    seen = 0
    def wants(self, entry, layer):
        return scan.WHOLE
    def see(self, entry, layer, content, offset):
        self.seen = offset + len(content)

eyes = All()
try:
    view = scan.scan(find.find(sys.argv[1]), [eyes])
    said = f"{len(view)} {eyes.seen}"
except HardenError as error:
    said = error.what
# Not getrusage(2), which counts what the process was before it executed this.
[line] = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(int(line.split()[1]) >> 10, said)
"""


def scanned(made: Layout) -> tuple[int, str]:
    """Return the peak of memory in MB, and how it ended."""
    run = subprocess.run([sys.executable, "-c", SCAN, str(made.path)], capture_output=True, text=True, check=True)
    peak, _, said = run.stdout.strip().partition(" ")
    return int(peak), said


@pytest.fixture
def made(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


def add_plain(made: Layout, layer: dict[str, Any]) -> None:
    """Add an image of one layer that is not compressed, which would take longer than to read it."""
    rootfs = {"type": "layers", "diff_ids": [layer["digest"]]}
    config = made.document({"os": "linux", "architecture": "amd64", "rootfs": rootfs}, f"{OCI}.config.v1+json")
    made.add(made.document({"schemaVersion": 2, "config": config, "layers": [layer]}, f"{OCI}.manifest.v1+json"))


@pytest.mark.slow
def test_two_hundred_thousand_files(made: Layout) -> None:
    template = header(b"lib/package/module00000000")
    blocks = []
    for number in range(200_000):
        digits = b"%08d" % number
        name = b"lib/package%03d/m" % (number // 1000) + digits
        block = name.ljust(100, b"\0") + template[100:]
        blocks.append(block[:148] + b"%06o\0 " % (sum(block) - sum(block[148:156]) + 256) + block[156:])
    add_plain(made, made.blob(b"".join([*blocks, END]), f"{OCI}.layer.v1.tar"))
    peak, said = scanned(made)
    assert said == f"{200_000 + 200 + 1} 0"
    assert peak <= MOST_MB, peak


def test_a_file_of_400_mib(made: Layout) -> None:
    size = 400 << 20
    path = made.path.parent / "large"
    digest = hashlib.sha256()
    with path.open("wb") as file:
        file.write(header(b"large", size=size))
        file.truncate(BLOCK + size + len(END))
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    digits = digest.hexdigest()
    path.rename(made.path / "blobs" / "sha256" / digits)
    add_plain(made, {"mediaType": f"{OCI}.layer.v1.tar", "digest": f"sha256:{digits}", "size": BLOCK + size + len(END)})
    peak, said = scanned(made)
    assert said == f"1 {size}"
    assert peak <= MOST_MB, peak


def test_paths_of_three_thousand_folders(made: Layout) -> None:
    names = b"".join(member(b"long", b"a/" * 3000 + b"%d\0" % number, kind=b"L") + member(b"x") for number in range(50))
    made.add(made.image(names + END))
    peak, said = scanned(made)
    assert "longer than any file's" in said
    assert peak <= MOST_MB, peak


@pytest.mark.parametrize(
    "name",
    ["{0}", "{0}/x", "d{1}/{0:0200}", "é{1}/{0:080}é"],
    ids=["one folder", "a folder each", "long names", "wide names"],
)
def test_what_paths_take_is_counted(made: Layout, name: str) -> None:
    made.add(made.image(b""))
    image = layout.read(str(made.path))
    merge = Merge(image, Notes(), Limits(memory=1 << 20))
    merge.begin(image.layers[0])

    def fill() -> None:
        for number in range(20_000):
            merge.add(Entry(name.format(number, number // 20), "file", 0o644, 0, 0))

    with pytest.raises(HardenError, match="more files, or longer names, than fit into memory"):
        fill()


def test_links_and_attributes_are_counted(made: Layout) -> None:
    made.add(made.image(b""))
    image = layout.read(str(made.path))
    for entry in (Entry("l", "symlink", 0o777, 0, 0, link="x" * 3000), Entry("x", "file", 0, 0, 0, xattrs={"user.a": b"x" * 3000})):
        merge = Merge(image, Notes(), Limits(memory=2000))
        merge.begin(image.layers[0])
        with pytest.raises(HardenError, match="than fit into memory"):
            merge.add(entry)
