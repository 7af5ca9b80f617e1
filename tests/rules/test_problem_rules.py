"""Whatever the parser calls a problem becomes exactly one finding."""

import re
from collections import Counter
from pathlib import Path

import pytest

from hardener import data_folder
from hardener.engine.dispatch import Dispatch
from hardener.engine.ready import Judged
from hardener.rules.context import Context
from hardener.rules.load import RuleSource, read, rule_files
from hardener.sources import dockerfile, problems
from hardener.sources.dockerfile import parse
from hardener.text import SourceFile


@pytest.fixture(scope="module")
def problem_rules() -> list[RuleSource]:
    files = [path for path in rule_files(data_folder("rules")) if Path(path).name.startswith("HD8")]
    return [source for source in read(files) if source.rule.on == "dockerfile.problem"]


def codes_in_the_parser() -> set[str]:
    sources = [Path(str(module.__file__)).read_text(encoding="utf-8") for module in (dockerfile, problems)]
    return {code for text in sources for code in re.findall(r"\bProblem\(\s*\"([a-z-]+)\"", text)}


def codes_of(source: RuleSource) -> list[str]:
    assert isinstance(source.match, dict)
    condition = source.match["problem.code"]
    return list(condition["in"]) if isinstance(condition, dict) else [condition]


def test_every_code_has_one_rule(problem_rules: list[RuleSource]) -> None:
    counted = Counter(code for source in problem_rules for code in codes_of(source))
    assert codes_in_the_parser() == set(counted)
    assert max(counted.values()) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM a:1\nENV a=b # some words here\n", ["HD807"]),
        ("FROM a:1\nENV a=b c\nENV d=e f\n", ["HD807", "HD807"]),
        ("FROM a:1\nRUN a \\\n\n\n\n b\n", ["HD812"]),
        ("FROM a:1\nfoo\nbar\nbaz\nRUN x\nfoo\n", ["HD801", "HD801"]),
        ("", ["HD804"]),
        ("# only words\n", ["HD804"]),
        ("FROM a:1\nRUN <<EOF\nx\n", ["HD809"]),
        ("FROM a:1 # b\nCOPY a\nEXPOSE x\nHEALTHCHECK foo\n", ["HD802", "HD805", "HD810"]),
    ],
)
def test_one_thing_costs_one_finding(problem_rules: list[RuleSource], text: str, expected: list[str]) -> None:
    document = parse(SourceFile("Dockerfile", text))
    results = Dispatch(problem_rules).judge(Context(document))
    assert sorted(result.rule.id for result in results if isinstance(result, Judged)) == expected
