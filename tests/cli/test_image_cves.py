"""`harden image cves` from outside: an image, a mirror, and what is said of the two."""

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cli_runner import Harden
from layouts import OCI, Layout, entry, tar
from osv_mirror import Record, block, mirror, record

STATUS = """Package: libc6
Status: install ok installed
Architecture: amd64
Source: glibc
Version: 2.36-9+deb12u9

Package: openssl
Status: install ok installed
Architecture: amd64
Version: 3.0.11-1~deb12u1

"""
RELEASE = 'ID=debian\nVERSION_ID="12"\nNAME="Debian GNU/Linux"\n'
METADATA = b"Metadata-Version: 2.1\nName: Jinja2\nVersion: 3.1.2\n"
CRITICAL: dict[str, Any] = {"severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]}
LOW: dict[str, Any] = {"severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N"}]}
PARTS = json.dumps({
    "@context": "openvex",
    "statements": [{"status": "fixed", "vulnerability": "X", "products": [{"@id": "IMAGE", "subcomponents": [1]}]}],
})  # fmt: skip
SCHEMA = Path(__file__).parent.parent / "fixtures" / "sarif" / "sarif-schema-2.1.0.json"

DEBIAN = (
    record(
        "DSA-5678-1",
        block("Debian:12", "glibc", "introduced 0", "fixed 2.36-9+deb12u10"),
        upstream=["CVE-2024-2961", "CVE-2024-33599"],
        summary="glibc - security update",
        modified="2026-11-23T00:00:00Z",
    ),
    record(
        "DEBIAN-CVE-2024-2961", block("Debian:12", "glibc", "introduced 0", "fixed 2.36-9+deb12u10"), upstream=["CVE-2024-2961"], **CRITICAL
    ),
    record(
        "DEBIAN-CVE-2023-5363", block("Debian:12", "openssl", "introduced 0"), upstream=["CVE-2023-5363"], summary="a key is short", **LOW
    ),
)
PYPI = (
    record(
        "GHSA-h5c8", block("PyPI", "jinja2", "introduced 0", "fixed 3.1.3"), aliases=["CVE-2024-22195"], modified="2026-11-23T00:00:00Z"
    ),
)


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hardener.cli.terminal.today", lambda: "2026-11-24")


@pytest.fixture
def image(tmp_path: Path) -> str:
    return build(tmp_path / "image")


def build(path: Path, status: str = STATUS, release: str = RELEASE) -> str:
    """Write an image of two layers, the second with a Python package; return its name."""
    base = tar(entry("var/lib/dpkg/status", status.encode()), entry("etc/os-release", release.encode()))
    layers = (base, tar(entry("usr/local/lib/python3.11/site-packages/jinja2-3.1.2.dist-info/METADATA", METADATA)))
    layout = Layout(path)
    described = {
        "os": "linux",
        "architecture": "amd64",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]},
        "history": [
            {"created_by": "/bin/sh -c #(nop) ADD file:1 in / "},
            {"created_by": '/bin/sh -c #(nop)  CMD ["bash"]', "empty_layer": True},
            {"created_by": "RUN /bin/sh -c pip install jinja2 # buildkit"},
        ],
    }
    manifest = {
        "schemaVersion": 2,
        "config": layout.document(described, f"{OCI}.config.v1+json"),
        "layers": [layout.blob(gzip.compress(layer, mtime=0), f"{OCI}.layer.v1.tar+gzip") for layer in layers],
    }
    layout.add(layout.document(manifest, f"{OCI}.manifest.v1+json"), "v1")
    return f"oci:{path}:v1"


@pytest.fixture
def db(tmp_path: Path) -> str:
    return str(mirror(tmp_path / "db", Debian=DEBIAN, PyPI=PYPI))


