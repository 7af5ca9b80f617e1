"""Layers read side by side, in processes of their own: what comes of it is what one process would have made of them.

A worker reads layers as `scan` does, with scanners of its own, and sends through a pipe what entries there are, and at the end of each
layer, which is verified then, what its scanners have taken from it. Whoever called merges the layers, the lowest first.

Where anything goes wrong in a worker, the layer is read again by whoever called: then its errors are the same, and come in the same order,
as without workers. A worker gives up a layer, too, that takes more memory than a part of ours, or whose names lead through its own links:
where these lead to is known where all layers are.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import suppress
from marshal import dumps as pack
from marshal import loads as unpack
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol, runtime_checkable

from hardener.errors import HardenError
from hardener.images.blobs import open_layer
from hardener.images.notes import Notes
from hardener.images.scan import Scanner, pass_over, show
from hardener.images.tar import Entry, Reader

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from hardener.images.image import Image, Layer
    from hardener.images.limits import Limits
    from hardener.images.merge import Merge
    from hardener.images.notes import Counts
    from hardener.images.scan import Again, Wanted

MOST_WORKERS: Final = 2  # each takes some 35 MB: four would take more than an analysis may
SMALL: Final = 1 << 20  # bytes of a blob that is read sooner than anybody is told of it
HELD: Final = 8 << 20  # bytes that a worker's scanners keep of a layer, and that wait of other layers than the one that is merged
_LINKS: Final = 4 << 20  # bytes of the names of a layer's links
_CHUNK, _WEIGHT = 1024, 1 << 18  # entries that are sent together, and bytes of their texts
_EACH: Final = 100  # bytes of a text beside its own
_HEAD: Final = 9  # bytes before a frame: its kind and size
_ENTRIES, _DONE, _UNFIT = b"EDU"


class Part(Scanner, Protocol):
    """A scanner of one layer in a worker. It is not shown the targets of hardlinks."""

    @property
    def held(self) -> int:
        """About how many bytes it keeps."""

    def take(self) -> object:
        """Return what it keeps, for `give`: something that pickle knows."""


@runtime_checkable
class Divided(Scanner, Protocol):
    """A scanner that others can do the looking for."""

    def part(self) -> Part:
        """Return an empty one, for one layer."""

    def give(self, layer: Layer, taken: Any) -> None:
        """Go on as if all that a part has seen of a layer had been seen here. Layers come in order."""


class UnfitError(Exception):
    """A layer is better read where all layers are."""


def shares(image: Image, scanners: Sequence[Scanner], workers: int | None) -> list[list[Layer]]:
    """Return which layers each worker reads; nothing where it does not pay, or cannot be. `workers`: so many, for layers of any size."""
    if not hasattr(os, "fork") or threading.active_count() > 1 or not all(isinstance(each, Divided) for each in scanners):
        return []
    if not _is_here(image):
        return []
    large = [layer for layer in image.layers if workers is not None or layer.descriptor.size >= SMALL]
    count = min(len(large), workers if workers is not None else min(MOST_WORKERS, _processors()))
    if count < 2:
        return []
    found: list[list[Layer]] = [[] for _ in range(count)]
    for layer in sorted(large, key=lambda each: -each.descriptor.size):
        min(found, key=lambda share: sum([each.descriptor.size for each in share])).append(layer)
    return [sorted(share, key=lambda each: each.index) for share in found if share]


def _is_here(image: Image) -> bool:
    """Tell whether several processes can read the blobs at the same time."""
    from hardener.images.archive import LayoutArchive, SavedArchive

    source = image.source
    return isinstance(source, LayoutArchive | SavedArchive) or all(source.path(layer.descriptor) for layer in image.layers)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Worker:
    """A worker as whoever started it sees it."""

    __slots__ = ("_buffer", "ended", "fd", "frames", "held", "pid")

    def __init__(self, pid: int, fd: int) -> None:
        self.pid = pid
        self.fd = fd
        self.ended = False
        self.held = 0
        self.frames: deque[tuple[int, bytes]] = deque()
        self._buffer = bytearray()

    def fill(self) -> None:
        """Take what has come."""
        data = os.read(self.fd, 1 << 18)
        self.ended = not data
        self.held += len(data)
        buffer = self._buffer
        buffer += data
        while len(buffer) >= _HEAD:
            end = _HEAD + int.from_bytes(buffer[1:_HEAD], "little")
            if len(buffer) < end:
                break
            self.frames.append((buffer[0], bytes(buffer[_HEAD:end])))
            del buffer[:end]


class Crew:
    """The workers of one scan; a context manager, after which there are none."""

    def __init__(self, image: Image, scanners: Sequence[Scanner], limits: Limits, workers: int | None = None) -> None:
        self._image = image
        self._scanners = scanners
        self._limits = limits
        self._shares = shares(image, scanners, workers)
        self._workers: list[_Worker] = []
        self._of: dict[int, _Worker] = {}

    def __enter__(self) -> Crew:
        try:
            for share in self._shares:
                worker = self._start(share)
                self._workers.append(worker)
                self._of.update({layer.index: worker for layer in share})
        except OSError:  # no more processes, or files, to be had: who is there is enough, or whoever called
            pass
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        from signal import SIGKILL

        workers, self._workers = self._workers, []
        for worker in workers:
            os.close(worker.fd)
            os.kill(worker.pid, SIGKILL)  # it has not been waited for: the number is still its own
        for worker in workers:
            os.waitpid(worker.pid, 0)

    def _start(self, share: Sequence[Layer]) -> _Worker:
        reading, writing = os.pipe()
        try:
            pid = os.fork()
        except OSError:
            os.close(reading)
            os.close(writing)
            raise
        if not pid:
            _be_worker(self._image, share, self._scanners, self._limits, writing, [reading, *[each.fd for each in self._workers]])
        os.close(writing)
        return _Worker(pid, reading)

    def read(self, layer: Layer, merge: Merge, notes: Notes) -> Again:
        """Merge a layer, and show it to the scanners, whoever reads it; return who wants the content of hardlinks."""
        worker = self._of.get(layer.index)
        resumed = _Resumed(merge, notes)
        if worker is not None:
            try:
                again = self._merge(worker, layer, resumed)
            except HardenError:
                # Damaged on the way is what it is, whatever that looked like: that is found out as this is left.
                with open_layer(self._image, layer, self._limits):
                    raise
            if again is not None:
                return again
        return pass_over(self._image, layer, self._scanners, resumed, self._limits, resumed.found)

    def _merge(self, worker: _Worker, layer: Layer, resumed: _Resumed) -> Again | None:
        """Merge what a worker sends of a layer; None when it does not get to its end."""
        from pickle import loads  # nosec B403

        again: Again = {}
        while (frame := self._next(worker)) is not None and frame[0] != _UNFIT:
            if frame[0] == _ENTRIES:
                for fields, wanted, found in unpack(frame[1]):  # noqa: S302  # nosec B302
                    entry = Entry(*fields)
                    resumed.found.give(found)
                    resumed.add(entry)
                    if wanted:
                        again.setdefault(resumed.target(entry.link), []).extend(
                            [(self._scanners[index], size, entry) for index, size in wanted]
                        )
                continue
            # What our own child wrote into our own pipe; nobody else holds its ends.
            taken, found = loads(frame[1])  # noqa: S301  # nosec B301
            resumed.found.give(found)
            resumed.end()
            for scanner, each in zip(self._scanners, taken, strict=True):
                if isinstance(scanner, Divided):
                    scanner.give(layer, each)
            return again
        resumed.again()
        return None

    def _next(self, worker: _Worker) -> tuple[int, bytes] | None:
        """Return the next frame of a worker; None when it has ended. What others send is taken meanwhile, so that they need not wait."""
        from select import POLLIN, poll

        while not worker.frames:
            if worker.ended:
                return None
            waiting = poll()
            able = {each.fd: each for each in self._workers if not each.ended and (each is worker or each.held < HELD)}
            for fd in able:
                waiting.register(fd, POLLIN)
            for fd, _ in waiting.poll():
                able[fd].fill()
        frame = worker.frames.popleft()
        worker.held -= _HEAD + len(frame[1])
        return frame


class _Resumed:
    """A merge that is begun with what a worker sends, and, when that is not all, goes on where it was with who reads from the beginning.

    `found`: the notes of the reader; those of an entry come before what the merge notes of it.
    """

    def __init__(self, merge: Merge, notes: Notes) -> None:
        self._merge = merge
        self._notes = notes
        self._at = self._merged = 0
        self._targets: dict[int, str] = {}
        self.found = Notes()

    def add(self, entry: Entry) -> None:
        """Merge an entry that has not been."""
        self._at += 1
        found = self.found.take()
        if self._at > self._merged:
            self._notes.give(found)
            self._merge.add(entry)

    def target(self, path: str) -> str:
        """Return the target of the hardlink that was added last."""
        if self._at not in self._targets:
            self._targets[self._at] = self._merge.target(path)
        return self._targets[self._at]

    def end(self) -> None:
        """Say that there are no more."""
        self._notes.give(self.found.take())

    def again(self) -> None:
        """Say that the entries come from the first on again."""
        self._at, self._merged = 0, self._at
        self.found.take()


# --- in a worker ----------------------------------------------------------------------------------------------------------------------


def _be_worker(
    image: Image, share: Sequence[Layer], scanners: Sequence[Scanner], limits: Limits, writing: int, others: Sequence[int]
) -> NoReturn:
    """Read layers, and end: whatever happens, so that nothing of whoever called is done twice."""
    try:
        from gc import freeze
        from signal import SIG_DFL, SIGINT, SIGTERM, signal

        for each in (SIGINT, SIGTERM):
            signal(each, SIG_DFL)
        freeze()  # what is there already is nothing to look through, and copying it takes memory
        for fd in others:  # of pipes whose readers are to be the only ones
            os.close(fd)
        with suppress(HardenError, OSError), open(writing, "wb", buffering=0) as out:
            work(image, share, [each for each in scanners if isinstance(each, Divided)], limits, Sender(out))
    finally:
        os._exit(0)


class Sender:
    """Sends frames."""

    def __init__(self, out: Any) -> None:
        self._out = out

    def send(self, kind: int, content: bytes = b"") -> None:
        """Send all of one, as soon as it is taken."""
        rest = memoryview(bytes([kind]) + len(content).to_bytes(_HEAD - 1, "little") + content)
        while rest:
            rest = rest[self._out.write(rest) :]


def work(image: Image, share: Sequence[Layer], scanners: Sequence[Divided], limits: Limits, sender: Sender) -> None:
    """Read layers, and send what comes of it."""
    from pickle import dumps  # nosec B403

    for layer in share:
        parts = [each.part() for each in scanners]
        try:
            found = _read(image, layer, parts, limits, sender)
        except UnfitError:
            sender.send(_UNFIT)
            continue
        sender.send(_DONE, dumps(([part.take() for part in parts], found)))


def _read(image: Image, layer: Layer, parts: Sequence[Part], limits: Limits, sender: Sender) -> Counts:
    """Read a layer, and send its entries; return what the reader has noted at its end."""
    notes = Notes()
    ways = _Ways()
    chunk: list[tuple[tuple[object, ...], list[tuple[int, int]], Counts]] = []
    weight = 0
    with open_layer(image, layer, limits) as stream:
        reader = Reader(stream.more, f"layer {layer.index + 1}", limits, notes)
        for entry in iter(reader.next, None):
            ways.check(entry)
            wanted: list[Wanted] = [(part, size, entry) for part in parts if (size := part.wants(entry, layer))]
            links: list[tuple[int, int]] = []
            if wanted and sum([part.held for part in parts]) > HELD:
                raise UnfitError
            if wanted and entry.kind == "file":
                show(reader, entry, layer, wanted)
            elif wanted and entry.kind == "hardlink":
                links = [(index, size) for index, part in enumerate(parts) for each, size, _ in wanted if each is part]
            fields = (entry.name, entry.kind, entry.mode, entry.uid, entry.gid, entry.size, entry.mtime, entry.link, entry.xattrs)
            chunk.append((fields, links, notes.take()))
            weight += len(entry.name) + len(entry.link) + sum([len(key) + len(value) for key, value in entry.xattrs.items()])
            if len(chunk) >= _CHUNK or weight >= _WEIGHT:
                sender.send(_ENTRIES, pack(chunk))
                chunk.clear()
                weight = 0
        stream.finish()
    sender.send(_ENTRIES, pack(chunk))
    return notes.take()


class _Ways:
    """Looks out for names that lead through links of the same layer."""

    def __init__(self) -> None:
        self._links: set[str] = set()
        self._left = _LINKS
        self._near = ""

    def check(self, entry: Entry) -> None:
        """Raise UnfitError when the entry's name does, or when too many links are to be remembered."""
        above = entry.name.rpartition("/")[0]
        if above != self._near:
            at = len(above) if self._links else 0
            while at > 0:
                if above[:at] in self._links:
                    raise UnfitError
                at = above.rfind("/", 0, at)
            self._near = above
        if entry.kind == "symlink":
            self._links.add(entry.name)
            self._left -= len(entry.name) + _EACH
            self._near = ""
            if self._left < 0:
                raise UnfitError
