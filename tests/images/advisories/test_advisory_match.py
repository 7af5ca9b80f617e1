"""What an image has against what a mirror says: each way to be wrong about it is a test."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from osv_mirror import Installed, Record, System, block, mirror, record, zipped

from hardener.finding import Severity
from hardener.images.advisories import database, ecosystems
from hardener.images.advisories.match import Matches, bases, match

DEBIAN = System("debian", "12")
GLIBC = Installed("deb", "libc6", "2.36-9+deb12u9", "glibc")
SEVERE: dict[str, Any] = {"severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]}


def matches(folder: Path, records: Iterable[Record], *packages: Installed, system: System = DEBIAN, owned: tuple[str, ...] = ()) -> Matches:
    zipped(folder / "all.zip", records)
    with database.open_database(str(folder), lambda _: True, "", tell=lambda _: None) as held:
        return match(packages, system, held, lambda path: "python3-x" if path in owned else "")


def rows(found: Matches) -> list[tuple[str, str, str, str]]:
    return [(each.id, each.name, each.installed, each.fixed) for each in found.vulnerabilities]


def debian(id_: str, name: str, *events: str, release: str = "Debian:12", **more: Any) -> Record:
    return record(id_, block(release, name, *events, **more), **SEVERE)


def test_a_binary_package_is_looked_up_by_its_source(tmp_path: Path) -> None:
    told = [debian("DSA-1", "glibc", "introduced 0", "fixed 2.36-9+deb12u10"), debian("DSA-2", "libc6", "introduced 0")]
    found = matches(tmp_path, told, GLIBC, Installed("deb", "libc-bin", "2.36-9+deb12u9", "glibc"))
    assert rows(found) == [("DSA-1", "glibc", "2.36-9+deb12u9", "2.36-9+deb12u10")]
    assert found.vulnerabilities[0].packages == (0, 1)


def test_the_version_of_the_source_counts(tmp_path: Path) -> None:
    rebuilt = Installed("deb", "libfoo1", "1:4.0-2+b1", "foo", "2.0-2")
    found = matches(tmp_path, [debian("DSA-1", "foo", "introduced 0", "fixed 2.0-3")], rebuilt)
    assert rows(found) == [("DSA-1", "foo", "2.0-2", "2.0-3")]


def test_an_epoch_is_no_decoration(tmp_path: Path) -> None:
    found = matches(tmp_path, [debian("DSA-1", "foo", "introduced 0", "fixed 9.0")], Installed("deb", "foo", "1:1.0-1"))
    assert rows(found) == []


def test_a_tilde_is_before_the_end(tmp_path: Path) -> None:
    found = matches(tmp_path, [debian("DSA-1", "foo", "introduced 0", "fixed 9.0")], Installed("deb", "foo", "9.0~rc1-1"))
    assert rows(found) == [("DSA-1", "foo", "9.0~rc1-1", "9.0")]


def test_withdrawn_records_do_not_count(tmp_path: Path) -> None:
    gone = debian("DSA-1", "glibc", "introduced 0") | {"withdrawn": "2026-01-01T00:00:00Z"}
    assert rows(matches(tmp_path, [gone], GLIBC)) == []


def test_fixed_in_0_is_not_affected(tmp_path: Path) -> None:
    told = record("CGA-1", block("Chainguard", "glibc", "introduced 0", "fixed 0"), aliases=["CVE-2024-0001"])
    found = matches(tmp_path, [told], Installed("apk", "glibc", "2.39-r1"), system=System("chainguard", "20230214"))
    assert (rows(found), found.undecided, found.scopes[0].state) == ([], (), "matched")


def test_other_releases_do_not_count(tmp_path: Path) -> None:
    told = [debian("DSA-1", "glibc", "introduced 0", release="Debian:11"), debian("DSA-2", "glibc", "introduced 0", release="Debian:1")]
    found = matches(tmp_path, told, GLIBC)
    assert rows(found) == []
    assert [(scope.state, scope.note) for scope in found.scopes] == [("no data", "the mirror has other releases only")]


def test_an_end_of_life_release_has_no_data_rather_than_no_vulnerabilities(tmp_path: Path) -> None:
    found = matches(
        tmp_path, [debian("DSA-1", "glibc", "introduced 0")], Installed("deb", "libc6", "2.19", "glibc"), system=System("debian", "8")
    )
    assert [(scope.label, scope.packages, scope.state) for scope in found.scopes] == [("Debian:8", 1, "no data")]


def test_a_distribution_without_advisories_is_said_to_have_none(tmp_path: Path) -> None:
    found = matches(tmp_path, [debian("DSA-1", "bash", "introduced 0")], Installed("rpm", "bash", "5.2-1"), system=System("fedora", "40"))
    assert [(scope.label, scope.state) for scope in found.scopes] == [("rpm of fedora 40", "not in OSV")]
    found = matches(tmp_path, [], Installed("deb", "bash", "5.2-1"), system=System(""))
    assert [(scope.label, scope.state) for scope in found.scopes] == [("deb of an unknown distribution", "not in OSV")]


def test_several_names_of_one_vulnerability_are_one(tmp_path: Path) -> None:
    told = [
        record("PYSEC-2024-1", block("PyPI", "jinja2", "introduced 0", "fixed 3.1.3"), aliases=["CVE-2024-22195"], **SEVERE),
        record("GHSA-h5c8", block("PyPI", "Jinja2", "introduced 0", "fixed 3.1.3"), aliases=["CVE-2024-22195"]),
        record("GHSA-h5c8-2", block("PyPI", "jinja2", "introduced 0", "fixed 3.1.4"), aliases=["PYSEC-2024-1"], summary="XSS"),
    ]
    found = matches(tmp_path, told, Installed("pypi", "Jinja2", "3.1.2"), system=System(""))
    (only,) = found.vulnerabilities
    assert (only.id, only.aliases) == ("CVE-2024-22195", ("GHSA-h5c8-2", "PYSEC-2024-1"))
    assert (only.fixed, only.severity, only.score, only.summary) == ("3.1.4", Severity.CRITICAL, 9.8, "XSS")


def test_an_advisory_on_several_is_another_name_of_each(tmp_path: Path) -> None:
    told = [
        debian("DSA-5678-1", "glibc", "introduced 0", "fixed 2.36-9+deb12u10") | {"upstream": ["CVE-2024-0001", "CVE-2024-0002"]},
        debian("DEBIAN-CVE-2024-0001", "glibc", "introduced 0", "fixed 2.36-9+deb12u10") | {"upstream": ["CVE-2024-0001"]},
        debian("DEBIAN-CVE-2024-0003", "glibc", "introduced 0") | {"upstream": ["CVE-2024-0003"]},
    ]
    found = matches(tmp_path, told, GLIBC)
    assert sorted((each.id, each.aliases) for each in found.vulnerabilities) == [
        ("CVE-2024-0001", ("DEBIAN-CVE-2024-0001", "DSA-5678-1")),
        ("CVE-2024-0002", ("DSA-5678-1",)),
        ("CVE-2024-0003", ("DEBIAN-CVE-2024-0003",)),
    ]


def test_what_the_distribution_calls_unimportant_is_shown_as_such(tmp_path: Path) -> None:
    told = [
        debian("DEBIAN-CVE-2010-4756", "glibc", "introduced 0", ecosystem_specific={"urgency": "unimportant"}),
        debian("DEBIAN-CVE-2024-0009", "glibc", "introduced 0", ecosystem_specific={"no-dsa": True}),
    ]
    found = matches(tmp_path, told, GLIBC)
    assert [(each.id, each.severity, each.remark) for each in found.vulnerabilities] == [
        ("CVE-2024-0009", Severity.CRITICAL, "the distribution gives no advisory of its own for it (no-dsa)"),
        ("CVE-2010-4756", Severity.INFO, "the distribution calls it unimportant"),
    ]


def test_what_the_distribution_brought_is_not_of_python(tmp_path: Path) -> None:
    path = "usr/lib/python3/dist-packages/PyYAML-6.0.egg-info"
    packages = (Installed("pypi", "PyYAML", "5.3", path=path), Installed("pypi", "PyYAML", "5.3", path="usr/local/lib/x/METADATA"))
    told = [record("PYSEC-1", block("PyPI", "pyyaml", "introduced 0", "fixed 5.4"))]
    found = matches(tmp_path, told, *packages, owned=(path,))
    assert [each.packages for each in found.vulnerabilities] == [(1,)]
    assert "1 packages of Python, npm or Go that the distribution brought" in found.notices[0]


def test_headers_of_the_kernel_are_not_the_kernel(tmp_path: Path) -> None:
    told = [debian("DEBIAN-CVE-2024-1111", "linux", "introduced 0")]
    headers = Installed("deb", "linux-libc-dev", "6.1.1-1", "linux")
    found = matches(tmp_path, told, headers)
    assert rows(found) == []
    assert found.notices == ("linux-libc-dev is only headers: 1 advisories on the kernel's own code are left out",)
    kernel = Installed("deb", "linux-image-amd64", "6.1.1-1", "linux")
    assert len(matches(tmp_path, told, headers, kernel).vulnerabilities) == 1


def test_what_cannot_be_decided_is_said(tmp_path: Path) -> None:
    told = [
        record("GHSA-1", block("PyPI", "x", "introduced 0", "fixed 1.0")),
        record("GHSA-2", block("PyPI", "x", "introduced 0", "fixed 5a1c0fe", kind="GIT")),
        record("GHSA-3", block("PyPI", "x", "introduced 0", "fixed deadbeef"), aliases=["CVE-2024-3333"]),
        record("GHSA-4", block("PyPI", "x", versions=["2.0"]), aliases=["CVE-2024-3333"]),
    ]
    found = matches(tmp_path, told, Installed("pypi", "x", "2.0"))
    assert rows(found) == [("CVE-2024-3333", "x", "2.0", "")]
    assert [(each.id, each.reason) for each in found.undecided] == [("GHSA-2", "the advisory tells of commits alone")]
    odd = matches(tmp_path, told, Installed("pypi", "x", "2.0-custom+!"))
    assert (odd.undecided[0].id, odd.undecided[0].reason) == ("CVE-2024-3333", "'2.0-custom+!' is no version that can be compared")
    assert len(odd.undecided) == 3


def test_modules_of_go(tmp_path: Path) -> None:
    told = [
        record(
            "GO-2023-1", block("Go", "stdlib", "introduced 0", "fixed 1.20.4", "introduced 1.21.0-0", "fixed 1.21.0-rc.3", kind="SEMVER")
        ),
        record("GO-2023-2", block("Go", "golang.org/x/net", "introduced 0", "fixed 0.17.0", kind="SEMVER")),
    ]
    packages = [
        *(Installed("golang", "stdlib", version) for version in ("go1.21rc2", "go1.21.0", "go1.19")),
        *(Installed("golang", "golang.org/x/net", version) for version in ("v0.16.0", "v0.17.0", "(devel)")),
    ]
    found = matches(tmp_path, told, *packages, system=System(""))
    assert rows(found) == [
        ("GO-2023-2", "golang.org/x/net", "v0.16.0", "0.17.0"),
        ("GO-2023-1", "stdlib", "go1.19", "1.20.4"),
        ("GO-2023-1", "stdlib", "go1.21rc2", "1.21.0-rc.3"),
    ]
    assert [each.installed for each in found.undecided] == ["(devel)"]


def test_rpm_is_looked_up_by_both_names_and_counted_once(tmp_path: Path) -> None:
    told = [
        record(
            "RLSA-1",
            block("Rocky Linux:9", "openssl", "introduced 0", "fixed 1:3.0.7-25.el9"),
            aliases=["CVE-2024-7777"],
            summary="Important: x",
        ),
        record("RLSA-2", block("Rocky Linux:9", "openssl-libs", "introduced 0", "fixed 1:3.0.7-25.el9"), aliases=["CVE-2024-7777"]),
    ]
    packages = [Installed("rpm", name, "1:3.0.7-24.el9", "openssl") for name in ("openssl-libs", "openssl")]
    found = matches(tmp_path, told, *packages, system=System("rocky", "9.3"))
    assert sorted(index for each in found.vulnerabilities for index in each.packages) == [0, 1]
    assert {each.id for each in found.vulnerabilities} == {"CVE-2024-7777"}


def test_fixes_for_subscribers_are_looked_at_when_there_is_nothing_else(tmp_path: Path) -> None:
    bash = Installed("deb", "bash", "4.3-14ubuntu1")
    paid = record("USN-2", block("Ubuntu:Pro:16.04:LTS", "bash", "introduced 0", "fixed 4.3-14ubuntu1.4+esm1"))
    found = matches(tmp_path, [paid], bash, system=System("ubuntu", "16.04"))
    assert [scope.note for scope in found.scopes] == ["the fixes come with a subscription"]
    assert [each.id for each in found.vulnerabilities] == ["USN-2"]
    free = record("USN-1", block("Ubuntu:16.04:LTS", "bash", "introduced 0", "fixed 4.3-14ubuntu1.4"))
    assert [each.id for each in matches(tmp_path, [paid, free], bash, system=System("ubuntu", "16.04")).vulnerabilities] == ["USN-1"]


@pytest.mark.parametrize(
    ("kind", "system", "ecosystem", "holds"),
    [
        ("deb", System("debian", "12"), "Debian:12", True),
        ("deb", System("debian", "12"), "Debian", True),
        ("deb", System("debian", "12"), "Debian:1", False),
        ("deb", System("ubuntu", "22.04"), "Ubuntu:22.04:LTS", True),
        ("deb", System("ubuntu", "23.10"), "Ubuntu:23.10", True),
        ("deb", System("ubuntu", "22.04"), "Ubuntu:Pro:22.04:LTS", False),
        ("apk", System("alpine", "3.20.3"), "Alpine:v3.20", True),
        ("apk", System("alpine", "3.20.3"), "Alpine:v3.2", False),
        ("apk", System("alpine", "3.21_alpha20240807"), "Alpine:edge", True),
        ("apk", System("wolfi", "20230201"), "Wolfi", True),
        ("rpm", System("almalinux", "9.4"), "AlmaLinux:9", True),
        ("rpm", System("rocky", "8.10"), "Rocky Linux:8", True),
        ("rpm", System("rhel", "9.4"), "Red Hat:enterprise_linux:9::baseos", True),
        ("rpm", System("rhel", "9.4"), "Red Hat:rhel_eus:9.4::appstream", True),
        ("rpm", System("rhel", "9.4"), "Red Hat:enterprise_linux:8::baseos", False),
        ("rpm", System("sles", "15.5"), "SUSE:Linux Enterprise Server 15 SP5", True),
        ("rpm", System("sles", "15.5"), "SUSE:Linux Enterprise Server 15 SP5-LTSS", True),
        ("rpm", System("sles", "15.5"), "SUSE:Linux Enterprise Server 15 SP6", False),
        ("rpm", System("opensuse-leap", "15.6"), "openSUSE:Leap 15.6", True),
        ("pypi", System("debian", "12"), "PyPI", True),
        ("npm", System("debian", "12"), "npm", True),
        ("golang", System("debian", "12"), "Go", True),
    ],
)
def test_ecosystems(kind: str, system: System, ecosystem: str, holds: bool) -> None:
    home = ecosystems.home(kind, system)
    assert home is not None
    assert home.holds(ecosystem) is holds
    assert ecosystems.is_known(home.base)


def test_only_the_ecosystems_of_the_image_are_worth_reading(tmp_path: Path) -> None:
    assert bases([GLIBC, Installed("pypi", "x", "1")], DEBIAN) == {"Debian", "PyPI"}
    assert bases([Installed("rpm", "x", "1")], System("fedora", "40")) == set()
    mirror(tmp_path, Debian=[], Rocky_Linux=[])
    assert [source.ecosystem for source in database.sources(str(tmp_path))] == ["Debian", "Rocky Linux"]
