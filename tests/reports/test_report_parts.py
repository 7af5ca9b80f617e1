"""The parts that formats share: excerpts, changes, references, JSON layout."""

from json import loads

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_factory import finding, place

from hardener.reports.change import Change, changes
from hardener.reports.encode import Json, encode
from hardener.reports.excerpt import Line, clip, lines, one_line, scrub, span_lines, visible
from hardener.reports.references import reference
from hardener.reports.sarif import uri


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ascii", "plain ascii"),
        ("naïve 名 🐳", "naïve 名 🐳"),
        ("a\tb", "a\tb"),
        ("\x00\x1b\r", "␀␛␍"),
        ("\x7f\x9b", "␡\ufffd"),
        ("\u202e\u2066\u200b\ufeff", "\ufffd" * 4),
        ("👩\u200d💻", "👩\u200d💻"),
        ("\udcff", "\ufffd"),
        ("no\u00a0break", "no\u00a0break"),
    ],
)
def test_acting_characters_are_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text())
def test_making_visible_keeps_the_length(text: str) -> None:
    assert len(visible(text)) == len(text)


@pytest.mark.parametrize(("text", "shown"), [("a\r\n  b", "a b"), ("a\tb", "a b"), ("a b", "a b"), ("a\x1bb", "a␛b")])
def test_one_line(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_scrub_replaces_what_cannot_be_encoded() -> None:
    assert scrub("a\udcff\ud800é") == "a\ufffd\ufffdé"


def test_clip() -> None:
    assert clip("abcdef", 6) == "abcdef"
    assert clip("abcdefg", 6) == "abcde…"


@pytest.mark.parametrize(
    ("text", "number"),
    [("«»", 1), ("«a»", 1), ("«a\n»b", 1), ("«a\nb»", 2), ("«a\n\n»", 2), ("a«\n»", 1), ("«a\r\nb\r\n»", 2)],
)
def test_the_lines_a_span_touches_are_counted(text: str, number: int) -> None:
    assert span_lines(place(text)) == number


def test_every_line_of_a_span_is_marked_without_its_indentation() -> None:
    assert lines(place("RUN «a \\\n    b \\\n\n  c» d\n"), 80, 9) == (
        Line(1, "RUN a \\", 4, 7, False, False),
        Line(2, "    b \\", 4, 7, False, False),
        Line(3, "", 0, 0, False, False),
        Line(4, "  c d", 2, 3, False, False),
    )


def test_no_more_lines_than_asked_for() -> None:
    assert [line.number for line in lines(place("«" + "x\n" * 50 + "»"), 80, 3)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("text", "inserted", "change"),
    [
        ("FROM «»x«»\n", [":1"], Change(1, ("FROM x",), ("FROM x:1",))),
        ("a«»\nb«»\n", [":1"], Change(2, ("b",), ("b:1",))),
        ("«a» «b» «c»\n", ["1", "2"], Change(1, ("a b c",), ("a 1 2",))),
        ("a\n«»«»CMD x\n", ["USER u\n"], Change(2, (), ("USER u",))),
        ("a\n«»«»CMD x\n", ["USER u\r\n"], Change(2, (), ("USER u",))),
        ("a\n«»«b\n»c\n", [""], Change(2, ("b",), ())),
        ("a\n«»«b\nc\n»d\n", [""], Change(2, ("b", "c"), ())),
        ("a«» \\\n  «b»\n", ["c"], Change(2, ("  b",), ("  c",))),
        ("«»a «\\\n  b»\n", ["b"], Change(1, ("a \\", "  b"), ("a b",))),
        ("a«»\n«»", ["USER u\n"], Change(2, (), ("USER u",))),
        ("«»a«»", ["\nUSER u"], Change(2, (), ("USER u",))),
    ],
)
def test_a_fix_is_shown_as_the_lines_it_changes(text: str, inserted: list[str], change: Change) -> None:
    assert changes(finding(text, fix=("safe", "it"), inserted=inserted).edits) == (change,)


def test_edits_far_apart_are_separate_changes() -> None:
    edits = finding("«»\n«a»\nx\n«b»\n", fix=("safe", "it"), inserted=["A", "B"]).edits
    assert changes(edits) == (Change(2, ("a",), ("A",)), Change(4, ("b",), ("B",)))


@pytest.mark.parametrize(
    ("text", "inserted"),
    [("«»x" + "y" * 5000 + "«»\n", [":1"]), ("«»a«\n»b\n", [""])],
    ids=["a line too long to show", "lines joined with one that is not known"],
)
def test_a_change_that_cannot_be_shown_is_not(text: str, inserted: list[str]) -> None:
    assert changes(finding(text, fix=("safe", "it"), inserted=inserted).edits) == ()


@pytest.mark.parametrize(
    ("text", "label", "url"),
    [
        (
            "CIS-Docker-1.6.0-4.2",
            "CIS Docker Benchmark 1.6.0 4.2: Use trusted base images only",
            "https://www.cisecurity.org/benchmark/docker",
        ),
        ("CIS-Docker-1.6.0-9.99", "CIS Docker Benchmark 1.6.0 9.99", "https://www.cisecurity.org/benchmark/docker"),
        ("CWE-250", "CWE-250: Execution with Unnecessary Privileges", "https://cwe.mitre.org/data/definitions/250.html"),
        ("CWE-99999", "CWE-99999", "https://cwe.mitre.org/data/definitions/99999.html"),
        ("OWASP-D06", "OWASP Docker Top 10 D06: Protect Secrets", "https://owasp.org/www-project-docker-top-10/"),
        ("https://docs.docker.com/", "https://docs.docker.com/", "https://docs.docker.com/"),
        ("javascript:alert(1)", "javascript:alert(1)", ""),
        ("CWE-250 and more", "CWE-250 and more", ""),
    ],
)
def test_references(text: str, label: str, url: str) -> None:
    assert (reference(text).label, reference(text).url) == (label, url)


@pytest.mark.parametrize(
    ("depth", "text"),
    [
        (0, '{"a": [1, {"b": []}], "c": {}}'),
        (1, '{\n "a": [1, {"b": []}],\n "c": {}\n}'),
        (2, '{\n "a": [\n  1,\n  {"b": []}\n ],\n "c": {}\n}'),
    ],
)
def test_json_is_spread_to_a_depth(depth: int, text: str) -> None:
    value: Json = {"a": [1, {"b": []}], "c": {}}
    assert encode(value, depth=depth) == text
    assert loads(text) == value


@pytest.mark.parametrize(
    ("path", "encoded"),
    [
        ("a/b", "a/b"),
        ("./Dockerfile", "Dockerfile"),
        ("my app/Dockerfile #1", "my%20app/Dockerfile%20%231"),
        ("c:x/Dockerfile", "c%3Ax/Dockerfile"),
        ("100%/é", "100%25/%C3%A9"),
        ("\udcff", "%FF"),
        ("\ud800", "%ED%A0%80"),
    ],
)
def test_paths_become_uris(path: str, encoded: str) -> None:
    assert uri(path) == encoded
