"""CycloneDX 1.6 as JSON. Source: cyclonedx.org/docs/1.6/json (ECMA-424)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from hardener import __version__
from hardener.images import spdx
from hardener.images.sbom.inventory import needs, shown

if TYPE_CHECKING:
    from hardener.images.packages.model import Package
    from hardener.images.sbom.inventory import Inventory

_HASHES: Final = {"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256", "sha384": "SHA-384", "sha512": "SHA-512"}

_LONGEST: Final = 1024  # characters of a version, says the schema


def write(inventory: Inventory, /) -> str:
    """Return the document."""
    root = f"image:{inventory.digest or inventory.uuid('root')}"
    components = [_component(package, has_layers=bool(inventory.digest)) for package in inventory.packages]
    system = _system(inventory)
    listed = [system] if system else []
    graph = needs(inventory.packages)
    refs = sorted([*graph, *(each["bom-ref"] for each in listed)])
    document: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{inventory.uuid('cyclonedx')}",
        "version": 1,
        "metadata": {
            "timestamp": inventory.created,
            "tools": {"components": [{"type": "application", "name": "hardener", "version": __version__}]},
            "component": _image(inventory, root),
        },
        "components": [*listed, *components],
        "dependencies": [
            {"ref": root, "dependsOn": refs},
            *({"ref": ref, "dependsOn": list(graph.get(ref, ()))} for ref in refs),
        ],
        # Programs without a list of their parts, and files put there by hand, are in no database.
        "compositions": [{"aggregate": "incomplete" if inventory.notes else "unknown", "assemblies": [root]}],
    }
    return json.dumps(document, indent=2, ensure_ascii=True) + "\n"


def _image(inventory: Inventory, ref: str) -> dict[str, Any]:
    image = inventory.image
    reference = image.reference
    component: dict[str, Any] = {"type": "container", "bom-ref": ref, "name": inventory.name}
    if reference is not None and (reference.tag or reference.digest):
        component["version"] = reference.tag or reference.digest
    if inventory.purl:
        component["purl"] = inventory.purl
    platform = "/".join(part for part in (image.platform.os, image.platform.architecture, image.platform.variant) if part)
    properties = [("digest", inventory.digest), ("indexDigest", image.index_digest), ("platform", platform)]
    properties += [("layer", f"{layer.index} {layer.diff_id}") for layer in image.layers if inventory.digest]
    properties += [("notRead", note) for note in inventory.notes]
    component["properties"] = _properties(properties)
    return component


def _system(inventory: Inventory) -> dict[str, Any] | None:
    distribution = inventory.distribution
    if not distribution.id:
        return None
    component: dict[str, Any] = {"type": "operating-system", "bom-ref": f"os:{distribution.release}", "name": distribution.id}
    if distribution.version_id or distribution.codename:
        component["version"] = distribution.version_id or distribution.codename
    if distribution.name:
        component["description"] = distribution.name
    return component


def _component(package: Package, *, has_layers: bool) -> dict[str, Any]:
    purl = package.purl
    component: dict[str, Any] = {"type": "library", "bom-ref": purl}
    if package.supplier:
        component["supplier"] = {"name": package.supplier}
    component["name"] = package.name
    if package.version:
        component["version"] = package.version[:_LONGEST]
    hashes = [{"alg": _HASHES[algorithm], "content": digits} for algorithm, digits in package.hashes if algorithm in _HASHES]
    if hashes:
        component["hashes"] = hashes
    if package.licenses:
        component["licenses"] = _licenses(package.licenses)
    component["purl"] = purl
    component["evidence"] = {"occurrences": [{"location": shown(path)} for path in (package.path, *package.places)]}
    layer = package.layer
    properties = [("layer", f"{layer.index} {layer.diff_id}" if layer is not None and has_layers else "")]
    if package.source not in ("", package.name) or package.source_version not in ("", package.version):
        properties += [("sourceName", package.source), ("sourceVersion", package.source_version)]
    properties += [("holds", purl) for purl in package.holds]
    properties += [("note", note) for note in package.notes]
    component["properties"] = _properties(properties)
    return component


def _licenses(names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return them; the schema takes either one expression, or any number of single licences."""
    if len(names) == 1 and not spdx.is_listed(names[0]) and spdx.is_valid(names[0]):
        return [{"expression": names[0]}]
    return [{"license": {"id" if spdx.is_listed(name) else "name": name}} for name in names]


def _properties(found: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": f"hardener:{name}", "value": value} for name, value in found if value]
