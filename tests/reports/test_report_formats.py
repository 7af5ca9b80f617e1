"""What holds for every format: the table, purity, and that nothing from a file can break out of a report."""

import subprocess
import sys
from html.parser import HTMLParser
from json import loads
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_factory import UNPINNED, finding, report, showcase

from hardener.errors import HardenError
from hardener.finding import FileError, Finding, Fix, Location, Suppressed, locate
from hardener.reports import FORMATS, renderer
from hardener.text import SourceFile, Span

NAMES = sorted(FORMATS)


@pytest.mark.parametrize("name", NAMES)
def test_a_format_has_a_renderer(name: str) -> None:
    assert renderer(name)(report()) == renderer(name)(report())


@pytest.mark.parametrize("name", NAMES)
def test_equal_reports_give_equal_text_that_ends_its_last_line(name: str) -> None:
    text = renderer(name)(showcase())
    assert text == renderer(name)(showcase())
    assert text.endswith("\n")


@pytest.mark.parametrize("name", NAMES)
def test_only_formats_for_people_have_color(name: str) -> None:
    assert ("\x1b[" in renderer(name)(showcase(), color=True)) == (name in {"text", "concise"})
    assert "\x1b" not in renderer(name)(showcase())


def test_an_unknown_format_is_named_with_a_suggestion() -> None:
    with pytest.raises(HardenError) as caught:
        renderer("sarfi")
    assert caught.value.what == "unknown report format 'sarfi'"
    assert caught.value.how.startswith("did you mean 'sarif'? formats: text, ")


def test_a_format_is_imported_when_it_is_asked_for() -> None:
    code = (
        "import sys; before = set(sys.modules); from hardener.reports import renderer; renderer('text'); renderer('json');"
        "print(*(m for m in ('hardener.reports.html', 'hardener.reports.sarif', 'dataclasses', 'pathlib', 'inspect', 'subprocess',"
        " 'logging', 'tempfile', 'hashlib', 'urllib.parse', 'unicodedata') if m in set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


# Whatever a repository may hold: controls, direction overrides, markup, halves of surrogate pairs (from file names).
ODD = "<>&'\"`%:,\\\n\r\t\x00\x1b\x7f\x9b\u202e\u2028\u200b\ufeff\ufffe]-{}$é名🐳\u0301"
CONTENT = st.text(st.sampled_from(ODD) | st.characters(exclude_categories=["Cs"]), max_size=40)
NAME = st.text(st.sampled_from(ODD.replace("\x00", "") + "\udcff\ud800") | st.characters(), min_size=1, max_size=12)


@st.composite
def reports(draw: st.DrawFn) -> tuple[SourceFile, Finding]:
    file = SourceFile(draw(NAME), draw(CONTENT))
    ends = st.integers(0, len(file.text))

    def place() -> Location:
        start, end = sorted((draw(ends), draw(ends)))
        return locate(file, Span(start, end))

    return file, Finding(
        UNPINNED,
        UNPINNED.severity,
        draw(NAME),
        place(),
        "0123456789abcdef",
        ((place(), draw(NAME)),),
        Fix((), "safe", draw(NAME)),
        ((place(), draw(CONTENT)),),
    )


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.attributes: set[str] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.attributes.update(name for name, _ in attrs)


OUR_OWN = Tags(renderer("html")(showcase()))


@settings(max_examples=60, deadline=None)
@given(reports())
def test_nothing_breaks_out_of_a_report(drawn: tuple[SourceFile, Finding]) -> None:
    file, found = drawn
    whole = report(
        found,
        suppressed=[Suppressed(found, "inline", found.message)],
        errors=[FileError(file.path, 0, found.message)],
        notices=[found.message],
    )
    outputs = {name: renderer(name)(whole) for name in NAMES}
    for text in outputs.values():
        text.encode()
    for name in ("text", "concise"):
        assert not set(outputs[name]) & set("\r\t\x00\x1b\x7f\x9b\u202e\u2028\u200b\ufeff\ufffe")
    for name in ("json", "sarif", "gitlab"):
        assert outputs[name].isascii()
        loads(outputs[name])
    assert not set(outputs["github"]) & set("\r\x00\x1b\x7f\x9b\u202e")
    assert all(line.startswith("::") for line in outputs["github"].split("\n")[:-1])
    assert len(outputs["github"].split("\n")) == 4
    ElementTree.fromstring(outputs["junit"].encode())
    tags = Tags(outputs["html"])
    assert set(tags.seen) <= set(OUR_OWN.seen)
    assert tags.attributes <= OUR_OWN.attributes
    assert tags.seen.count("script") == 1


def test_a_huge_line_costs_what_is_shown_of_it() -> None:
    text = "RUN " + "x" * 2_000_000 + "«boom»" + "y" * 2_000_000
    found = finding(text, fix=("safe", "shorten it"), inserted=[])
    for name in NAMES:
        assert len(renderer(name)(report(found, rules=(UNPINNED,)))) < 25_000, name
