"""One pass over all layers of an image: whoever wants to see files is shown them on the way, and nothing is written.

What is seen is not verified before the end of its layer, and `scan` returns only when all was: use nothing before it has.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

from hardener.errors import HardenError
from hardener.images.blobs import open_layer
from hardener.images.image import histories
from hardener.images.limits import LIMITS
from hardener.images.merge import Merge
from hardener.images.notes import Notes
from hardener.images.rootfs import Folder, Walk
from hardener.images.tar import HOSTILE, Reader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hardener.images.image import Image, Layer
    from hardener.images.limits import Limits
    from hardener.images.tar import Entry
    from hardener.images.view import View

    Wanted = tuple["Scanner", int, Entry]  # how many bytes somebody wants, and under which name
    Again = dict[str, list[Wanted]]

WHOLE: Final = -1
LARGE: Final = 8 << 20  # bytes of content that are shown at once
WINDOW: Final = 4 << 20  # of what is larger
OVERLAP: Final = 64 << 10  # of two windows: nothing shorter is cut in two


class Merging(Protocol):
    """Who puts the entries of a layer together."""

    def add(self, entry: Entry) -> None:
        """Take the next."""

    def target(self, path: str) -> str:
        """Return the path of the file that the link leads to which was added last."""

    def end(self) -> None:
        """There are no more."""


class Scanner(Protocol):
    """Somebody who looks into files."""

    def wants(self, entry: Entry, layer: Layer) -> int:
        """Return how many bytes of an entry's content to show: none (0), the first n, or `WHOLE`. Asked of every entry.

        A hardlink has none of its own. Who wants it all the same is shown its target's in a second pass over the layer; who looks at
        each file has seen that already, and says 0.
        """

    def see(self, entry: Entry, layer: Layer, content: bytes, offset: int) -> None:
        """Look at content that was wanted: once, or where it is larger than `LARGE`, window for window from `offset` on."""


def scan(image: Image, scanners: Sequence[Scanner], limits: Limits = LIMITS, *, workers: int | None = None) -> View:
    """Show the files of all layers, the lowest first, to scanners; return the merged root.

    Layers that lie on the disk are read side by side where that pays, and all scanners allow for it: `workers` is how many processes do
    that, whatever there is to read; 0 and 1 are none.

    Raises HardenError when a layer is not what its digests say, or is made to do harm.
    """
    from hardener.images.sharing import Crew

    notes = Notes()
    merge = Merge(image, notes, limits)
    steps = sum([not step.empty_layer for step in histories(image.config)])
    if steps not in (0, len(image.layers)):
        notes.add("steps of the history for other layers than there are", image.name, f"{steps} for {len(image.layers)} layers")
    left = limits.entries
    with Crew(image, scanners, limits, workers) as crew:
        for layer in image.layers:
            merge.begin(layer)
            again = crew.read(layer, merge, notes)
            left -= merge.entries()
            if left < 0:
                raise HardenError(f"the image has more than {limits.entries} entries", where=image.name, how=HOSTILE)
            if again:
                _second(image, layer, again, limits)
    return merge.view()


@contextmanager
def _reader(image: Image, layer: Layer, limits: Limits, notes: Notes) -> Iterator[Reader | Walk]:
    """Return the entries of a layer, which is verified when whoever reads them is done."""
    if isinstance(image.source, Folder):
        notes.add("folder that nothing verifies", image.name, image.source.where)
        with Walk(image.source.where, limits, notes) as walk:
            yield walk
        return
    with open_layer(image, layer, limits) as stream:
        yield Reader(stream.more, f"layer {layer.index + 1}", limits, notes)
        stream.finish()


def pass_over(image: Image, layer: Layer, scanners: Sequence[Scanner], merge: Merging, limits: Limits, notes: Notes) -> Again:
    """Read one layer, and show it; return who wants the content of hardlinks, by the path of their target."""
    again: Again = {}
    with _reader(image, layer, limits, notes) as reader:
        for entry in iter(reader.next, None):
            merge.add(entry)
            wanted = [(scanner, size, entry) for scanner in scanners if (size := scanner.wants(entry, layer))]
            if wanted and entry.kind == "file":
                show(reader, entry, layer, wanted)
            elif wanted and entry.kind == "hardlink":
                again.setdefault(merge.target(entry.link), []).extend(wanted)
    merge.end()
    return again


def _second(image: Image, layer: Layer, again: Again, limits: Limits) -> None:
    """Show the targets of hardlinks to who wants them under the name of the link."""
    with _reader(image, layer, limits, Notes()) as reader:
        for entry in iter(reader.next, None):
            if entry.kind == "file" and (wanted := again.get(entry.name)):
                show(reader, entry, layer, wanted)


def show(reader: Reader | Walk, entry: Entry, layer: Layer, wanted: list[Wanted]) -> None:
    """Show the content of a file to all who want it, each under the name that it is wanted for."""
    who = [(scanner, entry.size if size == WHOLE else min(size, entry.size), name) for scanner, size, name in wanted]
    most = max([size for _, size, _ in who])
    if most <= LARGE:
        content = reader.content(most)
        for scanner, size, each in who:
            scanner.see(each, layer, content if size == most else content[:size], 0)
        return
    content = reader.content(LARGE)
    for scanner, size, each in who:
        if size <= LARGE:
            scanner.see(each, layer, content[:size], 0)
    offset = 0
    while True:
        window = content[:WINDOW]
        for scanner, size, each in who:
            if size > LARGE and offset < size:
                scanner.see(each, layer, window[: size - offset], offset)
        if offset + len(window) >= most:
            return
        offset += WINDOW - OVERLAP
        content = content[WINDOW - OVERLAP :]
        if len(content) < WINDOW:
            content += reader.content(min(WINDOW - len(content), most - offset - len(content)))
