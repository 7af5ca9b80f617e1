"""One pass over the layers of an image for all kinds of packages: keeps what names them, and at the end reads the final image's.

Memory is bounded: each kind has a limit for a document, together they may keep `MOST` bytes, and whatever is not read for that is noted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from hardener.errors import HardenError
from hardener.images.packages import apk, dpkg, golang, npm, os_release, python, rpm
from hardener.images.packages.gather import Gatherer, Whole
from hardener.images.packages.model import Distribution, Owned, Package
from hardener.images.scan import LARGE, WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hardener.images.image import Layer
    from hardener.images.tar import Entry
    from hardener.images.view import View

_Taken = tuple[int, str, int, "bytes | bytearray | str"]  # a kind, the path and size of a document, and its content, or why there is none

MOST: Final = 96 << 20  # bytes kept of all documents
EACH: Final = 512  # bytes that a document takes beside its content
MOST_REFUSED: Final = 1000
MOST_PACKAGES: Final = 50_000  # large images have three thousand


class Kind(Protocol):
    """What the module of a kind of packages offers. A document is a file of which something is kept."""

    @property
    def NAMES(self) -> tuple[str, ...]:
        """The last parts of the paths of files that it may want."""

    @property
    def SUFFIXES(self) -> tuple[str, ...]:
        """Ends of such paths."""

    @property
    def FOLDERS(self) -> tuple[str, ...]:
        """Beginnings of such paths."""

    @property
    def LIMIT(self) -> int:
        """Bytes of a document that is read whole: larger ones are noted, and not read."""

    def wants(self, entry: Entry, /) -> int:
        """Return how many bytes of a file are read: 0, the first n, or WHOLE."""

    def gather(self, entry: Entry, /) -> Gatherer:
        """Return what takes a file in and says what is kept of it."""

    def read(self, documents: Documents, mine: Iterable[Document], /) -> Iterator[Package]:
        """Yield the packages of the final image: `mine` are its documents of this kind."""

    def owned(self, document: Document, /) -> Iterator[tuple[str, tuple[str, str, str]]]:
        """Yield what a document of any layer says of files: the package, and path, algorithm, digits."""


MOST_PLACES: Final = 1000  # that one package is told to be at
OF_DISTRIBUTIONS: Final = frozenset({"deb", "apk", "rpm"})

KINDS: Final[tuple[Kind, ...]] = (dpkg, apk, rpm, python, npm, golang, os_release)


class Document:
    """What is kept of a file of one layer."""

    __slots__ = ("content", "kind", "layer", "path", "size")

    def __init__(self, kind: Kind, path: str, layer: Layer, size: int, content: bytes | bytearray) -> None:
        self.kind = kind
        self.path = path
        self.layer = layer
        self.size = size  # bytes of the file, not of what is kept
        self.content = content

    @property
    def text(self) -> str:
        """It, for names and versions: what is no UTF-8 is replaced."""
        return self.content.decode("utf-8", "replace")

    @property
    def raw(self) -> str:
        """It, for paths: spelled as entries spell them."""
        return self.content.decode("utf-8", "surrogateescape")


class Documents:
    """The documents of the final image, by path."""

    __slots__ = ("_kept", "distribution", "notes", "owned", "view")

    def __init__(self, kept: dict[str, Document], view: View, owned: Owned, distribution: Distribution) -> None:
        self._kept = kept
        self.view = view
        self.owned = owned
        self.distribution = distribution
        self.notes: list[str] = []

    def of(self, kind: Kind) -> Iterator[Document]:
        """Yield those of a kind, in the order of their paths."""
        for path in sorted(self._kept):
            document = self._kept[path]
            if document.kind is kind and is_final(self.view, path, document.layer, document.size):
                yield document

    def find(self, path: str) -> Document | None:
        """Return the document that a path of the final image leads to."""
        found = self.view.find(path)
        document = self._kept.get(found.path) if found else None
        return document if found and document and document.layer is found.layer else None

    def layer(self, paths: Iterable[str], otherwise: Layer) -> Layer:
        """Return the layer of the first of some paths that the final image has."""
        for path in paths:
            found = self.view.find(path)
            if found is not None:
                return found.layer
        return otherwise


class PackageScanner:
    """A scanner: `packages`, `owned` and `distribution` tell what it has seen, when all has been seen."""

    def __init__(self) -> None:
        self.notes: tuple[str, ...] = ()  # what has not been read, and why; complete after `packages`
        self._names: dict[str, Kind] = {name: kind for kind in KINDS for name in kind.NAMES}
        self._suffixes: dict[str, Kind] = {suffix: kind for kind in KINDS for suffix in kind.SUFFIXES}
        self._folders: dict[str, Kind] = {folder: kind for kind in KINDS for folder in kind.FOLDERS}
        self._all_suffixes, self._all_folders = tuple(self._suffixes), tuple(self._folders)
        self._kept: dict[str, Document] = {}
        self._refused: dict[str, tuple[Layer, str]] = {}
        self._more = False
        self._size = 0
        self._open: Gatherer = Whole()  # takes in the file that comes in windows
        self._owned = Owned()
        self._documents: Documents | None = None

    # --- what scan uses ---

    def wants(self, entry: Entry, layer: Layer) -> int:
        """Return how much of a file is read."""
        kind = self._kind(entry)
        if kind is None:
            return 0
        wanted = kind.wants(entry)
        if wanted == WHOLE and entry.size > kind.LIMIT:
            self._refuse(entry.name, layer, f"it is larger than {kind.LIMIT >> 20} MiB")
            return 0
        return wanted

    def see(self, entry: Entry, layer: Layer, content: bytes, offset: int) -> None:
        """Take a file, or a window of a large one."""
        kind = self._kind(entry)
        if kind is None:
            return
        if offset == 0:
            self._open = kind.gather(entry)
        elif entry.kind == "hardlink":  # nobody says where it ends
            self._kept.pop(entry.name, None)
            self._refuse(entry.name, layer, "it is a link to a large file")
            return
        self._open.add(content, offset)
        wanted = kind.wants(entry)
        if entry.kind == "hardlink" or offset + len(content) >= (entry.size if wanted == WHOLE else min(entry.size, wanted)):
            self._keep(Document(kind, entry.name, layer, entry.size, self._open.kept()))

    def part(self) -> _Part:
        """Return one for a layer that somebody else reads."""
        return _Part()

    def give(self, layer: Layer, taken: list[_Taken]) -> None:
        """Keep what a part has."""
        for index, path, size, content in taken:
            if isinstance(content, str):
                self._refuse(path, layer, content)
            else:
                self._keep(Document(KINDS[index], path, layer, size, content))

    def _kind(self, entry: Entry) -> Kind | None:
        if entry.kind not in ("file", "hardlink"):
            return None
        name = entry.name
        kind = self._names.get(name[name.rfind("/") + 1 :])
        if kind is not None:
            return kind
        if name.startswith(self._all_folders):
            return next(kind for folder, kind in self._folders.items() if name.startswith(folder))
        if name.endswith(self._all_suffixes):
            return next(kind for suffix, kind in self._suffixes.items() if name.endswith(suffix))
        return golang if entry.mode & 0o111 and entry.kind == "file" else None

    def _keep(self, document: Document) -> None:
        before = self._kept.pop(document.path, None)
        if before is not None:
            self._fold(before)
            self._size -= len(before.content) + EACH
        if not document.content:
            return
        if self._size + len(document.content) + EACH > MOST:
            self._refuse(document.path, document.layer, f"{MOST >> 20} MiB of others have been kept")
            return
        self._size += len(document.content) + EACH
        self._kept[document.path] = document

    def _refuse(self, path: str, layer: Layer, why: str) -> None:
        if len(self._refused) < MOST_REFUSED:
            self._refused[path] = (layer, why)
        else:
            self._more = True

    def _fold(self, document: Document) -> None:
        for owner, file in document.kind.owned(document):
            self._owned.add(owner, (file,))

    # --- what has been seen ---

    def distribution(self, view: View) -> Distribution:
        """Return what os-release says in the final image."""
        for path in os_release.PATHS:
            document = self._kept.get(path)
            if document is not None and is_final(view, path, document.layer, document.size):
                return os_release.parse(document.text)
        return Distribution()

    def owned(self, view: View) -> Owned:
        """Return the files that packages own."""
        return self._all(view).owned

    def packages(self, view: View) -> tuple[Package, ...]:
        """Return what is installed in the final image, each once, sorted by kind, name and version.

        What a package of the distribution brought along, a Python package in a deb, is no package of its own: it is patched with that one,
        under that one's version.
        """
        documents = self._all(view)
        found: dict[str, Package] = {}
        for kind in KINDS:
            for package in kind.read(documents, documents.of(kind)):
                before = found.get(package.purl)
                if before is None:
                    found[package.purl] = package
                    if len(found) > MOST_PACKAGES:
                        how = "no real image is like that: its package databases are made to fill memory"
                        raise HardenError(f"the image names more than {MOST_PACKAGES} packages", how=how)
                elif package.path not in (before.path, *before.places) and len(before.places) < MOST_PLACES:
                    found[package.purl] = before._replace(places=(*before.places, package.path))
        refused = (f"{path} is not read: {why}" for path, (layer, why) in sorted(self._refused.items()) if is_final(view, path, layer))
        more = (f"more than {MOST_REFUSED} files are not read",) if self._more else ()
        self.notes = (*refused, *more, *dict.fromkeys(documents.notes))
        return tuple(sorted(_merged(found, documents), key=lambda one: (one.kind, one.name, one.version, one.arch, one.path)))

    def _all(self, view: View) -> Documents:
        if self._documents is None:
            for document in self._kept.values():
                self._fold(document)
            self._documents = Documents(self._kept, view, self._owned, self.distribution(view))
        return self._documents


class _Part(PackageScanner):
    """One for one layer: everything that would be kept or refused, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.held = 0
        self._taken: list[_Taken] = []

    def wants(self, entry: Entry, layer: Layer) -> int:
        """Return how much of a file is read. What is large, and would have to be sent, is left to those who do not send it."""
        wanted = super().wants(entry, layer)
        if wanted == WHOLE and entry.size > LARGE and self._kind(entry) is not golang:
            self.held += entry.size
        return wanted

    def _keep(self, document: Document) -> None:
        self.held += len(document.content) + EACH
        self._taken.append((KINDS.index(document.kind), document.path, document.size, document.content))

    def _refuse(self, path: str, layer: Layer, why: str) -> None:
        self.held += EACH
        self._taken.append((0, path, 0, why))

    def take(self) -> list[_Taken]:
        """Return it."""
        return self._taken


