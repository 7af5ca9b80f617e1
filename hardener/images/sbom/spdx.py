"""SPDX 2.3 as JSON. Source: spdx.github.io/spdx-spec/v2.3."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, Final

from hardener import __version__
from hardener.images import spdx
from hardener.images.sbom.inventory import needs, shown

if TYPE_CHECKING:
    from hardener.images.packages.model import Package
    from hardener.images.sbom.inventory import Inventory

_UNKNOWN: Final = "NOASSERTION"
_DOCUMENT, _IMAGE, _SYSTEM = "SPDXRef-DOCUMENT", "SPDXRef-Image", "SPDXRef-OperatingSystem"
_ODD: Final = re.compile(r"[^A-Za-z0-9.]+")
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f]+")
_OWN: Final = re.compile(r"LicenseRef-[A-Za-z0-9.-]+")
_PERSON: Final = re.compile(r"\s*([^<>()]*?)\s*[<(]([^<>()\s]+@[^<>()\s]+)[>)]")
_HASHES: Final = {"md5": "MD5", "sha1": "SHA1", "sha224": "SHA224", "sha256": "SHA256", "sha384": "SHA384", "sha512": "SHA512"}


def write(inventory: Inventory, /) -> str:
    """Return the document."""
    ids = {package.purl: _id(package) for package in inventory.packages}
    extracted: dict[str, str] = {}
    packages = [
        _image(inventory),
        *_system(inventory),
        *(_package(package, ids, extracted, has_layers=bool(inventory.digest)) for package in inventory.packages),
    ]
    contained = [_SYSTEM] * bool(inventory.distribution.id) + list(ids.values())
    relations = [(_DOCUMENT, "DESCRIBES", _IMAGE), *((_IMAGE, "CONTAINS", each) for each in contained)]
    relations += [(ids[purl], "DEPENDS_ON", ids[other]) for purl, others in needs(inventory.packages).items() for other in others]
    name = _line(inventory.name)
    document: dict[str, Any] = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": _DOCUMENT,
        "name": name,
        "documentNamespace": f"https://spdx.org/spdxdocs/{_ODD.sub('-', name).strip('-') or 'image'}-{inventory.uuid('spdx')}",
        "creationInfo": {"created": inventory.created, "creators": [f"Tool: hardener-{__version__}"]},
        "documentDescribes": [_IMAGE],
        "packages": packages,
        "relationships": [{"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other} for one, kind, other in relations],
    }
    if extracted:
        document["hasExtractedLicensingInfos"] = [
            {"licenseId": ref, "name": text, "extractedText": text} for ref, text in sorted(extracted.items())
        ]
    if inventory.notes:
        document["comment"] = "Not all could be read. " + " ".join(f"{_line(note)}." for note in inventory.notes)
    return json.dumps(document, indent=2, ensure_ascii=True) + "\n"


def _image(inventory: Inventory) -> dict[str, Any]:
    image = inventory.image
    version = image.reference.tag or "" if image.reference is not None else inventory.digest
    described = _described(_IMAGE, inventory.name, version, "CONTAINER")
    algorithm, _, digits = inventory.digest.partition(":")
    if digits and algorithm in _HASHES:
        described["checksums"] = [{"algorithm": _HASHES[algorithm], "checksumValue": digits}]
    if inventory.purl:
        described["externalRefs"] = [_purl(inventory.purl)]
    if inventory.digest:
        described["comment"] = "Layers: " + " ".join(layer.diff_id for layer in image.layers)
    return described


def _system(inventory: Inventory) -> list[dict[str, Any]]:
    distribution = inventory.distribution
    if not distribution.id:
        return []
    described = _described(_SYSTEM, distribution.id, distribution.version_id or distribution.codename, "OPERATING-SYSTEM")
    return [{**described, "summary": _line(distribution.name)} if distribution.name else described]


def _package(package: Package, ids: dict[str, str], extracted: dict[str, str], *, has_layers: bool) -> dict[str, Any]:
    purl = package.purl
    described = _described(ids[purl], package.name, package.version, "LIBRARY")
    described["supplier"] = _supplier(package)
    described["licenseDeclared"] = _license(package.licenses, extracted)
    hashes = [{"algorithm": _HASHES[algorithm], "checksumValue": digits} for algorithm, digits in package.hashes if algorithm in _HASHES]
    if hashes:
        described["checksums"] = hashes
    described["externalRefs"] = [_purl(purl)]
    layer = f" of layer {package.layer.diff_id}" if package.layer is not None and has_layers else ""
    built = f"; built from {package.source} {package.source_version}" if package.source not in ("", package.name) else ""
    described["sourceInfo"] = _line(f"named in {', '.join(map(shown, (package.path, *package.places)))}{layer}{built}")
    comments = [*(f"holds {purl}" for purl in package.holds), *package.notes]
    if comments:
        described["comment"] = _line("; ".join(comments))
    return described


def _described(spdx_id: str, name: str, version: str, purpose: str) -> dict[str, Any]:
    described: dict[str, Any] = {"SPDXID": spdx_id, "name": _line(name)}
    if version:
        described["versionInfo"] = _line(version)
    return {
        **described,
        "primaryPackagePurpose": purpose,
        "downloadLocation": _UNKNOWN,
        "filesAnalyzed": False,
        "licenseConcluded": _UNKNOWN,
        "licenseDeclared": _UNKNOWN,
        "copyrightText": _UNKNOWN,
    }


def _id(package: Package) -> str:
    """Return an identifier that a person can read, and that no other package has."""
    digits = hashlib.sha256(package.purl.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"SPDXRef-{package.kind}-{_ODD.sub('-', package.name).strip('-')[:64]}-{digits}"


def _purl(purl: str) -> dict[str, str]:
    return {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl}


def _supplier(package: Package) -> str:
    if not package.supplier:
        return _UNKNOWN
    person = _PERSON.fullmatch(package.supplier)
    if person and person[1]:
        return f"Person: {_line(person[1])} ({person[2]})"
    return f"Organization: {_line(package.supplier).replace('(', '[').replace(')', ']')}"


def _license(names: tuple[str, ...], extracted: dict[str, str]) -> str:
    """Return one expression of all; what is none becomes a reference to the words that stand there."""
    found = []
    for name in names:
        expression = name
        if spdx.is_valid(name) and "DocumentRef-" not in name:
            for own in _OWN.findall(name):
                extracted.setdefault(own, own)
        else:
            text = _line(name)
            plain = _ODD.sub("-", text).strip("-")[:64]
            expression = f"LicenseRef-{plain}-{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:8]}"
            extracted[expression] = text or _UNKNOWN
        found.append(f"({expression})" if len(names) > 1 and " " in expression else expression)
    return " AND ".join(dict.fromkeys(found)) or _UNKNOWN


def _line(text: str) -> str:
    return _CONTROLS.sub(" ", text).strip() or "-"
