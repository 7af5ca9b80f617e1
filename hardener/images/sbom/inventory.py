"""What a bill of materials is made of, whatever its format."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from hardener.errors import HardenError
from hardener.images.packages.purl import encoded
from hardener.images.rootfs import NOTHING
from hardener.record import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hardener.images.image import Image
    from hardener.images.packages.model import Distribution, Package

# All that we make up is of this namespace (RFC 9562, 5.5), so that two people who look at the same image make up the same.
_NAMESPACE: Final = "urn:uuid:6ba7b811-9dad-11d1-80b4-00c04fd430c8"  # of URLs
_CREATED: Final = re.compile(r"([0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9])(?:\.[0-9]+)?Z")
_EPOCH: Final = "1970-01-01T00:00:00Z"
_LATEST: Final = 253402300799  # the last second of the year 9999
_SEPARATORS: Final = re.compile(r"[-_.]+")


class Inventory(NamedTuple):
    """An image, and the packages in it. `notes`: what could not be read; `created`: when, as 2024-05-01T12:00:00Z."""

    image: Image
    distribution: Distribution
    packages: tuple[Package, ...]
    notes: tuple[str, ...]
    created: str

    @property
    def name(self) -> str:
        """What the image is called without tag and digest."""
        reference = self.image.reference
        return f"{reference.registry}/{reference.repository}" if reference is not None else shown(self.image.name)

    @property
    def purl(self) -> str:
        """The package URL of the image; an empty string when it is of no registry."""
        reference = self.image.reference
        if reference is None:
            return ""
        pieces = {
            "arch": self.image.platform.architecture or "",
            "repository_url": f"{reference.registry}/{reference.repository}",
            "tag": reference.tag or "",
        }
        qualifiers = "&".join(f"{key}={encoded(value, '/')}" for key, value in pieces.items() if value)
        return f"pkg:oci/{encoded(reference.repository.rpartition('/')[2])}@{encoded(self.image.digest)}?{qualifiers}"

    @property
    def digest(self) -> str:
        """The digest of the image; an empty string for a folder, which has none."""
        return self.image.digest if self.image.digest != NOTHING else ""

    def uuid(self, kind: str) -> str:
        """Return the UUID of a document of a kind about this image, or about a folder with these packages."""
        import uuid

        what = self.digest or "\n".join((self.name, *(package.purl for package in self.packages)))
        return str(uuid.uuid5(uuid.UUID(_NAMESPACE), f"hardener:{kind}:{what}"))


def shown(path: str) -> str:
    """Return a path as text: bytes of it that are no UTF-8 are replaced."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def seconds(epoch: str) -> int:
    """Return what SOURCE_DATE_EPOCH says: seconds since 1970, 0 when it is empty. Raises HardenError when that is no time.

    Source: reproducible-builds.org/specs/source-date-epoch.
    """
    if not epoch:
        return 0
    if not epoch.isdecimal() or not epoch.isascii() or len(epoch) > 12 or int(epoch) > _LATEST:
        raise HardenError(f"{epoch!r:.40} is no time", where="SOURCE_DATE_EPOCH", how="write seconds since 1970, or unset it")
    return int(epoch)


def moment(image: Image, epoch: str) -> str:
    """Return the time that a document says it was made at: SOURCE_DATE_EPOCH (`epoch`), or when the image was made."""
    if epoch:
        import time

        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds(epoch)))
    found = _CREATED.fullmatch(image.config.created or "")
    return f"{found[1]}Z" if found else _EPOCH


def needs(packages: Iterable[Package]) -> dict[str, tuple[str, ...]]:
    """Return what each package depends on of what is there, as package URLs.

    A name that several provide is all of them; of npm's, the one that Node.js would find from where the package lies.
    """
    purls = [(package, package.purl) for package in packages]
    named: dict[tuple[str, str, str], list[str]] = {}
    placed: dict[str, str] = {}
    for package, purl in purls:
        scopes = _scopes(package)
        for name in (package.name, *package.provides):
            for scope in scopes:
                named.setdefault((package.kind, scope, _plain(package.kind, name)), []).append(purl)
        if package.kind == "npm":
            for path in (package.path, *package.places):
                placed[path] = purl
    found = {}
    for package, purl in purls:
        there: dict[str, None] = {}
        for name in package.depends:
            if package.kind == "npm":
                there |= dict.fromkeys(_nearest(name, package, placed))
            else:
                for scope in _scopes(package):
                    there |= dict.fromkeys(named.get((package.kind, scope, _plain(package.kind, name)), ()))
        there.pop(purl, None)
        found[purl] = tuple(sorted(there))
    return found


def _scopes(package: Package) -> tuple[str, ...]:
    """Return within what a name is one package: a program of Go, a folder of Python packages, the whole image."""
    paths = (package.path, *package.places)
    match package.kind:
        case "golang":
            return paths
        case "pypi":
            return tuple(path.rpartition("/")[0].rpartition("/")[0] for path in paths)
        case _:
            return ("",)


def _plain(kind: str, name: str) -> str:
    return _SEPARATORS.sub("-", name).lower() if kind == "pypi" else name


def _nearest(name: str, package: Package, placed: dict[str, str]) -> Iterator[str]:
    """Yield the package that Node.js takes for a name: from the folder that asks upwards. Source: nodejs.org/api/modules.html."""
    for path in (package.path, *package.places):
        folder = path.rpartition("/")[0]
        while True:
            found = placed.get(f"{folder}/node_modules/{name}/package.json".lstrip("/"))
            if found is not None:
                yield found
                break
            if not folder:
                break
            folder = folder.rpartition("/")[0]
