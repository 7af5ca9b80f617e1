"""Whole outputs. `HARDEN_RECORD=1 pytest tests/reports/test_report_golden.py` writes them anew; then read the diff."""

from pathlib import Path

import pytest
from report_factory import report, showcase

from hardener import __version__
from hardener.finding import Report
from hardener.reports import FORMATS, renderer

GOLDEN = Path(__file__).parent.parent / "golden" / "reports"
SUFFIXES = {
    "text": "txt",
    "concise": "txt",
    "github": "txt",
    "json": "json",
    "sarif": "sarif",
    "gitlab": "json",
    "junit": "xml",
    "html": "html",
}


@pytest.mark.parametrize("name", sorted(FORMATS))
@pytest.mark.parametrize(("title", "shown"), [("showcase", showcase()), ("clean", report(files=["Dockerfile", "api/Dockerfile"]))])
def test_a_report_is_what_it_was(name: str, title: str, shown: Report, recording: bool) -> None:
    text = renderer(name)(shown).replace(__version__, "VERSION")
    golden = GOLDEN / f"{title}.{name}.{SUFFIXES[name]}"
    if recording:
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_a_colored_report_is_the_plain_one_with_colors(recording: bool) -> None:
    text = renderer("text")(showcase(), color=True).replace("\x1b", "␛")
    golden = GOLDEN / "showcase.color.txt"
    if recording:
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")
