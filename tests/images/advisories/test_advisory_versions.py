"""Versions are ordered as those order them who number them: dpkg, rpm and the libraries of Python, npm and Alpine are asked too."""

import shutil
import subprocess
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from packaging.version import InvalidVersion, Version
from univers.versions import AlpineLinuxVersion, SemverVersion

from hardener.images.advisories import versions
from hardener.images.advisories.versions import apk, dpkg, golang, pep440, rpm, semver

# Each line ascends.
ASCENDING = {
    "dpkg": (
        "1.0~~ 1.0~~a 1.0~ 1.0~rc1 1.0 1.0a 1.0+ 1.0+deb12u1 1.0+deb12u2 1.0.1 1.1 1.10 1:0.1 2:0",
        "2.36-9+deb12u9 2.36-9+deb12u10 2.36-10",
        "1-1~deb11u1 1-1 1-1+b1",
        "0.9.0-1 0.10.0-1",
    ),
    "apk": (
        "1.0_alpha 1.0_alpha1 1.0_beta 1.0_pre 1.0_rc1 1.0 1.0-r1 1.0-r10 1.0_git20240101 1.0_p1 1.0_p1-r1 1.0a 1.0.1 1.1 1.10 2",
        "1.001 1.01 1.05 1.1",
        "3.3.2-r0 3.3.2-r1 3.3.3-r0",
    ),
    "rpm": (
        "1.0~rc1 1.0 1.0^git1 1.0.1 1.1 1.10 1:0.1",
        "1.0-1.el8 1.0-2.el8 1.0-10.el8",
        "2.a 2.1 2.1a 2.1.0",
    ),
    "pep440": ("1.0.dev1 1.0a1 1.0b1 1.0rc1 1.0 1.0+local 1.0.post1 1.0.1 1.1 1.10 1!0.1",),
    "semver": ("1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 1.0.1 1.2 1.10.0 2",),
    "golang": (
        "v0.0.0-20190101000000-000000000000 v0.0.0-20200101000000-000000000000 v0.1.0 v0.1.1-0.20200101000000-abcdefabcdef v0.1.1",
        "go1.21rc2 go1.21 go1.21.1 1.21.2 go1.22.0",
    ),
}
EQUAL = {
    "dpkg": ("0:1.0 1.0", "1.0 1.0-0", "1.00 1.0"),
    "apk": ("1.2-r0 1.2-r0", "01 1"),
    "rpm": ("0:1.0 1.0", "1.0 1.0-5.el8", "1.0. 1.0", "1.0_1 1.0.1", "1.01 1.1"),
    "pep440": ("1.0 1", "1.0-1 1.0.post1", "v1 1.0"),
    "semver": ("1.0.0+a 1.0.0+b", "v1.0 1", "=1.0.0 1.0.0"),
    "golang": ("v1.2.3+incompatible 1.2.3", "go1.21 1.21.0", "go1.22.1 1.22.1"),
}
NO_VERSIONS = {
    "dpkg": ("", "a:1", "1:", "1.0_1", "1 0", "-1", "1-", "99999999999:1", "1.0\n", "1é", "１"),
    "apk": ("", "a1", "1.0_foo", "1..0", "1.0-1", "1.0-r", "1.0 ", "1.0_git20240101x", "9" * 19, "1.0\n", "１"),
    "rpm": ("", "a:1", "1:", "1.0-", "1 0", "-1", "1.0\n", "１"),
    "pep440": ("", "2004d-legacy", "1.0.x", "abc", "1 0", "1." + "9" * 5000),
    "semver": ("", "1.2.3.4", "01.2.3", "1.2.3-01", "1.2.3-", "1.2.3-a..b", "abc", "^1.2.3", "1.2.3\n", "１.0.0"),
    "golang": ("", "(devel)", "go1", "devel go1.23-abcdef", "v1.2.3.4", "master"),
}


def rows(table: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    return [(name, line) for name, lines in table.items() for line in lines]


@pytest.mark.parametrize(("name", "line"), rows(ASCENDING))
def test_ascending(name: str, line: str) -> None:
    words = line.split()
    compare = versions.comparison(name)
    for low, high in [(words[i], words[j]) for i in range(len(words)) for j in range(i + 1, len(words))]:
        assert (compare(low, high) or 0) < 0 < (compare(high, low) or 0), (low, high)


@pytest.mark.parametrize(("name", "line"), rows(EQUAL))
def test_equal(name: str, line: str) -> None:
    one, other = line.split()
    compare = versions.comparison(name)
    assert compare(one, other) == 0 == compare(other, one)


@pytest.mark.parametrize(("name", "text"), rows(NO_VERSIONS))
def test_what_is_no_version_is_not_guessed_at(name: str, text: str) -> None:
    compare = versions.comparison(name)
    assert compare(text, "1.0") is None
    assert compare("1.0", text) is None
    assert compare(text, text) is None


def test_every_module_is_in_the_table() -> None:
    import pkgutil

    assert {module.name for module in pkgutil.iter_modules(versions.__path__)} == set(versions.SCHEMES)


def sign(number: int | None) -> int | None:
    return None if number is None else (number > 0) - (number < 0)


def near(alphabet: str, pieces: tuple[str, ...]) -> st.SearchStrategy[str]:
    """Return texts that are mostly versions and often nearly the same."""
    return st.lists(st.sampled_from([*alphabet, *pieces]), min_size=1, max_size=6).map("".join)


DPKG = st.builds(
    lambda epoch, upstream, revision: f"{epoch}1{upstream}{revision}",
    st.sampled_from(["", "0:", "1:"]),
    near("0129az.+~", (".0", "~rc1", "+dfsg", "10")),
    st.sampled_from(["", "-1", "-0", "-1+deb12u1", "-1+deb12u10", "-1~bpo1", "-1ubuntu0.1"]),
)


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="needs dpkg")
@given(DPKG, DPKG)
@settings(max_examples=120, deadline=None)
def test_dpkg_agrees(one: str, other: str) -> None:
    ours = sign(dpkg.compare(one, other))
    word = {-1: "lt", 0: "eq", 1: "gt"}[ours] if ours is not None else "?"
    assert subprocess.run(["dpkg", "--compare-versions", one, word, other], check=False).returncode == 0


