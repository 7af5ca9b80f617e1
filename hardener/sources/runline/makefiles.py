"""Run lines in the recipes of a Makefile: what make itself fills in is unknown, except which tool a variable names.

Source: the GNU make manual, "Recipe Syntax", "Splitting Recipe Lines", "Recipe Echoing".
"""

from collections.abc import Iterator
from typing import Final

from hardener.sources.expansion import HOLE
from hardener.sources.runline.pieces import Ends, replace
from hardener.sources.runline.shells import read_text
from hardener.sources.service import Project
from hardener.text import Pattern, SourceFile, Span, View, ViewBuilder

_ASSIGNMENT: Final = Pattern(r"(?m)^[ ]*(?:export |override )*([A-Za-z_][\w.-]*)[ ]*(?::|::|\?|:::)?=[ \t]*([^\n#]*)")
_RUN_LINE: Final = Pattern(
    r"(?m)^[ ]*(?:export |override )*[A-Za-z_][\w.-]*[ ]*(?:::|:::|[:?+!])?=[ \t]*(\$\(shell[ \t]+)?"
    r"((?:sudo[ \t]+)?(?:docker|podman|nerdctl)[ \t]+(?:container[ \t]+)?(?:run|create)\b)"
)
_TOOL: Final = Pattern(r"\b(?:docker|podman|nerdctl)$")
_DOLLAR: Final = Pattern(r"\$(?:([({])|(.))", 16)  # DOTALL
_INNER: Final = Pattern(r"[(){}]")
_HOME: Final = frozenset({"$(HOME)", "${HOME}"})


def read_file(file: SourceFile, project: Project) -> None:
    """Add the run lines of a Makefile to a project."""
    ends = Ends(file)
    tools = _tools(file.text)
    count = 0
    for start, end, is_part in (*_values(file.text), *[(*span, False) for span in _recipes(file.text)]):
        text = file.text[start:end]
        if "run" not in text and "create" not in text:
            continue
        view = _without_tabs(file, start, end)
        holes = list(_holes(view.text))
        for at, stop, replacement in holes:
            tool = tools.get(view.text[at + 2 : stop - 1]) if replacement == HOLE else None
            if tool:
                ends.texts[view.offset(at)] = tool
        read_text(replace(view, holes, ends), ends, project, has_tool=bool(ends.texts))
        if is_part:
            _leave_open(project, count)
        count = len(project.services)


def _leave_open(project: Project, count: int) -> None:
    """Take a variable's value for the beginning of a line: where it is used, flags and the image may follow."""
    begun = project.services[count:]
    for service in begun:
        service.open_ended = True
    places = [service.place for service in begun]
    project.problems[:] = [problem for problem in project.problems if problem.code != "run-no-image" or problem.place not in places]


def _values(text: str) -> Iterator[tuple[int, int, bool]]:
    """Yield the values of variables that begin a run line, and the commands that make itself runs for a value."""
    for found in _RUN_LINE.finditer(text):
        end = text.find("\n", found.end())
        while end > 0 and text[end - 1 : end] == "\\":
            end = text.find("\n", end + 1)
        end = len(text) if end < 0 else end
        start = found.start(2)
        if found[1]:
            yield start, min(end, _close(text, start, "(") - 1), False
        else:
            yield start, end, True


def _tools(text: str) -> dict[str, str]:
    """Return the variables that name a container tool and nothing else."""
    found: dict[str, str] = {}
    for match in _ASSIGNMENT.finditer(text):
        value = match[2].strip()
        if _TOOL.search(value) and len(value) < 80:
            found.setdefault(match[1], value)
    return found


def _recipes(text: str) -> Iterator[tuple[int, int]]:
    """Yield the recipe lines, continuation lines joined to theirs, without the tab and the marks in front."""
    at = 0
    length = len(text)
    while at < length:
        start = at
        while True:
            end = text.find("\n", at)
            end = length if end < 0 else end
            line = text[at:end].rstrip("\r")
            at = end + 1
            if (len(line) - len(line.rstrip("\\"))) % 2 == 0 or at >= length:
                break
        if text[start] == "\t":
            while start < end and text[start] in "\t @+-":
                start += 1
            yield start, end


def _without_tabs(file: SourceFile, start: int, end: int) -> View:
    """Return a recipe line without the tabs that begin its continuation lines: make takes one away from each."""
    text = file.text
    if "\n\t" not in text[start:end]:
        return View.of(file, Span(start, end))
    builder = ViewBuilder()
    at = start
    while at < end:
        stop = text.find("\n\t", at, end)
        if stop < 0:
            builder.add(text[at:end], at)
            break
        builder.add(text[at : stop + 1], at)
        at = stop + 2
    return builder.build()


def _holes(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield what make replaces: `$$` by a dollar, everything else by what is not known."""
    at = 0
    while True:
        found = _DOLLAR.search(text, at)
        if found is None:
            return
        start, at = found.span()
        if found[2] == "$":
            yield start, at, "$"
            continue
        if found[1]:
            at = _close(text, at, found[1])
        yield start, at, "~" if text[start:at] in _HOME else HOLE


def _close(text: str, at: int, opening: str) -> int:
    """Return the offset behind the bracket that closes a reference."""
    closing = ")" if opening == "(" else "}"
    depth = 1
    for found in _INNER.finditer(text, at):
        depth += (found[0] == opening) - (found[0] == closing)
        if depth == 0:
            return found.end()
    return len(text)
