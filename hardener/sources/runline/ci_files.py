"""Run lines in the YAML files of CI systems: the steps that a shell runs, with the system's own `${{ … }}` unknown.

GitHub Actions, GitLab, CircleCI, Travis, Azure and Bitbucket all name their scripts by a key that means nothing else in these files.
"""

from collections.abc import Iterator
from typing import Final

from hardener.errors import HardenError
from hardener.sources import yaml_nodes
from hardener.sources.expansion import HOLE
from hardener.sources.runline.pieces import Ends, replace
from hardener.sources.runline.shells import read_text, worth
from hardener.sources.service import Project
from hardener.sources.yaml_nodes import Mapping, Node, Scalar, Sequence
from hardener.text import Pattern, SourceFile, View, ViewBuilder

_SCRIPTS: Final = frozenset({
    "run", "script", "bash", "before_script", "after_script", "install", "before_install", "before_deploy", "after_deploy", "after_success",
    "after_failure",
})  # fmt: skip
_OTHER_SHELLS: Final = ("pwsh", "powershell", "cmd", "python", "node", "perl", "ruby")
_EXPRESSION: Final = Pattern(r"\$\{\{.*?\}\}|\$\[\[.*?\]\]|<<\s*(?:parameters|pipeline|matrix|inputs)\.[\w.-]+\s*>>", 16)  # DOTALL


def read_file(file: SourceFile, project: Project) -> None:
    """Add the run lines of a CI file to a project. A file that is no YAML has none: its own tool says so."""
    try:
        documents = yaml_nodes.parse_all(file)
    except HardenError:
        return
    ends = Ends(file)
    done: set[int] = set()
    for document in documents:
        for scalar in _scripts(document):
            if scalar.span.start in done or not worth(scalar.text):
                continue
            done.add(scalar.span.start)  # an alias shows its script again
            view = yaml_nodes.view(file, scalar) or _aligned(file, scalar) or _vague(scalar, ends)
            holes = [(found.start(), found.end(), HOLE) for found in _EXPRESSION.finditer(view.text)]
            read_text(replace(view, holes, ends) if holes else view, ends, project)


def _scripts(document: Node) -> Iterator[Scalar]:
    """Yield every scalar that a POSIX shell runs."""
    stack: list[tuple[Node, bool]] = [(document, False)]
    while stack:
        node, is_script = stack.pop()
        match node:
            case Scalar():
                if is_script:
                    yield node
            case Sequence():
                stack.extend([(item, is_script) for item in reversed(node.items)])
            case Mapping():
                stack.extend(reversed(list(_entries(node, is_step=is_script))))


def _entries(node: Mapping, *, is_step: bool) -> Iterator[tuple[Node, bool]]:
    shell = node.get("shell")
    is_other = isinstance(shell, Scalar) and shell.text.partition(" ")[0].rpartition("/")[2] in _OTHER_SHELLS
    for entry in node.entries:
        name = entry.key.text
        # CircleCI: `run: {command: …}`; a mapping in a list of commands (Bitbucket's `pipe:`) is none.
        yield entry.value, not is_other and (name in _SCRIPTS or (is_step and name == "command"))


_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\", "/": "/", " ": " ", "0": "\0", "e": "\x1b"}


def _aligned(file: SourceFile, scalar: Scalar) -> View | None:
    """Return a scalar's text with a map to the file where lines are folded or characters escaped; None where that cannot be told."""
    source, text = file.text, scalar.text
    at, end = scalar.span
    if scalar.style:
        at += 1
        if scalar.style in "|>":
            at = source.find("\n", at, end) + 1
            if not at:
                return None
        else:
            end -= 1
    builder = ViewBuilder()
    done = 0
    while done < len(text):
        char = text[done]
        if scalar.style == '"' and source[at : at + 1] == "\\" and at < end:
            following = source[at + 1 : at + 2]
            if following in ("\r", "\n"):  # the line goes on
                at = _blank(source, at + 1, end)
                continue
            if _ESCAPES.get(following) != char:
                return None
            builder.add(char, at + 1)
            at += 2
            done += 1
            continue
        if char in " \n":
            # Folding writes one of these for any run of line ends and blanks.
            if at < end and source[at] == char == " ":
                builder.add(" ", at)
                at += 1
            else:
                builder.add(char, at if at < end else end - 1)
                at = _blank(source, at, end)
            done += 1
            continue
        if at < end and source[at] in " \r\n":
            at = _blank(source, at, end)
        if at >= end or source[at] != char:
            return None
        at += scalar.style == "'" and source.startswith("''", at)
        builder.add(char, at)
        at += 1
        done += 1
    return builder.build()


def _blank(source: str, at: int, end: int) -> int:
    while at < end and source[at] in " \t\r\n":
        at += 1
    return at


def _vague(scalar: Scalar, ends: Ends) -> View:
    """Return a text of which only the place of the whole is known."""
    builder = ViewBuilder()
    start, end = scalar.span
    for char in scalar.text:
        builder.add(char, start)
    ends.by_start[start] = end
    return builder.build()
