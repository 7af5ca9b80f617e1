"""A record is read whole, or it is unreadable: never a part of it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from osv_mirror import block, record

from hardener.finding import Severity
from hardener.images.advisories import osv
from hardener.images.advisories.osv import Event

CRITICAL = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
LOW = "CVSS:4.0/AV:P/AC:H/AT:P/PR:H/UI:A/VC:L/VI:N/VA:N/SC:N/SI:N/SA:N"


def read(value: object) -> osv.Advisory:
    return osv.parse(json.dumps(value).encode())


def test_a_whole_record() -> None:
    told = read(
        record(
            "GHSA-1",
            block("PyPI", "jinja2", "introduced 0", "fixed 2.11", versions=["2.10"]),
            aliases=["CVE-2019-1"],
            upstream=["X-1"],
            summary="Sandbox escape",
            severity=[{"type": "CVSS_V3", "score": CRITICAL}],
        )
    )
    assert (told.id, told.aliases, told.upstream, told.withdrawn, told.summary) == (
        "GHSA-1",
        ("CVE-2019-1",),
        ("X-1",),
        False,
        "Sandbox escape",
    )
    assert (told.severity, told.score) == (Severity.CRITICAL, 9.8)
    (affected,) = told.affected
    assert (affected.ecosystem, affected.name, affected.versions) == ("PyPI", "jinja2", ("2.10",))
    assert affected.ranges[0].events == (Event("introduced", "0"), Event("fixed", "2.11"))


@pytest.mark.parametrize(
    ("more", "severity", "score"),
    [
        ({}, None, None),
        ({"severity": [{"type": "CVSS_V3", "score": "nonsense"}]}, None, None),
        ({"severity": [{"type": "CVSS_V3", "score": CRITICAL}, {"type": "CVSS_V4", "score": LOW}]}, Severity.LOW, 1.0),
        ({"severity": [{"type": "CVSS_V3", "score": CRITICAL}], "database_specific": {"severity": "MODERATE"}}, Severity.MEDIUM, 9.8),
        ({"severity": [{"type": "Ubuntu", "score": "negligible"}]}, Severity.INFO, None),
        ({"database_specific": {"severity": "Important"}}, Severity.HIGH, None),
        ({"database_specific": {"severity": "NONE"}}, None, None),
        ({"database_specific": {"severity": 7}}, None, None),
        ({"summary": "Important: kernel security update"}, Severity.HIGH, None),
    ],
)
def test_severity(more: dict[str, Any], severity: Severity | None, score: float | None) -> None:
    told = read(record("X-1", **more))
    assert (told.severity, told.score) == (severity, score)


@pytest.mark.parametrize(
    ("specific", "remark"),
    [
        ({"urgency": "unimportant"}, "unimportant"),
        ({"urgency": "end-of-life"}, "no longer looks after"),
        ({"urgency": "not yet assigned"}, ""),
        ({"no-dsa": True}, "no-dsa"),
        ({}, ""),
    ],
)
def test_what_a_distribution_will_not_mend(specific: dict[str, Any], remark: str) -> None:
    told = read(record("DEBIAN-CVE-1", block("Debian:12", "x", "introduced 0", ecosystem_specific=specific))).affected[0].remark
    assert remark in told
    assert bool(remark) == bool(told)


@pytest.mark.parametrize(
    "value",
    [
        [],
        "text",
        {},
        {"id": 1},
        {"id": ""},
        {"id": "X", "affected": {}},
        {"id": "X", "affected": [1]},
        {"id": "X", "affected": [{"package": "x"}]},
        {"id": "X", "affected": [{"package": {"name": 1}}]},
        {"id": "X", "affected": [{"ranges": [{}]}]},
        {"id": "X", "affected": [{"ranges": [{"type": "SEMVER", "events": [{"began": "1"}]}]}]},
        {"id": "X", "affected": [{"ranges": [{"type": "SEMVER", "events": [{"fixed": 1}]}]}]},
        {"id": "X", "affected": [{"ranges": [{"type": "SEMVER", "events": [{"fixed": ""}]}]}]},
        {"id": "X", "affected": [{"versions": [1]}]},
        {"id": "X", "aliases": "CVE-1"},
        {"id": "X", "severity": [1]},
    ],
)
def test_what_is_no_record(value: object) -> None:
    with pytest.raises(ValueError, match=r"is no|has what|is none"):
        read(value)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"id": "\\ud800", "id": 3}'])
def test_what_is_no_json(data: bytes) -> None:
    with pytest.raises(ValueError):
        osv.parse(data)


def test_half_characters_do_not_get_through() -> None:
    assert osv.parse(b'{"id": "X-\\ud800"}').id == "X-\ufffd"


def members(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    names = [
        "id",
        "affected",
        "package",
        "name",
        "ecosystem",
        "ranges",
        "type",
        "events",
        "fixed",
        "severity",
        "score",
        "ecosystem_specific",
    ]
    return st.dictionaries(st.sampled_from(names), inner, max_size=4)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3) | members(inner)
)


@given(JSON)
def test_any_json_is_a_record_or_refused(value: object) -> None:
    try:
        read(value)
    except ValueError as error:
        assert str(error)
