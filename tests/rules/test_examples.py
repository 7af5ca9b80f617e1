"""Every rule's own examples, and the edge cases beside this file, through the real parser and the real dispatch.

`«»` marks exactly the spans a rule must report; an example without marks under `silent:` must give nothing. An example that has no
FROM line stands behind `FROM debian:12`.
"""

import re

import pytest
from rule_examples import cases, marked, settings_of

from hardener.engine.dispatch import Dispatch
from hardener.engine.ready import Crash, Judged
from hardener.rules.context import Context
from hardener.rules.load import Example, RuleSource
from hardener.sources.dockerfile import parse
from hardener.text import SourceFile, Span

HEADER = "FROM debian:12\n"
_FROM = re.compile(r"^\s*FROM\s", re.IGNORECASE | re.MULTILINE)


@pytest.mark.parametrize(
    ("source", "key", "example"),
    [pytest.param(*case, id=f"{case[0].rule.id}-{case[1]}-{index}") for index, case in enumerate(cases("dockerfile."))],
)
def test_example(source: RuleSource, key: str, example: Example) -> None:
    text, spans = marked(example.text)
    if not _FROM.search(text):
        text = HEADER + text
        spans = [Span(start + len(HEADER), end + len(HEADER)) for start, end in spans]
    if key == "fires":
        assert spans, "a firing example marks the spans with «»"
    else:
        assert not spans, "a silent example has no marks"
    file = SourceFile("Dockerfile", text)
    document = parse(file, {name: str(value) for name, value in example.build_args.items()})
    results = list(Dispatch([source]).judge(Context(document, settings_of(example), example.files.get)))
    assert [result for result in results if isinstance(result, Crash)] == []
    found = sorted(result.match.span for result in results if isinstance(result, Judged))
    assert [file.slice(span) for span in found] == [file.slice(span) for span in spans]
    assert found == spans
    for result in results:
        assert isinstance(result, Judged)
        assert "?" not in re.sub(r"\?(?=\S)|did you mean [^?]+\?", "", result.message) or "{" not in source.rule.message, result.message
        assert "{" not in re.sub(r"\$\{[^}]*\}", "", result.message) or "{" in text, result.message
