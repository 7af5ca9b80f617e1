"""The report for a terminal: alignment, cropping, related places, fixes, the summary."""

import re
from unicodedata import normalize

import pytest
from report_factory import CACHE, CASING, ROOT_USER, UNPINNED, finding, report

from hardener.finding import FileError, Finding, Report, Severity, Suppressed
from hardener.reports.concise import render as render_concise
from hardener.reports.text import render


def snippet(found: Finding) -> list[str]:
    """Return the lines of the finding between its heading and its notes."""
    body = render(report(found)).split("\n\n")[0].split("\n")
    return [line for line in body[1:] if not re.match(r" +(=|\|$)", line)]


@pytest.mark.parametrize(
    ("text", "source", "carets"),
    [
        ("FROM «debian»\n", " 1 | FROM debian", "   |      ^^^^^^"),
        ("\tFROM\t«debian»\n", " 1 |     FROM    debian", "   |             ^^^^^^"),
        ("a\t«b»\n", " 1 | a   b", "   |     ^"),
        ("«a\tb»\n", " 1 | a   b", "   | ^^^^^"),
        ("LABEL 名前=«犬»\n", " 1 | LABEL 名前=犬", "   |            ^^"),
        ("LABEL é=«x»\n", " 1 | LABEL é=x", "   |         ^"),
        ("LABEL 🐳=«🐳»\n", " 1 | LABEL 🐳=🐳", "   |          ^^"),
        (normalize("NFD", "LABEL é=«x»\n"), normalize("NFD", " 1 | LABEL é=x"), "   |         ^"),
        ("FROM debian«»\n", " 1 | FROM debian", "   |            ^"),
        ("FROM debian«\n»", " 1 | FROM debian", "   |            ^"),
        ("FROM «debian\n»", " 1 | FROM debian", "   |      ^^^^^^"),
        ("FROM «debian»\r\n", " 1 | FROM debian", "   |      ^^^^^^"),
        ("\ufeffFROM «debian»\n", " 1 | FROM debian", "   |      ^^^^^^"),
        ("FROM «\x1b[31mx»\n", " 1 | FROM ␛[31mx", "   |      ^^^^^^"),
        ("FROM «\u202ex»\n", " 1 | FROM \ufffdx", "   |      ^^"),
        ("«RUN a && \\ \n    b\n»", " 1 | RUN a && \\", "   | ^^^^^^^^^^ … and 1 more line"),
        ("RUN «a \\\r\n  b \\\r\n  c»\r\n", " 1 | RUN a \\", "   |     ^^^ … and 2 more lines"),
        ("\n" * 99 + "RUN «x»", " 100 | RUN x", "     |     ^"),
    ],
)
def test_carets_stand_under_the_span(text: str, source: str, carets: str) -> None:
    assert snippet(finding(text)) == [source, carets]


def test_a_long_line_is_cropped_around_the_span() -> None:
    source, carets = snippet(finding("RUN " + "a" * 500 + " «boom» " + "b" * 500))
    assert source.startswith(" 1 | …aaa") and source.endswith("bbb…")
    assert source[carets.index("^") : carets.rindex("^") + 1] == "boom"
    assert len(source) == 147


def test_a_long_span_is_cropped_with_its_line() -> None:
    source, carets = snippet(finding("RUN " + "«" + "a" * 500 + "»"))
    assert carets.count("^") == 136
    assert len(source) == len(carets) + 1


def test_related_places_are_shown_in_file_order() -> None:
    text = "ARG «X=root»\nRUN true\nUSER «$X»\nUSER «app»\n"
    found = finding(text, related=["set here", "and then changed"], at=1)
    assert snippet(found) == [
        " 1 | ARG X=root",
        "   |     ------ set here",
        "...",
        " 3 | USER $X",
        "   |      ^^",
        " 4 | USER app",
        "   |      --- and then changed",
    ]


def test_two_places_on_one_line_share_it() -> None:
    assert snippet(finding("COPY «a» «b»\n", related=["the same"])) == [" 1 | COPY a b", "   |      ^", "   |        - the same"]


def test_a_related_place_in_another_file_is_named() -> None:
    other = finding("FROM «x»\n", path="base/Dockerfile").location
    found = finding("FROM «debian»\n")._replace(related=((other, "inherited from here"),))
    assert "   = see: base/Dockerfile:1:6: inherited from here\n" in render(report(found))


def test_advice_is_folded() -> None:
    rule = UNPINNED._replace(how="word " * 40)
    lines = render(report(finding("FROM «debian»\n", rule=rule))).split("\n")
    at = next(number for number, line in enumerate(lines) if "= help:" in line)
    assert lines[at] == "   = help: " + " ".join(["word"] * 20)
    assert lines[at + 1] == "           " + " ".join(["word"] * 20)


def test_advice_that_was_given_is_cut_to_its_first_sentence() -> None:
    rule = UNPINNED._replace(how="Run `a. b` once. Then\ngo on. And on.\n\nMore.")
    again = finding("FROM «debian»\n", rule=rule)
    assert re.findall("= help: (.*)", render(report(again, again))) == ["Run `a. b` once. Then go on. And on.", "Run `a. b` once"]


