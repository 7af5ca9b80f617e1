"""The HTML page: self-contained, nothing injected, everything said."""

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

import pytest
from report_factory import CASING, SECRET, UNPINNED, finding, report, showcase

from hardener.finding import FileError, Fix, Severity, Suppressed
from hardener.reports.html import render

VOID = {"meta", "input", "br"}
LOADS = {"link", "img", "iframe", "object", "embed", "video", "audio", "source", "base"}


class Page(HTMLParser):
    """Reads a page: every tag closed in order, texts by class."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[tuple[str, str]] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        found = dict(attrs)
        assert not any(name.startswith("on") or name == "src" for name in found)
        if "id" in found:
            self.ids.append(found["id"] or "")
        if "href" in found:
            self.links.append(found["href"] or "")
        if tag not in VOID:
            name = tag if tag == "mark" else (found.get("class") or tag).split()[0]
            self.open.append((tag, name))
            self.texts.setdefault(name, []).append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        for _, name in self.open:
            self.texts[name][-1] += data


def test_the_page_is_well_formed_and_loads_nothing() -> None:
    text = render(showcase())
    page = Page(text)
    assert not LOADS & set(page.tags)
    assert page.tags.count("script") == 1
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest", text)
    assert all(link.startswith(("https://", "#")) for link in page.links)
    assert len(set(page.ids)) == len(page.ids)
    assert {link[1:] for link in page.links if link.startswith("#f-")} <= set(page.ids)


def test_the_policy_allows_the_one_script_only() -> None:
    text = render(showcase())
    script = text.split("<script>")[1].split("</script>")[0]
    digest = b64encode(sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in text


EVIL = "</script><img src=x onerror=alert(1)>\"'><!--"


def test_nothing_is_injected() -> None:
    rule = UNPINNED._replace(
        id=EVIL,
        name=EVIL,
        title=EVIL,
        why=f"{EVIL}\n\n- {EVIL}\n\n```\n{EVIL}\n```\n\n    {EVIL}\n",
        how=EVIL,
        references=("javascript:alert(1)", f"https://x/{EVIL}"),
        same_as=((EVIL, (EVIL,)),),
    )
    found = finding(f"FROM «{EVIL}»«» «{EVIL}»{EVIL}\n", rule=rule, path=EVIL, message=EVIL, related=[EVIL])
    found = found._replace(fix=Fix((), "safe", EVIL), edits=((found.location, EVIL),), fingerprint=EVIL)
    text = render(
        report(found, found, suppressed=[Suppressed(found, "inline", EVIL, EVIL)], errors=[FileError(EVIL, 1, EVIL)], notices=[EVIL])
    )
    page = Page(text)
    assert "img" not in page.tags
    assert page.tags.count("script") == 1
    assert "<!--" not in text
    assert not any(link.startswith("javascript:") for link in page.links)


def test_a_finding_says_all() -> None:
    page = Page(render(report(finding("FROM «debian» AS x\n"))))
    (card,) = page.texts["finding"]
    for part in ("medium", "HD101", "debian has no tag", "untagged-base-image", "1:6", "FROM debian AS x", "hadolint:DL3006"):
        assert part in card
    assert page.texts["mark"] == ["debian"]
    assert page.texts["pre"] == ["FROM node:22.11.0-slim@sha256:…\n".rstrip()]
    assert page.texts["li"][-2:] == ["docker pull prints the digest", "bots keep it up to date"]
    assert "CWE-1357: Reliance on Insufficiently Trustworthy Component" in page.texts["advice"][0]
    assert "https://cwe.mitre.org/data/definitions/1357.html" in page.links


@pytest.mark.parametrize(
    ("marked", "mark"),
    [
        ("RUN «a \\\n  b»\n", ["a \\", "b"]),
        ("RUN x«»\n", [""]),
        ("RUN \x1b«\u202ex»\n", ["\ufffdx"]),
        ("RUN " + "x" * 9_000 + "«boom»" + "y" * 9_000, ["boom"]),
    ],
)
def test_the_marked_text_is_the_span(marked: str, mark: list[str]) -> None:
    assert Page(render(report(finding(marked)))).texts["mark"] == mark


def test_a_span_of_many_lines_is_cut() -> None:
    page = Page(render(report(finding("«" + "RUN x\n" * 30 + "»"))))
    assert len(page.texts["mark"]) == 12
    assert page.texts["em"] == ["… 18 more lines"]


def test_the_tiles_count_and_select_severities() -> None:
    page = Page(render(showcase()))
    assert [text.split() or text for text in page.texts["tile"]] == [["1critical"], ["2high"], ["1medium"], ["1low"], ["2info"]]
    assert {f"show-{severity.label}" for severity in Severity} <= set(page.ids)


@pytest.mark.parametrize(
    ("shown", "verdict"),
    [
        (report(files=["a"]), "passed"),
        (report(finding("FROM «x»\n", rule=CASING)), "passed"),
        (report(finding("FROM «x»\n", rule=SECRET)), "exit 1: 1 finding at or above medium"),
        (showcase(), "exit 2: 2 errors in the input"),
    ],
)
def test_the_verdict_is_that_of_the_run(shown: object, verdict: str) -> None:
    assert isinstance(shown, type(report()))
    assert Page(render(shown)).texts["verdict"] == [verdict]


def test_a_clean_page_says_so_and_has_no_filters() -> None:
    page = Page(render(report(files=["a"])))
    assert page.texts["panel"] == ["No findings1 file, 5 rules"]
    assert "filters" not in page.texts
    errors = [FileError("b", 2, "HD101 failed", "internal"), FileError("c", 0, "binary")]
    page = Page(render(report(files=["a"], errors=errors)))
    assert page.texts["panel"] == [
        "Not checked\nb:2 internal error: HD101 failed\nc binary\n",
        "No findings in what could be checked1 file, 5 rules",
    ]


def test_suppressed_findings_are_listed_with_their_reasons() -> None:
    page = Page(render(showcase()))
    assert page.texts["panel"][-1].split("\n") == [
        "2 suppressed findings",
        "medium tools/Dockerfile:1:6",
        "HD101 alpine has no tag (inline, until 2027-01-31: the newest is wanted)",
        "medium tools/Dockerfile:1:6",
        "HD101 busybox has no tag (baseline)",
        "",
    ]
