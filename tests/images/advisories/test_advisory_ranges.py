"""Ranges say what their enumeration would; what cannot be compared is never clear."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from osv_mirror import block, record

from hardener.images.advisories import osv, ranges


def judge(version: str, scheme: str, *blocks: dict[str, object]) -> ranges.Answer:
    return ranges.judge(osv.advisory(record("X-1", *blocks)).affected, version, scheme)


@pytest.mark.parametrize(
    ("version", "events", "state", "fixed"),
    [
        ("1.0", "introduced 0, fixed 1.1", "affected", "1.1"),
        ("1.1", "introduced 0, fixed 1.1", "clear", ""),
        ("1:1.0", "introduced 0, fixed 1.1", "clear", ""),
        ("1.0", "introduced 0, fixed 1:0.1", "affected", "1:0.1"),
        ("1.1~rc1", "introduced 0, fixed 1.1", "affected", "1.1"),
        ("2.36-9+deb12u3", "introduced 0, fixed 2.36-9+deb12u10", "affected", "2.36-9+deb12u10"),
        ("2.36-9+deb12u10", "introduced 0, fixed 2.36-9+deb12u10", "clear", ""),
        ("1.0", "introduced 0, fixed 0", "clear", ""),
        ("1.0", "fixed 0, introduced 0", "clear", ""),
        ("1.0", "introduced 0", "affected", ""),
        ("1.0", "introduced 0, last_affected 1.0", "affected", ""),
        ("1.0-1", "introduced 0, last_affected 1.0", "clear", ""),
        ("0.9", "introduced 1.0", "clear", ""),
        ("2.5", "introduced 1, fixed 2, introduced 2.4, fixed 3", "affected", "3"),
        ("2.1", "introduced 1, fixed 2, introduced 2.4, fixed 3", "clear", ""),
        ("2", "introduced 1, fixed 2, introduced 2, fixed 3", "affected", "3"),
        ("2.5", "fixed 3, introduced 2.4, fixed 2, introduced 1", "affected", "3"),
        ("1.0", "introduced 0, limit 1.0", "clear", ""),
        ("0.9", "introduced 0, limit 1.0", "affected", ""),
        ("0.9", "introduced 0, limit *", "affected", ""),
        ("1 0", "introduced 0, fixed 1.1", "unknown", ""),
        ("1.0", "introduced 0, fixed a:b", "unknown", ""),
        ("1.0", "introduced 0, limit a:b", "unknown", ""),
    ],
)
def test_walks(version: str, events: str, state: str, fixed: str) -> None:
    answer = judge(version, "dpkg", block("Debian:12", "x", *events.split(", ")))
    assert (answer.state, answer.fixed, bool(answer.reason)) == (state, fixed, state == "unknown")


def test_listed_versions_count_beside_ranges() -> None:
    told = block("PyPI", "x", "introduced 2", "fixed 3", versions=["1.0", "2004d"])
    assert [judge(version, "pep440", told).state for version in ("1", "1.0.0", "1.1", "2.1", "3", "2004d", "2004e")] == [
        *("affected", "affected", "clear", "affected", "clear", "affected", "unknown")
    ]


def test_several_blocks_and_ranges_are_one_question() -> None:
    both = (
        block("npm", "x", "introduced 1.0.0", "fixed 1.5.0", kind="SEMVER"),
        block("npm", "x", "introduced 2.0.0", "fixed 2.3.0", kind="SEMVER"),
    )
    assert [judge(version, "semver", *both)[:2] for version in ("1.2.0", "1.6.0", "2.0.0", "2.3.0")] == [
        *(("affected", "1.5.0"), ("clear", ""), ("affected", "2.3.0"), ("clear", ""))
    ]


def test_a_fix_mends_what_every_block_says() -> None:
    blocks = (block("npm", "x", "introduced 0", "fixed 1.5.0"), block("npm", "x", "introduced 0", "fixed 1.10.0"))
    assert judge("1.0.0", "semver", *blocks).fixed == "1.10.0"


def test_commits_alone_decide_nothing() -> None:
    answer = judge("1.0", "dpkg", block("Debian:12", "x", "introduced 0", "fixed 5a1c", kind="GIT"))
    assert answer == ranges.Answer("unknown", reason="the advisory tells of commits alone")
    assert judge("1.0", "dpkg", block("Debian:12", "x")).state == "unknown"
    assert judge("1.0", "dpkg", block("Debian:12", "x", "introduced 0", kind="GIT", versions=["1.1"])).state == "clear"


VERSIONS = [f"{major}.{minor}.{patch}" for major in range(3) for minor in range(4) for patch in range(3)]


@given(st.lists(st.sampled_from(VERSIONS), min_size=1, max_size=6, unique=True), st.booleans())
def test_a_range_says_what_its_enumeration_would(bounds: list[str], backwards: bool) -> None:
    order = {version: place for place, version in enumerate(VERSIONS)}
    bounds.sort(key=order.__getitem__)
    pairs = list(zip(bounds[::2], [*bounds[1::2], ""], strict=False))
    wanted = {version for low, high in pairs for version in VERSIONS if order[low] <= order[version] < (order[high] if high else 99)}
    events = [f"{kind} {version}" for low, high in pairs for kind, version in (("introduced", low), ("fixed", high)) if version]
    if backwards:
        events.reverse()
    ranged = block("npm", "x", *events, kind="SEMVER")
    listed = block("npm", "x", versions=sorted(wanted)) if wanted else block("npm", "x", versions=["9.9.9"])
    for version in VERSIONS:
        expected = "affected" if version in wanted else "clear"
        assert judge(version, "semver", ranged).state == expected == judge(version, "semver", listed).state
