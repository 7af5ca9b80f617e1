"""The files of all layers of an image -> the credentials in them, in the one pass that reads the layers (`images.scan`).

A layer keeps what it brought: that a later one deletes or overwrites a file hides it from the container and from nobody else. So each
file is judged as its layer has it, and what became of it is asked of the merged view afterwards. Files that the package manager vouches
for are let go then, too: only for what was found in them need anybody know their checksums.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from hardener.images.blobs import open_layer
from hardener.images.scan import OVERLAP as SHARED
from hardener.images.scan import WHOLE, WINDOW
from hardener.record import NamedTuple
from hardener.rules.secrets import contents
from hardener.rules.secrets.files import places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hardener.images.image import Image, Layer
    from hardener.images.tar import Entry
    from hardener.images.view import View
    from hardener.rules.secrets.contents import Content, Hit

ALGORITHMS: Final = ("md5", "sha1", "sha256", "sha512")
"""The checksums that package managers keep of files."""

MOST: Final = 50
"""Findings that are kept of one file: a list of a thousand keys is one leak."""

# Compressed by their names: nothing in them can be read as it stands.
_PACKED_ENDS: Final = places.words(
    "gz xz bz2 zst lzma br png jpg jpeg gif webp ico woff woff2 ttf otf eot mp3 mp4 ogg webm wav pdf mo gmo svgz deb rpm apk"
)


class Owned(Protocol):
    """Who knows the files of packages."""

    def is_pristine(self, path: str, digest: Callable[[str], str]) -> bool:
        """Tell whether a file is what its package brought; `digest` gives the digits of its content for an algorithm."""


class Leak(NamedTuple):
    """A credential in a file of a layer."""

    path: str
    layer: Layer
    hit: Hit
    fate: Layer | None  # the later layer that deletes or overwrites the file; None: it is in the final image
    is_deleted: bool  # deleted, and not overwritten
    more: int  # how many further layers hold the same


class _File(NamedTuple):
    """A file in which something was found."""

    path: str
    layer: Layer
    hits: list[Hit]
    digests: dict[str, str]  # empty for a file that came in windows: see `_read_again`


_Taken = tuple[str, "list[Hit]", dict[str, str]]  # a file without its layer


class _Windowed:
    """A file that is larger than what is shown at once, while its windows come."""

    __slots__ = ("content", "entry", "file", "line")

    def __init__(self, entry: Entry, content: Content, file: _File) -> None:
        self.entry = entry
        self.content = content
        self.file = file
        self.line = 1


class SecretScanner:
    """A scanner for `images.scan`: ask for its `leaks` when the pass is over."""

    def __init__(self) -> None:
        self._found: list[_File] = []
        self._large: _Windowed | None = None

    def wants(self, entry: Entry, layer: Layer) -> int:
        """Ask for all files but those that nothing can be found in."""
        if entry.kind != "file" or not entry.size or places.is_skipped(entry.name):
            return 0
        return 0 if entry.name.rpartition(".")[2].lower() in _PACKED_ENDS else WHOLE

    def see(self, entry: Entry, layer: Layer, content: bytes, offset: int) -> None:
        """Search a file, or a window of one."""
        if not offset and len(content) >= entry.size:
            hits = contents.inspect(entry.name, content)
            if hits:
                self._found.append(_File(entry.name, layer, hits[:MOST], _digests((content,))))
            return
        if not offset:
            self._large = _Windowed(entry, contents.look(entry.name, content), _File(entry.name, layer, [], {}))
        if self._large is not None:
            self._window(self._large, content, offset)

    def part(self) -> _Part:
        """Return one for a layer that somebody else reads."""
        return _Part()

    def give(self, layer: Layer, taken: list[_Taken]) -> None:
        """Go on with what a part has found."""
        self._found.extend([_File(path, layer, hits, digests) for path, hits, digests in taken])

    def _window(self, large: _Windowed, content: bytes, offset: int) -> None:
        ends = offset + len(content) >= large.entry.size
        piece = large.content._replace(line=large.line, starts=not offset, ends=ends)
        file = large.file
        file.hits.extend(contents.inspect_piece(piece, content)[: MOST - len(file.hits)])
        if large.content.form == "text":
            large.line += content.count(b"\n", 0, len(content) - SHARED)
        if ends:
            self._large = None
            if file.hits:
                self._found.append(file)

    def leaks(self, view: View, owned: Owned | None = None) -> tuple[Leak, ...]:
        """Return what was found, the lowest layer first, and by path; a file that later layers bring again unchanged is told of once."""
        told: dict[tuple[object, ...], int] = {}
        found: list[Leak] = []
        for file in sorted(self._found, key=lambda each: (each.layer.index, each.path)):
            if owned is not None and owned.is_pristine(file.path, _digester(view.image, file)):
                continue
            fate = view.fate(file.path, file.layer)
            is_deleted = view.deleted(file.path, file.layer)
            for hit in file.hits:
                key = (file.path, hit.secret.kind, hit.start, hit.mark)
                if key in told:
                    first = found[told[key]]
                    found[told[key]] = first._replace(fate=fate, is_deleted=is_deleted, more=first.more + 1)
                    continue
                told[key] = len(found)
                found.append(Leak(file.path, file.layer, hit, fate, is_deleted, 0))
        return tuple(found)


class _Part(SecretScanner):
    """One for one layer."""

    @property
    def held(self) -> int:
        """About how many bytes it keeps."""
        return 1024 * len(self._found)

    def take(self) -> list[_Taken]:
        """Return what was found."""
        return [(file.path, file.hits, file.digests) for file in self._found]


def _digester(image: Image, file: _File) -> Callable[[str], str]:
    def digest(algorithm: str) -> str:
        if not file.digests:
            file.digests.update(_read_again(image, file))
        return file.digests.get(algorithm, "")

    return digest


def _digests(pieces: Iterable[bytes]) -> dict[str, str]:
    import hashlib

    states = [(name, hashlib.new(name, usedforsecurity=False)) for name in ALGORITHMS]
    for piece in pieces:
        for _, state in states:
            state.update(piece)
    return {name: state.hexdigest() for name, state in states}


def _read_again(image: Image, file: _File) -> dict[str, str]:
    """Return the checksums of a large file in which something was found and that a package claims. That is rare; to hash all is slow."""
    from hardener.images.limits import LIMITS
    from hardener.images.notes import Notes
    from hardener.images.tar import Reader

    with open_layer(image, file.layer) as stream:
        reader = Reader(stream.more, f"layer {file.layer.index + 1}", LIMITS, Notes())
        for entry in iter(reader.next, None):
            if entry.kind == "file" and entry.name == file.path:
                return _digests(iter(lambda: reader.content(WINDOW), b""))
    return {}