def told(harden: Harden, *words: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(harden("image", "cves", *words, "--format", "json").out)
    return value


def test_the_table(harden: Harden, image: str, db: str) -> None:
    result = harden("image", "cves", "--db", db, image)
    assert result.code == 1
    assert result.out.replace(image, "IMAGE") == (
        "SEVERITY  PACKAGE        INSTALLED         FIXED IN         ID              LAYER\n"
        "critical  glibc (libc6)  2.36-9+deb12u9    2.36-9+deb12u10  CVE-2024-2961   1 ADD file:1 in /\n"
        "          9.8 · glibc - security update · DEBIAN-CVE-2024-2961, DSA-5678-1\n"
        "unknown   glibc (libc6)  2.36-9+deb12u9    2.36-9+deb12u10  CVE-2024-33599  1 ADD file:1 in /\n"
        "          glibc - security update · DSA-5678-1\n"
        "unknown   jinja2         3.1.2             3.1.3            CVE-2024-22195  2 RUN pip install jinja2\n"
        "          GHSA-h5c8\n"
        "low       openssl        3.0.11-1~deb12u1  -                CVE-2023-5363   1 ADD file:1 in /\n"
        "          3.1 · a key is short · DEBIAN-CVE-2023-5363\n"
        "\n"
        "Known of:\n"
        "  Debian:12: 2 packages, 3 advisories, the latest of 2026-11-23\n"
        "  PyPI: 1 package, 1 advisory, the latest of 2026-11-23\n"
        "\n"
        "IMAGE: 4 vulnerabilities: 1 critical, 1 low, 2 unknown\n"
    )


def test_json(harden: Harden, image: str, db: str) -> None:
    value = told(harden, "--db", db, image)
    first = value["vulnerabilities"][0]
    assert (first["id"], first["aliases"], first["severity"], first["score"]) == (
        *("CVE-2024-2961", ["DEBIAN-CVE-2024-2961", "DSA-5678-1"], "critical", "9.8"),
    )
    assert (first["package"], first["installed"], first["fixed"]) == ("glibc", "2.36-9+deb12u9", "2.36-9+deb12u10")
    (package,) = first["packages"]
    assert (package["name"], package["path"], package["layer"], package["instruction"]) == (
        "libc6",
        "var/lib/dpkg/status",
        1,
        "ADD file:1 in /",
    )
    assert package["purl"].startswith("pkg:deb/debian/libc6@2.36-9%2Bdeb12u9")
    assert value["image"]["distribution"] == "debian 12"
    assert [(each["name"], each["records"], each["newest"]) for each in value["ecosystems"]] == [
        ("Debian:12", 3, "2026-11-23T00:00:00Z"),
        ("PyPI", 1, "2026-11-23T00:00:00Z"),
    ]
    assert value["summary"] == {
        "vulnerabilities": 4,
        "by_severity": {"critical": 1, "high": 0, "medium": 0, "low": 1, "info": 0, "unknown": 2},
        "undecided": 0,
        "ignored": 0,
        "unfixed_left_out": 0,
        "failing": 3,
    }


def test_sarif_stands_in_the_history(harden: Harden, image: str, db: str, tmp_path: Path) -> None:
    ignore = tmp_path / "ignore"
    ignore.write_text("CVE-2023-5363  # no TLS\n")
    result = harden("image", "cves", "--db", db, image, "--format", "sarif", "--ignore-file", str(ignore))
    log = json.loads(result.out)
    jsonschema.validate(log, json.loads(SCHEMA.read_text()))
    (run,) = log["runs"]
    assert run["automationDetails"] == {"id": "hardener/cves/"}
    places = {each["ruleId"]: each["locations"][0]["physicalLocation"]["region"] for each in run["results"]}
    assert places["CVE-2024-22195"]["snippet"]["text"] == "RUN pip install jinja2"
    assert places["CVE-2024-2961"]["startLine"] == 1
    assert [(each["ruleId"], each["suppressions"][0]["justification"]) for each in run["results"] if each["suppressions"]] == [
        ("CVE-2023-5363", "no TLS")
    ]
    assert run["invocations"][0]["executionSuccessful"] is True


def test_sarif_stands_in_the_dockerfile(harden: Harden, image: str, db: str, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text('FROM debian:12\nCMD ["bash"]\nRUN pip install jinja2\n')
    log = json.loads(harden("image", "cves", "--db", db, image, "--format", "sarif", "--dockerfile", "Dockerfile").out)
    jsonschema.validate(log, json.loads(SCHEMA.read_text()))
    places = {each["ruleId"]: each["locations"][0]["physicalLocation"] for each in log["runs"][0]["results"]}
    found = {name: (place["artifactLocation"]["uri"], place["region"]["snippet"]["text"]) for name, place in places.items()}
    assert found["CVE-2024-22195"] == ("Dockerfile", "RUN pip install jinja2")
    assert found["CVE-2024-2961"] == ("Dockerfile", "debian:12")
    result = harden("image", "cves", "--db", db, image, "--format", "sarif", "--dockerfile", "missing")
    assert (result.code, "this file cannot be judged" in result.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "code"),
    [((), 1), (("--fail-on", "critical"), 1), (("--fail-on", "never"), 0), (("--fail-on", "low", "--ignore-unfixed"), 1)],
)
def test_the_exit_code_is_the_gate(harden: Harden, image: str, db: str, words: tuple[str, ...], code: int) -> None:
    for name in ("table", "json", "sarif"):
        assert harden("image", "cves", "--db", db, image, *words, "--format", name).code == code


def test_what_nobody_has_graded_counts_as_medium(harden: Harden, image: str, tmp_path: Path) -> None:
    place = str(mirror(tmp_path / "d", Debian=[record("DSA-0", block("Debian:12", "bash"))], PyPI=PYPI))
    assert harden("image", "cves", "--db", place, image).code == 1
    assert harden("image", "cves", "--db", place, image, "--fail-on", "high").code == 0


def test_ecosystems_without_data_are_no_clean_bill(harden: Harden, image: str, tmp_path: Path) -> None:
    place = str(mirror(tmp_path / "d", Debian=[record("DSA-0", block("Debian:11", "bash", "introduced 0"))]))
    result = harden("image", "cves", "--db", place, image)
    assert result.code == 2
    assert "Debian:12: 2 packages, and NO DATA in the mirror (the mirror has other releases only)" in result.out
    assert "0 vulnerabilities; 2 of 2 ecosystems WITHOUT DATA" in result.out
    assert "the image cannot be judged as a whole: nothing is known of Debian:12: no data; nothing is known of PyPI: no data" in result.err
    assert harden("image", "cves", "--db", place, image, "--partial").code == 0


def test_a_distribution_that_publishes_nothing(harden: Harden, tmp_path: Path, db: str) -> None:
    odd = build(tmp_path / "odd", release="ID=kali\n")
    result = harden("image", "cves", "--db", db, odd)
    assert result.code == 2
    assert "deb of kali: 2 packages, and nobody publishes OSV advisories for it" in result.out


def test_what_cannot_be_decided_is_listed(harden: Harden, image: str, tmp_path: Path) -> None:
    odd = [record(f"GHSA-{number}", block("PyPI", "jinja2", "introduced 0", "fixed c0ffee")) for number in range(5)]
    place = str(mirror(tmp_path / "d", Debian=DEBIAN, PyPI=odd))
    result = harden("image", "cves", "--db", place, image, "--fail-on", "never")
    assert "  jinja2 3.1.2: GHSA-0, GHSA-1, GHSA-2 and 2 more: 'c0ffee' is no version that can be compared\n" in result.out
    assert "5 cannot be decided" in result.out
    assert len(told(harden, "--db", place, image)["undecided"]) == 5


def test_an_old_mirror_is_said_to_be_old(harden: Harden, image: str, tmp_path: Path) -> None:
    old = [each | {"modified": "2026-01-01T00:00:00Z"} for each in PYPI]
    undated = [each | {"modified": "yesterday"} for each in DEBIAN]
    out = harden("image", "cves", "--db", str(mirror(tmp_path / "d", Debian=undated, PyPI=old)), image).out
    assert "note: the advisories for PyPI are 327 days old: renew the mirror\n" in out
    assert "note: the advisories for Debian:12 do not say how old they are\n" in out


def test_what_is_accepted(harden: Harden, image: str, db: str, tmp_path: Path) -> None:
    ignore = tmp_path / "ignore.txt"
    ignore.write_text(
        "# ours\nDSA-5678-1 glibc # behind a wall\nCVE-2023-5363 libc6\nGHSA-h5c8 expires=2026-11-24\n"
        "CVE-2023-5363 expires=2026-11-23 # soon\n"
    )
    result = harden("image", "cves", "--db", db, image, "--ignore-file", str(ignore))
    assert result.code == 0
    assert f"  CVE-2024-2961 glibc: behind a wall ({ignore}:2)\n" in result.out
    assert f"  CVE-2024-22195 jinja2: no reason given ({ignore}:4)\n" in result.out
    assert f"note: {ignore}:5: what was accepted of CVE-2023-5363 has expired on 2026-11-23\n" in result.out
    assert f"note: {ignore}:3: CVE-2023-5363 is not found\n" in result.out
    assert result.out.endswith("1 vulnerability: 1 low; 3 accepted\n")


def vex(path: Path, *statements: dict[str, Any]) -> str:
    path.write_text(json.dumps({"@context": "https://openvex.dev/ns/v0.2.0", "statements": statements}))
    return str(path)


def test_vex(harden: Harden, image: str, db: str, tmp_path: Path) -> None:
    digest = told(harden, "--db", db, image)["image"]["digest"]
    document = vex(
        tmp_path / "vex.json",
        {
            "vulnerability": {"name": "CVE-2024-22195"},
            "status": "not_affected",
            "justification": "vulnerable_code_not_present",
            "products": [{"@id": f"pkg:oci/app@{digest.replace(':', '%3A')}", "subcomponents": [{"@id": "pkg:pypi/jinja2"}]}],
        },
        {"vulnerability": "CVE-2024-2961", "status": "fixed", "products": [{"@id": "pkg:deb/debian/libc6@2.36-9%2Bdeb12u9"}]},
        {"vulnerability": "CVE-2024-33599", "status": "under_investigation", "products": [digest]},
        {
            "vulnerability": "CVE-2023-5363",
            "status": "not_affected",
            "products": [{"@id": "pkg:oci/other@sha256%3A00"}, {"@id": "pkg:deb/debian/bash"}],
        },
        {"vulnerability": "CVE-2023-5363", "status": "not_affected"},
    )
    value = told(harden, "--db", db, image, "--vex", document)
    assert [(each["id"], each["reason"]) for each in value["ignored"]] == [
        ("CVE-2024-2961", "VEX: fixed"),
        ("CVE-2024-22195", "VEX: not_affected, vulnerable_code_not_present"),
    ]
    assert [each["id"] for each in value["vulnerabilities"]] == ["CVE-2024-33599", "CVE-2023-5363"]


@pytest.mark.parametrize(
    ("product", "counts"),
    [
        ("pkg:pypi/jinja2", True),
        ("pkg:pypi/jinja2@3.1.2", True),
        ("pkg:pypi/jinja2@3.1.3", False),
        ("pkg:pypi/jinja", False),
        ("jinja2", True),
        ("pkg:pypi/jinja2?arch=amd64", False),
        ("pkg:oci/app?repository_url=docker.io%2Flibrary%2Fapp", False),
        ("pkg:oci/app", False),
        ("IMAGE", True),
        ({"@id": "IMAGE", "subcomponents": [{"@id": "pkg:pypi/flask"}]}, False),
        ({"@id": "IMAGE", "subcomponents": [{"@id": "pkg:pypi/flask"}, "pkg:pypi/jinja2"]}, True),
        ({"@id": ""}, False),
    ],
)
def test_a_statement_is_about_the_products_that_it_names(
    harden: Harden, image: str, db: str, tmp_path: Path, product: Any, counts: bool
) -> None:
    product = json.loads(json.dumps(product).replace("IMAGE", image))
    statement = {"vulnerability": {"name": "X", "aliases": ["CVE-2024-22195"]}, "status": "not_affected", "products": [product]}
    value = told(harden, "--db", db, image, "--vex", vex(tmp_path / "vex.json", statement))
    assert [each["id"] for each in value["ignored"]] == (["CVE-2024-22195"] if counts else [])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("--vex", PARTS, "no @id"),
        ("--ignore-file", "CVE-1 a b", "a line is ID"),
        ("--ignore-file", "CVE-1 when=never", "a line is ID"),
        ("--ignore-file", "CVE-1 expires=soon", "is no date"),
        ("--ignore-file", b"\xff", "no UTF-8"),
        ("--vex", "{", "no JSON"),
        ("--vex", "[" * 100_000, "no JSON"),
        ("--vex", "{}", "no OpenVEX"),
        ("--vex", '{"@context": "https://openvex.dev/ns", "statements": [1]}', "no object"),
        ("--vex", '{"@context": "https://openvex.dev/ns", "statements": [{"status": "fine"}]}', "unknown status"),
        ("--vex", '{"@context": "https://openvex.dev/ns", "statements": [{"status": "fixed"}]}', "what vulnerability"),
        (
            "--vex",
            '{"@context": "openvex", "statements": [{"status": "fixed", "vulnerability": "X", "products": 3}]}',
            "products is no list",
        ),
    ],
)
def test_bad_exceptions_are_errors(
    harden: Harden, image: str, db: str, tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    path = tmp_path / "bad"
    path.write_bytes(content if isinstance(content, bytes) else content.replace("IMAGE", image).encode())
    result = harden("image", "cves", "--db", db, image, name, str(path))
    assert result.code == 2
    assert message in result.err
    assert harden("image", "cves", "--db", db, image, name, str(tmp_path / "missing")).code == 2


def test_an_index_is_written_and_taken(harden: Harden, image: str, db: str, tmp_path: Path) -> None:
    target = str(tmp_path / "advisories.sqlite")
    first = harden("image", "cves", "--db", db, image, "--write-index", target)
    second = harden("image", "cves", "--db", target, image)
    assert (first.code, first.out) == (second.code, second.out)


def test_a_mirror_that_is_none(harden: Harden, image: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = harden("image", "cves", "--db", str(tmp_path / "empty"), image)
    assert result.code == 2
    assert "there are no advisories in this folder" in result.err
    assert harden("image", "cves", image).code == 2


def test_what_a_mirror_says_drives_no_terminal(harden: Harden, image: str, tmp_path: Path) -> None:
    evil: Record = record(
        "GHSA-\x1b[31m",
        block("PyPI", "jinja2", "introduced 0", "fixed 3.1.3\x1b]0;x\x07"),
        summary="a\x1b[2J\nb\u202e",
        aliases=["CVE-2024-1\r2"],
    )
    place = str(mirror(tmp_path / "d", Debian=DEBIAN, PyPI=[evil, *PYPI]))
    for name in ("table", "json", "sarif"):
        out = harden("image", "cves", "--db", place, image, "--format", name).out
        assert not {"\x1b", "\x07", "\r", "\u202e"} & set(out)


def test_the_report_goes_to_a_file(harden: Harden, image: str, db: str, tmp_path: Path) -> None:
    result = harden("image", "cves", "--db", db, image, "--format", "json", "--output", str(tmp_path / "out.json"))
    assert (result.code, result.out) == (1, "")
    assert json.loads((tmp_path / "out.json").read_text())["summary"]["failing"] == 3
