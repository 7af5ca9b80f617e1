"""Every service rule's own examples and edge cases, through the real readers and the real dispatch.

An example is a compose file (it has a top-level `services:`), the body of one service (it is wrapped as service `web`), or a
`docker run` line. `files` lie in the project's folder; a Dockerfile among them is what `build:` finds there.
"""

import os
import re
import textwrap

import pytest
from rule_examples import cases, marked, settings_of

from hardener.engine.dispatch_services import ServiceDispatch
from hardener.engine.images import stage_of
from hardener.engine.ready import Crash, Judged
from hardener.rules.context import ServiceContext
from hardener.rules.load import Example, RuleSource
from hardener.sources import compose, runline
from hardener.sources.service import Project
from hardener.text import SourceFile, Span

FOLDER = "/project"
_LINE = re.compile(r"(?:\s*#[^\n]*\n)*\s*(?:sudo\s+)?(?:docker|podman|nerdctl|[A-Z_]+=\S+)\s")
_WHOLE = re.compile(
    r"^(?:services|include|version|name|models|x-[\w-]+)\s*:|^(?:networks|volumes|secrets|configs)\s*:(?!\s*(?:-|\[))"  # lists: a service
    r"|^[^\s#][^:\n]*$|^---|^%",
    re.MULTILINE,
)
_HAS_IMAGE = re.compile(r"^(?:image|build|extends|provider)\s*:", re.MULTILINE)


def read(example: Example, text: str) -> Project:
    """Return the project of an example, its marks removed."""
    files = {os.path.join(FOLDER, path): content for path, content in example.files.items()}

    def open_file(path: str) -> SourceFile | str | None:
        content = files.get(path)
        return None if content is None else SourceFile(os.path.relpath(path, FOLDER), content)

    if _LINE.match(text):
        return runline.find(SourceFile("run.sh", text), "shell", FOLDER)
    return compose.load([SourceFile("compose.yaml", text)], FOLDER, open_file, compose.Options(swarm=example.swarm))


def wrapped(text: str) -> str:
    """Return the compose file of an example (marks included)."""
    if _LINE.match(text.replace("«", "")) or _WHOLE.search(text.replace("«", "").replace("»", "")):
        return text
    image = "" if _HAS_IMAGE.search(text.replace("«", "").replace("»", "")) else "    image: nginx:1.27.3\n"
    return f"services:\n  web:\n{image}{textwrap.indent(text, '    ')}"


@pytest.mark.parametrize(
    ("source", "key", "example"),
    [pytest.param(*case, id=f"{case[0].rule.id}-{case[1]}-{index}") for index, case in enumerate(cases("service"))],
)
def test_example(source: RuleSource, key: str, example: Example) -> None:
    text, spans = marked(wrapped(example.text))
    if key == "fires":
        assert spans or "also" in example.settings, "a firing example marks the spans with «»"
    else:
        assert not spans, "a silent example has no marks"
    project = read(example, text)
    files = {os.path.join(FOLDER, path): content for path, content in example.files.items()}

    def open_file(path: str) -> SourceFile | str | None:
        content = files.get(path)
        return None if content is None else SourceFile(path, content)

    context = ServiceContext(project, settings_of(example), stage_of(open_file), files.get)
    results = ServiceDispatch([source]).judge(context)
    assert [result for result in results if isinstance(result, Crash)] == []
    main = project.file
    found: list[Span] = []
    elsewhere: list[str] = []
    for result in results:
        assert isinstance(result, Judged)
        file = result.match.file or main
        if file.path == main.path:
            found.append(result.match.span)
        else:
            elsewhere.append(file.path)
        assert "{" not in re.sub(r"\$?\{[^}]*\}", "", result.message) or "{" in text, result.message
    assert [main.slice(span) for span in sorted(found)] == [text[slice(*span)] for span in spans]
    assert sorted(found) == spans
    # `settings: {also: [.env]}`: findings in further files, one item each.
    also = example.settings.get("also", ())
    assert isinstance(also, list | tuple)
    assert sorted(elsewhere) == sorted(map(str, also))
