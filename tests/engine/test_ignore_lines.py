"""Ignore comments in files that are no Dockerfiles: which lines each covers."""

import pytest
from sample_rules import RULES, UNTAGGED

from hardener.engine import ignores
from hardener.engine.selection import Selector
from hardener.text import SourceFile, Span

SELECTOR = Selector(RULES)


def covered(text: str, path: str = "compose.yaml") -> tuple[list[bool], list[str]]:
    """Return for each «marked» place whether an ignore covers it, and the codes of the notices."""
    spans = []
    while "«" in text:
        start, end = text.index("«"), text.index("»") - 1
        text = text.replace("«", "", 1).replace("»", "", 1)
        spans.append(Span(start, end))
    found = ignores.read_lines(SourceFile(path, text), SELECTOR, today="2026-06-15")
    return [found.match(UNTAGGED, [span]) is not None for span in spans], [notice.code for notice in found.notices]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a:\n  b: «x»  # harden: ignore[HD101] why\n  c: «x»\n", [True, False], id="its own line"),
        pytest.param("a:\n  # harden: ignore[HD101] why\n  b: «x»\n  c: «x»\n", [True, False], id="the next line"),
        pytest.param("a:\n  # harden: ignore[HD101]\n\n  # words\n  b: «x»\n  c: «x»\n", [True, False], id="past blanks and comments"),
        pytest.param("a:\n  # harden: ignore[HD101]\n  b:\n    - «x»\n    - «x»\n  c: «x»\n", [True, True, False], id="what is indented"),
        pytest.param(
            "a:\n  # harden: ignore[HD101]\n  b:\n  - «x»\n  - «x»\n  c: «x»\n", [True, True, False], id="a list at the key's depth"
        ),
        pytest.param("a:\n  - «x»\n  # harden: ignore[HD101]\n  - «x»\n  - «x»\n", [False, True, False], id="one item"),
        pytest.param("a:\n  b: # harden: ignore[HD101]\n    - «x»\nc: «x»\n", [True, False], id="behind a key"),
        pytest.param("# harden: ignore-file[HD101] why\na: «x»\nb: «x»\n", [True, True], id="the file"),
        pytest.param("# harden: ignore[HD102]\na: «x»\n", [False], id="another rule"),
        pytest.param("# harden: ignore[HD101] expires=2026-01-31\na: «x»\n", [False], id="expired"),
        pytest.param("# checkov:skip=CKV_DOCKER_7:why\na: «x»\n", [True], id="a peer's"),
        pytest.param("# hadolint ignore=DL3006\na: «x»\nb: «x»\n", [True, False], id="hadolint"),
        pytest.param("a: 'x#harden: ignore[HD101]'\nb: «x»\n", [False], id="no comment"),
        pytest.param("# harden: ignore[HD101]\ndocker run \\\n  «x» \\\n«x»\n«x»\n", [True, True, False], id="continued lines"),
        pytest.param("run:\n\t@# harden: ignore[HD101]\n\tdocker run «x»\n\tdocker run «x»\n", [True, False], id="a Makefile"),
        pytest.param("[Service]\n; harden: ignore[HD101]\nExecStart=«x»\nExecStop=«x»\n", [True, False], id="a unit"),
        pytest.param("<!-- harden: ignore[HD101] why -->\n```sh\n«x»\n«x»\n```\n", [True, False], id="Markdown"),
        pytest.param("# harden: ignore[HD101]\r\na: «x»\r\nb: «x»\r\n", [True, False], id="CRLF"),
        pytest.param("# harden: ignore[HD101]", [], id="nothing follows"),
    ],
)
def test_covered_lines(text: str, expected: list[bool]) -> None:
    assert covered(text)[0] == expected


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("# harden: ignore-stage[HD101]\na: 1\n", ["malformed"]),
        ("# harden: ignore[]\na: 1\n", ["malformed"]),
        ("# harden: ignore[HX1]\na: 1\n", ["unknown-rule"]),
        ("a: 1\n", []),
    ],
)
def test_notices(text: str, codes: list[str]) -> None:
    assert covered(text)[1] == codes
