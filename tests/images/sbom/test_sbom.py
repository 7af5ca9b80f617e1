"""Bills of materials are valid, say what is there, and say the same whenever they are asked."""

import json
from pathlib import Path
from typing import Any

import go_programs
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from package_images import Scanned
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from hardener.errors import HardenError
from hardener.images import spdx
from hardener.images.packages.model import Package
from hardener.images.sbom import FORMATS, cyclonedx, writer
from hardener.images.sbom import spdx as spdx_writer
from hardener.images.sbom.inventory import Inventory, moment, needs
from hardener.oci.reference import split

APP = "srv/node_modules"
FILES: dict[str, bytes | str | None] = {
    "etc/os-release": 'ID=debian\nVERSION_ID="12"\nNAME="Debian GNU/Linux"\n',
    "var/lib/dpkg/status": (
        "Package: base\nStatus: install ok installed\nVersion: 1:1.0~rc1-1+b1\nArchitecture: amd64\nSource: source (1:1.0)\n"
        "Maintainer: Debian (Team) <a@b.org>\nProvides: virtual\n\n"
        "Package: user\nStatus: install ok installed\nVersion: 2\nArchitecture: all\nDepends: virtual, gone | base\nMaintainer: X\n\n"
    ),
    "var/lib/dpkg/info/base.md5sums": "0" * 32 + "  usr/lib/python3/dist-packages/held-1.egg-info\n",
    "usr/share/doc/base/copyright": "License: GPL-2+\n\nLicense: odd one, (c)\n\nLicense: Expat or GPL-2 with OpenSSL exception\n",
    "usr/share/doc/user/copyright": "License: GPL-2+ or MIT\n",
    "usr/lib/python3/dist-packages/held-1.egg-info": "Name: held\nVersion: 1\n",
    "usr/lib/py/One-1.dist-info/METADATA": "Name: One\nVersion: 1\nLicense-Expression: LicenseRef-Mine AND MIT\nRequires-Dist: t_w.o\n",
    "usr/lib/py/t-w-o.egg-info/PKG-INFO": "Name: T.W-o\nVersion: 1!2.0+local\nLicense: Ours \x07\n",
    f"{APP}/a/package.json": '{"name": "a", "version": "1.0.0", "dependencies": {"b": "1"}, "license": "(MIT OR CC0-1.0)"}',
    f"{APP}/a/node_modules/b/package.json": '{"name": "b", "version": "1.0.0", "dependencies": {"a": "1"}}',
    f"{APP}/b/package.json": '{"name": "b", "version": "2.0.0"}',
    "srv/package-lock.json": json.dumps(
        {"packages": {"node_modules/b": {"version": "2.0.0", "integrity": "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk="}}}
    ),
    "bin/app*": go_programs.new(),
    "var/lib/rpm/Packages": b"\0" * 20,
}


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Inventory:
    found = Scanned(tmp_path_factory.mktemp("image"), FILES)
    found.image.reference = split("registry.example.org/team/app:1.0")
    packages = found.packages
    return Inventory(found.image, found.scanner.distribution(found.view), packages, found.scanner.notes, moment(found.image, ""))


@pytest.fixture(scope="module")
def bom(inventory: Inventory) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(cyclonedx.write(inventory))
    return document


@pytest.fixture(scope="module")
def document(inventory: Inventory) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(spdx_writer.write(inventory))
    return made


def component(bom: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [each for each in bom["components"] if each["name"] == name]
    assert isinstance(found, dict)
    return found


def wrong_in_cyclonedx(text: str) -> object:
    """Return what keeps a document from being valid."""
    return JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)


def wrong_in_spdx(text: str, folder: Path) -> list[str]:
    """Return what keeps a document from being valid."""
    (folder / "bom.spdx.json").write_text(text)
    return [message.validation_message for message in validate_full_spdx_document(parse_file(str(folder / "bom.spdx.json")))]


def test_cyclonedx_keeps_to_its_schema(inventory: Inventory) -> None:
    assert wrong_in_cyclonedx(cyclonedx.write(inventory)) is None


def test_spdx_keeps_to_its_specification(inventory: Inventory, tmp_path: Path) -> None:
    assert wrong_in_spdx(spdx_writer.write(inventory), tmp_path) == []