@pytest.mark.parametrize(
    ("safety", "advice"),
    [("safe", "(--fix applies it)"), ("unsafe", "(unsafe: review it first)"), ("display", "(to be done by hand)")],
)
def test_a_fix_says_how_safe_it_is(safety: str, advice: str) -> None:
    text = render(report(finding("FROM debian«»«»\n", fix=(safety, "Pin it"), inserted=[":12"])))
    assert f"   = fix: Pin it {advice}\n   |\n 1 - FROM debian\n 1 + FROM debian:12\n\n" in text


def test_a_fix_of_many_lines_is_described_only() -> None:
    text = render(report(finding("FROM debian«»«»\n", fix=("safe", "Rewrite it"), inserted=["\nRUN x" * 20])))
    assert "= fix: Rewrite it (--fix applies it)\n\n" in text


def test_a_message_stays_on_its_line() -> None:
    text = render(report(finding("FROM «x»\n", message="one\n\ttwo \x1b[2J" + "z" * 1000)))
    first = text.split("\n")[0]
    assert first.startswith("Dockerfile:1:6: medium HD101 one two ␛[2Jzzz")
    assert first.endswith("zz… [untagged-base-image]")


def summary(shown: Report) -> str:
    return render(shown).rpartition("\n\n")[2].replace("`harden explain HD101` says more about a rule\n", "")


ONE = finding("FROM «x»\n")
LOW = finding("RUN «y»\n", rule=CACHE)


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (report(files=["a"]), "clean: 1 file checked, no findings\n"),
        (report(files=["a", "b"]), "clean: 2 files checked, no findings\n"),
        (report(ONE), "1 finding in 1 of 1 file: 1 medium\nexit 1: 1 finding at or above medium\n"),
        (report(ONE, fail_on=Severity.HIGH), "1 finding in 1 of 1 file: 1 medium\n"),
        (report(ONE, fail_on=None), "1 finding in 1 of 1 file: 1 medium\n"),
        (report(ONE, LOW, files=["Dockerfile", "b"], fail_on=None), "2 findings in 1 of 2 files: 1 medium, 1 low\n"),
        (
            report(ONE, ONE, LOW, fail_on=None),
            "3 findings in 1 of 1 file: 2 medium, 1 low\n"
            "  2 × HD101 untagged-base-image   Base image without tag or digest\n"
            "  1 × HD402 apt-lists-left-behind Package lists stay in the layer\n",
        ),
        (
            report(files=["a"], suppressed=[Suppressed(ONE, "inline", "x"), Suppressed(ONE, "config", ""), Suppressed(LOW, "inline", "y")]),
            "clean: 1 file checked, no findings\n3 findings suppressed (1 config, 2 inline)\n",
        ),
        (
            report(files=["a"], errors=[FileError("b", 0, "binary")]),
            "no findings in the 1 file that could be checked\nexit 2: 1 error in the input\n",
        ),
        (
            report(files=["a"], errors=[FileError("b", 0, "binary"), FileError("a", 1, "HD101 failed", "internal")]),
            "no findings in the 1 file that could be checked\nexit 3: 1 internal error, please report\n",
        ),
    ],
)
def test_the_summary(shown: Report, text: str) -> None:
    assert re.sub(" {2,}(?=[A-Z])", lambda gap: gap[0][1:], summary(shown)) == text


def test_the_summary_names_the_most_frequent_rules_and_counts_the_rest() -> None:
    rules = [UNPINNED._replace(id=f"HD9{number}0") for number in range(8)]
    found = [finding("FROM «x»\n", rule=rule) for rule in rules for _ in range(3 if rule is rules[7] else 1)]
    lines = summary(report(*found)).split("\n")
    assert [line.split(" untagged")[0] for line in lines[1:7]] == [
        "  3 × HD970",
        "  1 × HD900",
        "  1 × HD910",
        "  1 × HD920",
        "  1 × HD930",
        "  3 × 3 other rules",
    ]


def test_the_summary_counts_fixes() -> None:
    safe = finding("FROM x«»«»\n", fix=("safe", "a"), inserted=[":1"])
    unsafe = finding("FROM x«»«»\n", fix=("unsafe", "a"), inserted=[":1"])
    assert "\n1 fixable with --fix\n" in render(report(safe))
    assert "\n0 fixable with --fix, 1 more with an unsafe fix\n" in render(report(unsafe))
    assert "fixable" not in render(report(ONE))


def test_errors_and_notices_come_before_the_summary() -> None:
    text = render(report(ONE, errors=[FileError("b", 3, "HD101 failed", "internal"), FileError("c", 0, "no\x1b")], notices=["stale"]))
    assert "\nb:3: internal error: HD101 failed\nc: error: no␛\nnotice: stale\n\n1 finding" in text


def test_concise_is_one_line_for_each_thing() -> None:
    shown = report(
        ONE, finding("FROM x\n«user» y\n", rule=CASING, message="user is lower"), errors=[FileError("c", 0, "no")], notices=["stale"]
    )
    assert render_concise(shown) == (
        "Dockerfile:1:6: medium HD101 debian has no tag [untagged-base-image]\n"
        "Dockerfile:2:1: info HD801 user is lower [inconsistent-casing]\n"
        "c: error: no\n"
        "notice: stale\n"
        "2 findings in 1 of 1 file: 1 medium, 1 info\n"
        "exit 2: 1 error in the input\n"
    )


def test_the_severity_shown_is_that_of_the_finding() -> None:
    text = render_concise(report(finding("FROM «x»\n", rule=ROOT_USER, severity=Severity.LOW)))
    assert text.startswith("Dockerfile:1:6: low HD201 ")
