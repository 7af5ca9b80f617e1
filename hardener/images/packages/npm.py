"""Packages of npm: the package.json of what is installed, and package-lock.json for what it came from.

A package is installed where a folder `node_modules/NAME` has a package.json; elsewhere a package.json with name and version is an
application, or a package put there by hand. Others below a package are its own test data and parts. Source: docs.npmjs.com, package.json,
package-lock.json.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from hardener.images.packages import licenses
from hardener.images.packages.gather import Whole
from hardener.images.packages.model import Package
from hardener.images.scan import WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hardener.images.packages.gather import Gatherer
    from hardener.images.packages.scanner import Document, Documents
    from hardener.images.tar import Entry

_LOCK, _HIDDEN = "package-lock.json", ".package-lock.json"
NAMES: Final = ("package.json", _LOCK, _HIDDEN)
SUFFIXES: Final = ()
FOLDERS: Final = ()
LIMIT: Final = 4 << 20  # bytes of a lock file: what is nested in it takes thirty times as many
SMALL: Final = 1 << 20  # bytes of a package.json

_MODULES: Final = "node_modules/"
_INSTALLED: Final = re.compile(r"(?:@[^/]+/)?[^/@]+/package\.json")  # what is below a folder node_modules
_NAME: Final = re.compile(r"(?:@[a-z0-9~-][a-z0-9._~-]*/)?[A-Za-z0-9~_-][A-Za-z0-9._~-]*", re.IGNORECASE)
_NUMBERED: Final = re.compile(r"v?[0-9][0-9A-Za-z.+-]*")
_INTEGRITY: Final = re.compile(r"(sha1|sha256|sha384|sha512)-([A-Za-z0-9+/]+={0,2})")
_MOST_DEPENDENCIES: Final = 2000


def wants(entry: Entry) -> int:
    """Return how much of a file is read."""
    name = entry.name
    if not name.endswith("/package.json") and name != "package.json":
        return WHOLE
    _, inside, rest = name.rpartition(_MODULES)
    if entry.size > SMALL or (inside and not _INSTALLED.fullmatch(rest)):
        return 0
    return WHOLE


def gather(entry: Entry) -> Gatherer:
    """Return what collects a file: of thousands of package.json, what is said of the package."""
    return Whole(_locked if entry.name.endswith("-lock.json") else _described)


def read(documents: Documents, mine: Iterable[Document]) -> Iterator[Package]:
    """Yield what is installed, and of an application without its packages (they are bundled) what its lock file names."""
    mine = list(mine)
    locks = {document.path: json.loads(document.content) for document in mine if document.path.endswith("-lock.json")}
    archives: dict[str, tuple[tuple[str, str], ...]] = {}
    for path, packages in locks.items():
        folder = path[: -len(_HIDDEN)].removesuffix(_MODULES) if path.endswith(f"/{_HIDDEN}") else path[: -len(_LOCK)]
        for place, (name, version, integrity, *_) in packages.items():
            archives[f"{folder}{place}/package.json\n{name}@{version}"] = _hashes(integrity)
    for document in mine:
        if document.path in locks:
            if document.path.endswith(f"/{_HIDDEN}") or documents.view.find(f"{document.path[: -len(_LOCK)]}node_modules"):
                continue
            for name, version, integrity, license_, _ in locks[document.path].values():
                yield Package(
                    kind="npm",
                    name=name,
                    version=version,
                    layer=document.layer,
                    path=document.path,
                    licenses=(licenses.named(license_),) if license_ else (),
                    hashes=_hashes(integrity),
                    notes=("named by a lock file; not installed beside it",),
                )
            continue
        name, version, license_, author, needs = json.loads(document.content)
        yield Package(
            kind="npm",
            name=name,
            version=version,
            layer=document.layer,
            path=document.path,
            licenses=(licenses.named(license_),) if license_ else (),
            supplier=author,
            hashes=archives.get(f"{document.path}\n{name}@{version}", ()),
            depends=tuple(needs),
        )


def owned(_: Document) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """Yield nothing: npm keeps no checksums of files."""
    return iter(())


def _described(content: bytes) -> bytes:
    """Return [name, version, licence, author, dependencies] of a package.json; nothing when it has no name or no version."""
    found = _object(content)
    name, version = _text(found.get("name")), _text(found.get("version"))
    if not _NAME.fullmatch(name) or not _NUMBERED.fullmatch(version):
        return b""
    needs = found.get("dependencies")
    listed = [str(each) for each in needs][:_MOST_DEPENDENCIES] if isinstance(needs, dict) else []
    author = found.get("author")
    who = _text(author.get("name")) if isinstance(author, dict) else _text(author)
    return json.dumps([name, version, _license(found), who, listed]).encode()


def _locked(content: bytes) -> bytes:
    """Return {place: [name, version, integrity, licence, place]} of a lock file, without what only development needs."""
    found = _object(content)
    listed: dict[str, list[str]] = {}
    packages = found.get("packages")
    if isinstance(packages, dict):  # of version 2 and 3
        entries = [(str(place), one) for place, one in packages.items()]
    else:
        entries = [(f"{_MODULES}{name}", one) for name, one in _old(found.get("dependencies"))]
    for place, one in entries:
        if not isinstance(one, dict) or _MODULES not in place or one.get("dev") or one.get("link"):
            continue
        name = _text(one.get("name")) or place.rpartition(_MODULES)[2]
        version = _text(one.get("version"))
        if _NAME.fullmatch(name) and _NUMBERED.fullmatch(version):
            listed[place] = [name, version, _text(one.get("integrity")), _text(one.get("license")), place]
    return json.dumps(listed).encode() if listed else b""


def _old(dependencies: object) -> Iterator[tuple[str, object]]:
    """Yield the places in a lock file of version 1, where packages are nested, with what is said of each."""
    waiting = [("", dependencies)]
    while waiting:
        before, level = waiting.pop()
        for name, one in level.items() if isinstance(level, dict) else ():
            yield f"{before}{name}", one
            if isinstance(one, dict):
                waiting.append((f"{before}{name}/{_MODULES}", one.get("dependencies")))


def _object(content: bytes) -> dict[str, object]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(value: object) -> str:
    return " ".join(value.split())[:500] if isinstance(value, str) else ""


def _license(found: dict[str, object]) -> str:
    """Return the licence: a text, or as one wrote it ten years ago, an object, or several."""
    said = found.get("license") or found.get("licenses")
    several = said if isinstance(said, list) else [said]
    names = [_text(one.get("type") if isinstance(one, dict) else one) for one in several]
    names = [name for name in names if name]
    return names[0] if len(names) == 1 else f"({' OR '.join(names)})" if names else ""


def _hashes(integrity: str) -> tuple[tuple[str, str], ...]:
    import binascii

    found = []
    for algorithm, encoded in _INTEGRITY.findall(integrity):
        try:
            found.append((algorithm, binascii.a2b_base64(encoded).hex()))
        except ValueError:
            continue
    return tuple(found)
