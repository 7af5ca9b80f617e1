"""The examples of rules: read from the rules' own files and from the edge cases in tests/rules/HDnnn.yaml."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hardener import data_folder
from hardener.rules.context import Settings
from hardener.rules.load import Example, RuleSource, parse_rule, rule_files
from hardener.sources import yaml_nodes
from hardener.text import SourceFile, Span

EDGES = Path(__file__).parent.parent / "rules"

Case = tuple[RuleSource, str, Example]


def cases(prefix: str) -> Iterator[Case]:
    """Yield rule, `fires` or `silent`, and example, for all rules on subjects whose name starts with `prefix`."""
    for path in rule_files(data_folder("rules")):
        source, (fires, silent) = parse_rule(SourceFile(path, Path(path).read_text(encoding="utf-8")))
        if not source.rule.on.startswith(prefix):
            continue
        yield from ((source, "fires", example) for example in fires)
        yield from ((source, "silent", example) for example in silent)
        extra = EDGES / f"{source.rule.id}.yaml"
        if not extra.exists():
            continue
        root = yaml_nodes.plain(yaml_nodes.parse(SourceFile(str(extra), extra.read_text(encoding="utf-8"))))
        assert isinstance(root, dict)
        for key in ("fires", "silent"):
            for item in root.get(key) or []:
                entry: dict[str, Any] = {"text": item} if isinstance(item, str) else item
                yield (
                    source,
                    key,
                    Example(
                        entry["text"],
                        0,
                        entry.get("build-args", {}),
                        entry.get("files", {}),
                        entry.get("settings", {}),
                        entry.get("swarm") is True,
                    ),
                )


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
    """Return the settings that an example is judged under."""
    given = example.settings
    registries = given.get("trusted-registries", ())
    labels = given.get("required-labels", {})
    assert isinstance(registries, list | tuple)
    assert isinstance(labels, dict)
    return Settings(tuple(map(str, registries)), {str(k): str(v) for k, v in labels.items()}, bool(given.get("strict-labels", False)))
