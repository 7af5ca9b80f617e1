"""The examples of the rules on credentials in files."""

import pytest
from rule_examples import cases, marked

from hardener.engine.secrets import RULES, SUBJECT
from hardener.rules.load import Example, RuleSource
from hardener.rules.secrets.contents import inspect


@pytest.mark.parametrize(
    ("source", "key", "example"),
    [pytest.param(*case, id=f"{case[0].rule.id}-{case[1]}-{index}") for index, case in enumerate(cases("file."))],
)
def test_example(source: RuleSource, key: str, example: Example) -> None:
    text, spans = marked(example.text)
    assert (key == "fires") == bool(spans)
    hits = inspect(str(example.settings["path"]), text.encode())
    assert [(RULES[hit.topic], hit.start, hit.end) for hit in hits] == [(source.rule.id, *span) for span in spans]


def test_each_rule_is_about_one_topic() -> None:
    assert sorted(RULES.values()) == sorted({source.rule.id for source, _, _ in cases(SUBJECT)})
