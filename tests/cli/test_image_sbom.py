"""`harden image sbom`, as a user sees it."""

import json
from pathlib import Path

import pytest
from cli_runner import Harden
from layouts import Layout, entry, tar

STATUS = b"Package: base\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n"


@pytest.fixture
def image(tmp_path: Path) -> str:
    made = Layout(tmp_path / "layout")
    made.add(made.image(tar(entry("var/lib/dpkg/status", STATUS), entry("var/lib/rpm/Packages.db", b"\x1b[31m"))), "v1")
    return f"oci:{made.path}:v1"


@pytest.mark.parametrize(("more", "key"), [((), "bomFormat"), (("--format", "spdx"), "spdxVersion")])
def test_it_goes_to_standard_output(harden: Harden, image: str, more: tuple[str, ...], key: str) -> None:
    result = harden("image", "sbom", image, *more)
    document = json.loads(result.out)
    assert result.code == 0
    assert key in document
    assert "base" in [each["name"] for each in document.get("components", document.get("packages"))]
    assert "var/lib/rpm/Packages.db is not read: it is an ndb of rpm" in result.err


def test_or_into_a_file(harden: Harden, image: str, tmp_path: Path) -> None:
    result = harden("image", "sbom", image, "-o", str(tmp_path / "bom.json"))
    assert (result.code, result.out) == (0, "")
    assert (tmp_path / "bom.json").read_text() == harden("image", "sbom", image).out


def test_the_time_of_the_build_counts(harden: Harden, image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert json.loads(harden("image", "sbom", image).out)["metadata"]["timestamp"] == "2023-11-14T22:13:20Z"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "tomorrow")
    result = harden("image", "sbom", image)
    assert (result.code, result.out) == (2, "")
    assert "SOURCE_DATE_EPOCH" in result.err


@pytest.mark.parametrize("words", [("oci:/nowhere",), ("oci:/nowhere", "--format", "xml")])
def test_what_cannot_be_read_is_an_error(harden: Harden, words: tuple[str, ...]) -> None:
    result = harden("image", "sbom", *words)
    assert (result.code, result.out) == (2, "")


@pytest.mark.parametrize(("name", "kind"), [("bom.json", "cyclonedx"), ("app.spdx.json", "spdx")])
def test_judging_writes_the_same_on_the_way(harden: Harden, image: str, tmp_path: Path, name: str, kind: str) -> None:
    result = harden("image", "lint", image, "--sbom", str(tmp_path / name), "--fail-on", "never")
    assert result.code == 0
    assert (tmp_path / name).read_text() == harden("image", "sbom", image, "--format", kind).out


def test_a_bill_is_of_one_image(harden: Harden, image: str) -> None:
    result = harden("image", "lint", image, image, "--sbom", "bom.json")
    assert result.code == 2
    assert "of one image" in result.err


def test_a_folder_is_known_by_what_is_in_it(harden: Harden, tmp_path: Path) -> None:
    documents = []
    for version in (b"1", b"2"):
        status = tmp_path / "root" / "var/lib/dpkg/status"
        status.parent.mkdir(parents=True, exist_ok=True)
        status.write_bytes(STATUS.replace(b": 1", b": " + version))
        documents.append(json.loads(harden("image", "sbom", "rootfs:root").out))
    assert documents[0]["serialNumber"] != documents[1]["serialNumber"]
    assert "0000" not in json.dumps(documents[0])
    assert harden("image", "sbom", "rootfs:root", "--format", "spdx").code == 0
