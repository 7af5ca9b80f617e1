"""Packages of Debian and its kin: dpkg's status file, status.d of distroless images, md5sums, and licences from copyright files.

Source: dpkg(1), deb-control(5), Debian policy 5 and 12.5 (github.com/GoogleContainerTools/distroless for status.d).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from hardener.images.packages import licenses, stanzas
from hardener.images.packages.gather import Whole
from hardener.images.packages.model import Package
from hardener.images.scan import WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hardener.images.packages.gather import Gatherer
    from hardener.images.packages.scanner import Document, Documents
    from hardener.images.tar import Entry

NAMES: Final = ("copyright",)
SUFFIXES: Final = ()
_FOLDER, _STATUS, _STATUS_D, _INFO = "var/lib/dpkg/", "var/lib/dpkg/status", "var/lib/dpkg/status.d/", "var/lib/dpkg/info/"
FOLDERS: Final = (_FOLDER,)
_DOC: Final = "usr/share/doc/"
HEAD: Final = 1 << 18  # bytes of a copyright file: the licences are named in the first of them
LIMIT: Final = 16 << 20  # bytes of a status file: four thousand packages have 5 MiB

# The third word: what is there. "deinstall ok config-files" is a package that has gone, "hold ok installed" one that has not.
_INSTALLED: Final = frozenset({"installed", "unpacked", "half-configured", "triggers-awaited", "triggers-pending"})
_FIELD: Final = re.compile(
    r"^(Package|Status|Version|Architecture|Source|Maintainer|Depends|Pre-Depends|Provides):[ \t]*([^\n]*)", re.MULTILINE
)
_CONFFILE: Final = re.compile(r"^ /([^\n]+?) ([0-9a-f]{32})(?: obsolete)?(?: remove-on-upgrade)?$", re.MULTILINE)
_SUM: Final = re.compile(r"^([0-9a-f]{32}) [ *](?:\./)?/*([^\n]+)", re.MULTILINE)
_RELATION: Final = re.compile(r"(?:^|[,|])\s*([A-Za-z0-9][A-Za-z0-9+.-]*)")
_SOURCE: Final = re.compile(r"(\S+)(?:\s+\(([^()\s]+)\))?")


def wants(entry: Entry) -> int:
    """Return how much of a file is read."""
    name = entry.name
    if name == _STATUS or (name.startswith(_STATUS_D) and "/" not in name[len(_STATUS_D) :]):
        return WHOLE
    if name.startswith(_INFO) and name.endswith(".md5sums"):
        return WHOLE
    if name.startswith(_DOC) and name.endswith("/copyright") and name.count("/") == 4:
        return HEAD
    return 0


def gather(entry: Entry) -> Gatherer:
    """Return what collects a file: of a copyright file the names of licences are enough."""
    return Whole(licenses.in_copyright) if entry.name.endswith("/copyright") else Whole()


def read(documents: Documents, mine: Iterable[Document]) -> Iterator[Package]:
    """Yield what is installed."""
    for document in mine:
        if not document.path.endswith((".md5sums", "/copyright")):
            for stanza in stanzas.split(document.text):
                package = _package(dict(_FIELD.findall(stanza)), document, documents)
                if package is not None:
                    yield package


def owned(document: Document) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """Yield what a file says of others: the package, and path, algorithm and digest."""
    path = document.path
    if path.endswith(".md5sums"):
        owner = path.rpartition("/")[2].removesuffix(".md5sums").partition(":")[0]
        for line in _SUM.finditer(document.raw):
            yield owner, (line[2], "md5", line[1])
    elif path.startswith(_FOLDER):
        for stanza in stanzas.split(document.raw):
            fields = dict(_FIELD.findall(stanza))
            for line in _CONFFILE.finditer(stanza) if "\nConffiles:" in stanza else ():
                yield fields.get("Package", ""), (line[1], "md5", line[2])


def _package(fields: dict[str, str], document: Document, documents: Documents) -> Package | None:
    name, version = fields.get("Package", "").strip(), fields.get("Version", "").strip()
    state = fields.get("Status", "install ok installed").split()  # status.d has none
    if not name or not version or len(state) != 3 or state[2] not in _INSTALLED:
        return None
    source = _SOURCE.match(fields.get("Source", "")) or _SOURCE.match(name)
    arch = fields.get("Architecture", "").strip()
    found = documents.find(f"{_DOC}{name}/copyright")
    written = () if document.path != _STATUS else (f"{_INFO}{name}.list", f"{_INFO}{name}:{arch}.list")  # when it was installed
    return Package(
        kind="deb",
        name=name,
        version=version,
        layer=documents.layer(written, document.layer),
        path=document.path,
        arch=arch,
        source=source[1] if source else name,
        source_version=(source[2] if source else None) or version,
        licenses=tuple(licenses.joined(one) for one in found.text.split("\n") if one) if found else (),
        supplier=fields.get("Maintainer", "").strip(),
        depends=tuple(dict.fromkeys(_RELATION.findall(f"{fields.get('Pre-Depends', '')}, {fields.get('Depends', '')}"))),
        provides=tuple(dict.fromkeys(_RELATION.findall(fields.get("Provides", "")))),
        distribution=documents.distribution,
    )