def _merged(found: dict[str, Package], documents: Documents) -> Iterator[Package]:
    """Yield packages, those that others brought along within these."""
    owners = {package.name: purl for purl, package in found.items() if package.kind in OF_DISTRIBUTIONS}
    held: dict[str, list[str]] = {}
    for purl, package in found.items():
        if package.kind in OF_DISTRIBUTIONS:
            continue
        by = {_bringer(path, owners, found, documents) for path in (package.path, *package.places)}
        if "" in by:  # one of its places is nobody's
            yield package
            continue
        for owner in by:
            held.setdefault(owner, []).append(purl)
    for purl, package in found.items():
        if package.kind in OF_DISTRIBUTIONS:
            yield package._replace(holds=tuple(sorted(held.get(purl, ()))))


def _bringer(path: str, owners: dict[str, str], found: dict[str, Package], documents: Documents) -> str:
    """Return the package of the distribution that brought a file; none when a later layer has put another in its place."""
    owner = owners.get(documents.owned.owner(path), "")
    there = documents.view.find(path)
    return owner if owner and there is not None and there.layer is found[owner].layer else ""


def is_final(view: View, path: str, layer: Layer, size: int | None = None) -> bool:
    """Tell whether the final image has what a layer put at a path: links may stand in the way to it, but not in its place."""
    found = view.find(path)
    if found is None or found.layer is not layer or size not in (None, found.entry.size):
        return False
    if found.path == path:
        return True
    folder, _, name = path.rpartition("/")
    above = view.find(folder)
    return above is not None and found.path == f"{above.path}/{name}".lstrip("/")