def test_an_image_of_nothing_has_a_valid_bill(tmp_path: Path) -> None:
    found = Scanned(tmp_path, {})
    empty = Inventory(found.image, found.scanner.distribution(found.view), found.packages, (), moment(found.image, ""))
    assert wrong_in_cyclonedx(cyclonedx.write(empty)) is None
    assert wrong_in_spdx(spdx_writer.write(empty), tmp_path) == []


@pytest.mark.parametrize(
    "text", ["\x00", "\udcff", "a\nb", "é\u202e", "<a@b.c>", "(", "x" * 5000, "LicenseRef-a", "NONE", "DocumentRef-x:LicenseRef-y"]
)
def test_whatever_an_image_says_the_bill_is_valid(inventory: Inventory, tmp_path: Path, text: str) -> None:
    odd = Package("deb", text, text, inventory.image.layers[0], text, text, text, text, (text, "MIT"), text, notes=(text,))
    made = inventory._replace(packages=(odd, odd._replace(name="b", licenses=(text,))), notes=(text,))
    assert wrong_in_cyclonedx(cyclonedx.write(made)) is None
    assert wrong_in_spdx(spdx_writer.write(made), tmp_path) == []


def test_every_licence_of_our_list_may_stand_there(inventory: Inventory) -> None:
    """Ours may be older or newer than the list in the schema: then it has to be left out of ours, or written as an expression."""
    odd = tuple(Package("npm", f"a{at}", "1", None, "x", licenses=(name,)) for at, name in enumerate(spdx.listed()))
    assert wrong_in_cyclonedx(cyclonedx.write(inventory._replace(packages=odd))) is None


def test_the_image_is_the_root(bom: dict[str, Any], inventory: Inventory) -> None:
    root = bom["metadata"]["component"]
    assert (root["type"], root["name"], root["version"]) == ("container", "registry.example.org/team/app", "1.0")
    assert root["purl"].startswith(f"pkg:oci/app@{inventory.image.digest}?arch=amd64&repository_url=registry.example.org/team/app&tag=1.0")
    (depends,) = [each["dependsOn"] for each in bom["dependencies"] if each["ref"] == root["bom-ref"]]
    assert depends == sorted(each["bom-ref"] for each in bom["components"])
    assert {"name": "hardener:digest", "value": inventory.image.digest} in root["properties"]
    assert bom["components"][0]["type"] == "operating-system"


def test_what_is_said_of_a_package(bom: dict[str, Any], inventory: Inventory) -> None:
    base = component(bom, "base")
    assert base["version"] == "1:1.0~rc1-1+b1"
    assert base["purl"] == base["bom-ref"] == "pkg:deb/debian/base@1:1.0~rc1-1%2Bb1?arch=amd64&distro=debian-12&upstream=source%401:1.0"
    assert base["supplier"] == {"name": "Debian (Team) <a@b.org>"}
    assert base["licenses"] == [
        {"license": {"id": "GPL-2.0-or-later"}},
        {"license": {"name": "odd one, (c)"}},
        {"license": {"name": "Expat or GPL-2 with OpenSSL exception"}},
    ]
    assert base["evidence"] == {"occurrences": [{"location": "var/lib/dpkg/status"}]}
    properties = {each["name"]: each["value"] for each in base["properties"]}
    assert properties == {
        "hardener:layer": f"0 {inventory.image.layers[0].diff_id}",
        "hardener:sourceName": "source",
        "hardener:sourceVersion": "1:1.0",
        "hardener:holds": "pkg:pypi/held@1",
    }
    assert component(bom, "user")["licenses"] == [{"expression": "GPL-2.0-or-later OR MIT"}]
    assert "held" not in [each["name"] for each in bom["components"]]
    (b,) = [each for each in bom["components"] if each.get("purl") == "pkg:npm/b@2.0.0"]
    assert b["hashes"] == [{"alg": "SHA-1", "content": "da39a3ee5e6b4b0d3255bfef95601890afd80709"}]


