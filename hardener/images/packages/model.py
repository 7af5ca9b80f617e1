"""Packages, the distribution that most of them are of, and the files that they own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hardener.record import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hardener.images.image import Layer

# What /usr/X is when the distribution has merged them; packages go on naming /X, and layers have either.
_MERGED: Final = ("bin/", "sbin/", "lib/", "lib32/", "lib64/", "libx32/", "libo32/")
# 160 bits are left of a SHA-256 in the database of apk 3.
_SHORTEST: Final = {"md5": 32, "sha1": 40, "sha224": 56, "sha256": 40, "sha384": 96, "sha512": 128}

# Files that are remembered: desktops have 300,000. Of what comes after them nobody is said to be the owner, so it is looked at.
MOST_FILES: Final = 400_000


class Distribution(NamedTuple):
    """What os-release says: `debian`, `12`, `Debian GNU/Linux`, `bookworm`; empty where it says nothing."""

    id: str = ""
    version_id: str = ""
    name: str = ""
    codename: str = ""

    @property
    def release(self) -> str:
        """The distribution with its version, as package URLs have it: `debian-12`; empty when it is unknown."""
        version = self.version_id or self.codename
        return f"{self.id}-{version}" if self.id and version else self.id


class Package(NamedTuple):
    """One package of the final image."""

    kind: str  # deb, apk, rpm, pypi, npm, golang: a type of the purl specification
    name: str
    version: str  # whole, with the epoch: 1:2.3-4
    layer: Layer | None  # that put it into the image
    path: str  # of what names it: a database, a metadata file, a program
    arch: str = ""
    source: str = ""  # what it was built from: the name that advisories of Debian, Alpine and others use; its own name where the same
    source_version: str = ""
    licenses: tuple[str, ...] = ()  # SPDX expressions where they are some, else what is written there
    supplier: str = ""
    hashes: tuple[tuple[str, str], ...] = ()  # (algorithm as hashlib calls it, hexadecimal digits) of the archive it came in
    depends: tuple[str, ...] = ()  # names that it needs: of packages, or of what packages provide
    provides: tuple[str, ...] = ()
    places: tuple[str, ...] = ()  # where else the same is installed
    holds: tuple[str, ...] = ()  # package URLs of what it brought along: the same in the words of another package manager, or its parts
    notes: tuple[str, ...] = ()  # what else there is to know: what it replaces, or is replaced by
    distribution: Distribution = Distribution()

    @property
    def purl(self) -> str:
        """The package URL: `pkg:deb/debian/openssl@3.0.15-1?arch=amd64&distro=debian-12`."""
        from hardener.images.packages.purl import of

        return of(self)


class Owned:
    """The files that the package manager of the distribution lists, each with its package and its checksums.

    Every version that a layer ever had counts: an update leaves the stock file of before in the layer below. What pip or npm say of their
    files does not count: a private package is one of theirs, too.
    """

    __slots__ = ("_files",)

    def __init__(self) -> None:
        self._files: dict[str, tuple[str, str]] = {}

    def __len__(self) -> int:
        return len(self._files)

    def add(self, owner: str, files: Iterable[tuple[str, str, str]]) -> None:
        """Add files of a package: path, algorithm as hashlib calls it, hexadecimal digits; without these, it is only owned."""
        known = self._files
        if len(known) >= MOST_FILES:
            return
        for path, algorithm, digits in files:
            key = _key(path)
            listed = f"{algorithm}:{digits}" if digits else ""
            before = known.get(key)
            if before is not None and before[1] and listed not in before[1].split():
                listed = f"{before[1]} {listed}" if listed else before[1]
            known[key] = (owner, listed)

    def owner(self, path: str) -> str:
        """Return the package that a path of the image is of; an empty string when it is of none."""
        found = self._files.get(_key(path))
        return found[0] if found else ""

    def is_pristine(self, path: str, digest: Callable[[str], str]) -> bool:
        """Tell whether a file is what its package brought: `digest` gives the hexadecimal digits of its content for `md5`, `sha256` …"""
        found = self._files.get(_key(path))
        if found is None:
            return False
        for listed in found[1].split():
            algorithm, _, digits = listed.partition(":")
            if len(digits) >= _SHORTEST.get(algorithm, 1 << 10) and digest(algorithm).startswith(digits):
                return True
        return False


def _key(path: str) -> str:
    if path.startswith("usr/") and path.startswith(_MERGED, 4):
        return path[4:]
    return path