RPM = near("0129az._+~^", (".0", "~rc1", "^git1", "10", "el8"))


@pytest.mark.skipif(shutil.which("rpm") is None, reason="needs rpm")
@given(st.lists(st.tuples(RPM, RPM), min_size=40, max_size=60))
@settings(max_examples=8, deadline=None)
def test_rpm_agrees(pairs: list[tuple[str, str]]) -> None:
    calls = " ".join(f"print(rpm.vercmp('{one}', '{other}') .. ';')" for one, other in pairs)
    told = subprocess.run(["rpm", "--eval", f"%{{lua: {calls}}}"], check=True, capture_output=True, text=True).stdout
    assert [int(word) for word in told.replace(";", " ").split()] == [rpm.part(one, other) for one, other in pairs]


APK = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["0", "1", "2", "10"]),
    st.lists(st.sampled_from([".0", ".1", ".2", ".10"]), max_size=3).map("".join),
    st.sampled_from(["", "a", "b", "_alpha", "_alpha1", "_beta2", "_pre1", "_rc1", "_p1", "_p2"]),
    st.sampled_from(["", "-r0", "-r1", "-r10"]),
)


@given(APK, APK)
def test_apk_agrees_with_univers(one: str, other: str) -> None:
    left, right = AlpineLinuxVersion(one), AlpineLinuxVersion(other)
    assume(one.endswith(("-r0", "-r1", "-r10")) == other.endswith(("-r0", "-r1", "-r10")))  # to Gentoo, none is -r0
    assert sign(apk.compare(one, other)) == (left > right) - (left < right)


SEMVER = st.builds(
    "{}.{}.{}{}{}".format,
    st.integers(0, 2),
    st.integers(0, 11),
    st.integers(0, 2),
    st.sampled_from(["", "-alpha", "-alpha.1", "-alpha.10", "-alpha.beta", "-1", "-rc.1", "-0.3.7", "-x-y.z"]),
    st.sampled_from(["", "", "+build.1"]),
)


@given(SEMVER, SEMVER)
def test_semver_agrees_with_univers(one: str, other: str) -> None:
    one, other = one.partition("+")[0], other.partition("+")[0]  # univers has an order for builds, semver.org has not
    left, right = SemverVersion(one), SemverVersion(other)
    assert sign(semver.compare(one, other)) == (left > right) - (left < right)


PEP440 = near("0129.abrcdevpost+!-_", ("a1", "b2", "rc1", ".dev1", ".post1", "+local", "1!", ".0"))


@given(PEP440, PEP440)
def test_pep440_agrees_with_packaging(one: str, other: str) -> None:
    try:
        left, right = Version(one), Version(other)
    except InvalidVersion:
        assert pep440.compare(one, other) is None
    else:
        assert sign(pep440.compare(one, other)) == (left > right) - (left < right)


@given(st.sampled_from([*versions.SCHEMES]), st.data())
def test_an_order_is_an_order(name: str, data: st.DataObject) -> None:
    texts = data.draw(st.lists({"dpkg": DPKG, "rpm": RPM, "apk": APK, "pep440": PEP440}.get(name, SEMVER), min_size=3, max_size=3))
    compare = versions.comparison(name)
    for one, other in pairwise([*texts, texts[0]]):
        there, back = sign(compare(one, other)), sign(compare(other, one))
        assert there is None if back is None else there == -back
    a, b, c = texts
    releases = [name == "rpm" and "-" in text for text in texts]
    if compare(a, b) == -1 == compare(b, c) and not any(releases):
        assert compare(a, c) == -1


@given(st.sampled_from([*versions.SCHEMES]), st.text(max_size=30), st.text(max_size=30))
def test_any_text_is_ordered_or_refused(name: str, one: str, other: str) -> None:
    assert versions.comparison(name)(one, other) in (None, -1, 0, 1)


def test_go_says_what_its_own_versions_are_to_others() -> None:
    assert [golang.plain(text) for text in ("go1.21", "go1.21.3", "go1.21rc2", "v1.2.3")] == ["1.21.0", "1.21.3", "1.21.0-rc.2", "v1.2.3"]