def test_what_needs_what(inventory: Inventory) -> None:
    found = {purl.split("?")[0]: [other.split("?")[0] for other in others] for purl, others in needs(inventory.packages).items()}
    assert found["pkg:deb/debian/user@2"] == ["pkg:deb/debian/base@1:1.0~rc1-1%2Bb1"]
    assert found["pkg:pypi/one@1"] == ["pkg:pypi/t.w-o@1%212.0%2Blocal"]
    assert found["pkg:npm/a@1.0.0"] == ["pkg:npm/b@1.0.0"]
    assert found["pkg:npm/b@1.0.0"] == ["pkg:npm/a@1.0.0"]
    assert "pkg:golang/github.com/moby/moby@v25.0.0" in found["pkg:golang/example.org/app@v1.2.3"]


def test_what_was_not_read_is_said(bom: dict[str, Any], document: dict[str, Any]) -> None:
    assert bom["compositions"][0]["aggregate"] == "incomplete"
    (note,) = [each["value"] for each in bom["metadata"]["component"]["properties"] if each["name"] == "hardener:notRead"]
    assert note.startswith("var/lib/rpm/Packages is not read")
    assert note in document["comment"]


def test_what_spdx_says_of_a_package(document: dict[str, Any]) -> None:
    packages = {each["name"]: each for each in document["packages"]}
    base = packages["base"]
    assert base["supplier"] == "Organization: Debian [Team] <a@b.org>"
    declared = base["licenseDeclared"].split(" AND ")
    assert (declared[0], declared[1].rpartition("-")[0]) == ("GPL-2.0-or-later", "LicenseRef-odd-one-c")
    assert {each["licenseId"]: each["extractedText"] for each in document["hasExtractedLicensingInfos"]}[declared[1]] == "odd one, (c)"
    assert base["sourceInfo"].startswith("named in var/lib/dpkg/status of layer sha256:")
    assert base["sourceInfo"].endswith("; built from source 1:1.0")
    assert packages["user"]["licenseDeclared"] == "GPL-2.0-or-later OR MIT"
    assert packages["a"]["licenseDeclared"] == "MIT OR CC0-1.0" or packages["a"]["licenseDeclared"] == "(MIT OR CC0-1.0)"
    relations = {(each["spdxElementId"], each["relationshipType"], each["relatedSpdxElement"]) for each in document["relationships"]}
    assert ("SPDXRef-Image", "CONTAINS", base["SPDXID"]) in relations
    assert (packages["user"]["SPDXID"], "DEPENDS_ON", base["SPDXID"]) in relations
    assert packages["registry.example.org/team/app"]["primaryPackagePurpose"] == "CONTAINER"


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_image_gives_the_same_bytes(tmp_path: Path, name: str) -> None:
    made = []
    for turn in "12":
        found = Scanned(tmp_path / turn, FILES)
        found.image.name = "app"
        packages = found.packages
        inventory = Inventory(found.image, found.scanner.distribution(found.view), packages, found.scanner.notes, moment(found.image, "1"))
        made.append(writer(name).write(inventory))
    assert made[0] == made[1]
    assert "1970-01-01T00:00:01Z" in made[0]
    assert str(tmp_path) not in made[0]


@pytest.mark.parametrize(
    ("created", "epoch", "shown"),
    [
        (None, "", "1970-01-01T00:00:00Z"),
        ("2024-05-01T12:00:00.123456789Z", "", "2024-05-01T12:00:00Z"),
        ("yesterday", "", "1970-01-01T00:00:00Z"),
        ("2024-05-01T12:00:00Z", "1700000000", "2023-11-14T22:13:20Z"),
        (None, "253402300799", "9999-12-31T23:59:59Z"),
    ],
)
def test_the_time_is_that_of_the_image(inventory: Inventory, created: str | None, epoch: str, shown: str) -> None:
    before = inventory.image.config.created
    inventory.image.config.created = created
    try:
        assert moment(inventory.image, epoch) == shown
    finally:
        inventory.image.config.created = before


@pytest.mark.parametrize("epoch", ["now", "-1", "1.5", "253402300800", "9" * 400, "²"])
def test_a_time_that_is_none(inventory: Inventory, epoch: str) -> None:
    with pytest.raises(HardenError, match="is no time"):
        moment(inventory.image, epoch)
