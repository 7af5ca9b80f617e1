"""Every rule on images against its own examples, through a real layout, the real reader and the real dispatch.

«» marks the part of the history that a finding must stand at. See image_specs for how the examples are written.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from image_specs import Spec
from rule_examples import cases, marked, settings_of

from hardener.engine.dispatch_images import ImageDispatch
from hardener.engine.image import analyse
from hardener.engine.ready import Crash, Judged
from hardener.images.find import find
from hardener.oci import reference
from hardener.rules.context import ImageContext
from hardener.rules.image_contents import Contents
from hardener.rules.load import Example, RuleSource
from hardener.text import Span

TODAY = "2026-11-24"


def contents_of(spec: Spec, folder: Path) -> Contents:
    image = find(f"oci:{spec.write(folder)}:latest")
    image.name = spec.name
    if not spec.name.startswith((".", "/")):
        image.reference = reference.split(spec.name)
    return analyse(image)


def places(example: str, contents: Contents) -> Iterator[Span]:
    """Yield the spans that the marks of an example stand for in the text of its image."""
    steps = [step for step in contents.document.steps if step.index >= 0]
    lines = [line for line in example.splitlines() if line and not line.startswith((" ", "#"))]
    lines = [line for line in lines if line.split()[0] not in ("FROM", "IMAGE", "CREATED", "PLATFORM")]
    for line, step in zip(lines, steps[len(steps) - len(lines) :] if lines else [], strict=True):
        text, spans = marked(line)
        assert step.text == text
        for span in spans:
            yield Span(step.span.start + span.start, step.span.start + span.end)


@pytest.mark.parametrize(
    ("source", "key", "example"),
    [pytest.param(*case, id=f"{case[0].rule.id}-{case[1]}-{index}") for index, case in enumerate(cases("image"))],
)
def test_example(source: RuleSource, key: str, example: Example, tmp_path: Path) -> None:
    text = "\n".join(line for line in example.text.splitlines() if not line.startswith("# "))
    contents = contents_of(
        Spec(marked(text)[0].encode().decode("unicode_escape") if "\\u" in text else marked(text)[0]), tmp_path / "image"
    )
    spans = sorted(places(text, contents))
    assert bool(spans) == (key == "fires")
    results = ImageDispatch([source]).judge(ImageContext(contents, settings_of(example), TODAY))
    assert [result for result in results if isinstance(result, Crash)] == []
    found = [result for result in results if isinstance(result, Judged)]
    file = contents.document.file
    assert [file.slice(result.match.span) for result in found] == [file.slice(span) for span in spans]
    assert sorted(result.match.span for result in found) == spans
    for result in found:
        assert not re.search(r"\?|\{", result.message), result.message
        assert result.match.about
