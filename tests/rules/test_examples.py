"""Every rule's own examples, and the edge cases beside this file, through the real parser and the real dispatch.

`«»` marks exactly the spans a rule must report; an example without marks under `silent:` must give nothing. An example that has no
FROM line stands behind `FROM debian:12`.
"""

import re
from pathlib import Path
from typing import Any

import pytest

from hardener import data_folder
from hardener.engine.dispatch import Crash, Dispatch, Judged
from hardener.rules.context import Context, Settings
from hardener.rules.load import Example, RuleSource, parse_rule, rule_files
from hardener.sources import yaml_nodes
from hardener.sources.dockerfile import parse
from hardener.text import SourceFile, Span

HERE = Path(__file__).parent
HEADER = "FROM debian:12\n"
_FROM = re.compile(r"^\s*FROM\s", re.IGNORECASE | re.MULTILINE)


def _cases() -> list[tuple[RuleSource, str, Example]]:
    cases: list[tuple[RuleSource, str, Example]] = []
    for path in rule_files(data_folder("rules")):
        source, (fires, silent) = parse_rule(SourceFile(path, Path(path).read_text(encoding="utf-8")))
        extra = HERE / f"{source.rule.id}.yaml"
        cases += [(source, "fires", example) for example in fires] + [(source, "silent", example) for example in silent]
        if extra.exists():
            root = yaml_nodes.plain(yaml_nodes.parse(SourceFile(str(extra), extra.read_text(encoding="utf-8"))))
            assert isinstance(root, dict)
            for key in ("fires", "silent"):
                for item in root.get(key) or []:
                    entry: dict[str, Any] = {"text": item} if isinstance(item, str) else item
                    example = Example(entry["text"], 0, entry.get("build-args", {}), entry.get("files", {}), entry.get("settings", {}))
                    cases.append((source, key, example))
    return cases


def marked(text: str) -> tuple[str, list[Span]]:
    """Return the text without «» and the spans that the marks enclose."""
    spans: list[Span] = []
    opened: list[int] = []
    out: list[str] = []
    length = 0
    for char in text:
        if char == "«":
            opened.append(length)
        elif char == "»":
            spans.append(Span(opened.pop(), length))
        else:
            out.append(char)
            length += 1
    return "".join(out), sorted(spans)


def settings_of(example: Example) -> Settings:
    given = example.settings
    registries = given.get("trusted-registries", ())
    labels = given.get("required-labels", {})
    assert isinstance(registries, list | tuple)
    assert isinstance(labels, dict)
    return Settings(tuple(map(str, registries)), {str(k): str(v) for k, v in labels.items()}, bool(given.get("strict-labels", False)))


@pytest.mark.parametrize(
    ("source", "key", "example"),
    [pytest.param(*case, id=f"{case[0].rule.id}-{case[1]}-{index}") for index, case in enumerate(_cases())],
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
