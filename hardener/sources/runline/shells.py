"""Run lines in shell text: which commands of a script start a container, behind whatever prefixes and inside whatever strings."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from hardener.sources import shell
from hardener.sources.expansion import HOLE
from hardener.sources.runline import line
from hardener.sources.runline.flags import GLOBAL_VALUES
from hardener.sources.runline.pieces import Ends, arguments
from hardener.sources.service import Project
from hardener.sources.shell import Command, Script, Word
from hardener.text import BOM, Pattern, Place, SourceFile, Span, View

_TOOLS: Final = {"docker": "docker", "podman": "podman", "nerdctl": "nerdctl", "docker.exe": "docker", "podman-remote": "podman"}
_VERBS: Final = frozenset({"run", "create"})
_VARIABLE: Final = Pattern(r"\$(?:(\w+)|\{(\w+)(?::?-([^}]*))?\})")
_SSH_VALUES: Final = frozenset("bcDEeFIiJLlmOopPQRSWw")
_WORTH: Final = Pattern(r"\b(?:docker|podman|nerdctl)\b", 0)


def worth(text: str) -> bool:
    """Whether a text may hold a run line at all."""
    return ("docker" in text or "podman" in text or "nerdctl" in text) and ("run" in text or "create" in text)


def read_text(view: View, ends: Ends, project: Project, *, has_tool: bool = False) -> None:
    """Add the run lines of shell text to a project. `has_tool` says that one of its unknown pieces names a tool."""
    if has_tool or worth(view.text):
        read_script(shell.parse(view, dialect="bash"), ends, project)


def read_script(script: Script, ends: Ends, project: Project, known: dict[str, str] | None = None) -> None:
    """Add the run lines of a script to a project. `known` are variables that hold one text for certain."""
    commands = script.commands
    tools = dict(known or {})
    tools.update(_variables(commands))
    for command in commands:
        if command.name == "ssh":
            for remote in _remote(command):
                read_script(remote, ends, project, tools)
        for tool, words in _tool(command, tools, ends):
            _line(tool, words, command, ends, project)


def _variables(commands: Iterable[Command]) -> dict[str, str]:
    """Return the variables that are set once to a plain text that names a tool: `DOCKER="sudo docker"`."""
    found: dict[str, str] = {}
    twice: set[str] = set()
    for command in commands:
        for assignment in command.assignments:
            name = assignment.name
            if name in found and found[name] != assignment.value.text:
                twice.add(name)
            if assignment.value.static:
                found[name] = assignment.value.text
            else:
                default = _VARIABLE.fullmatch(assignment.value.text)
                if default is not None and default[3]:
                    found[name] = default[3]
                else:
                    twice.add(name)
    return {name: text for name, text in found.items() if name not in twice and _WORTH.search(text)}


def _tool(command: Command, known: dict[str, str], ends: Ends) -> Iterator[tuple[str, Sequence[Word]]]:
    """Yield the tool that a command runs, and its words from the tool's name on."""
    word = command.name_word
    if word is None:
        return
    name = _TOOLS.get(command.name)
    if name is None:
        value = ""
        if word.text == HOLE:
            value = ends.texts.get(word.span.start, "")
        elif not word.static:
            variable = _VARIABLE.fullmatch(word.text)
            value = known.get(variable[1] or variable[2], variable[3] or "") if variable is not None else ""
        last = value.split()[-1:]  # "sudo docker"
        name = _TOOLS.get(last[0].rpartition("/")[2]) if last else None
    if name is not None:
        yield name, (word, *command.args)


def _line(tool: str, words: Sequence[Word], command: Command, ends: Ends, project: Project) -> None:
    at = _past_options(words, 1, GLOBAL_VALUES[tool])
    if at < len(words) and words[at].text == "container":
        at = _past_options(words, at + 1, frozenset())
    if at >= len(words) or words[at].text not in _VERBS:
        return
    file = ends.file
    place = Place(file, ends.whole(Span(words[0].span.start, words[at].span.end)))
    rest = arguments(words[at + 1 :], ends)
    span = ends.whole(command.span)
    whole = Place(file, Span(min(span.start, place.span.start), max(span.end, rest[-1].whole.end if rest else place.span.end)))
    service = line.read(tool, words[at].text, rest, place, whole, project)
    project.services = (*project.services, service)


def _past_options(words: Sequence[Word], at: int, with_value: frozenset[str]) -> int:
    while at < len(words) and words[at].text[:1] == "-":
        at += 2 if words[at].text in with_value else 1
    return at


def _remote(command: Command) -> Iterator[Script]:
    """Yield what `ssh host …` runs on the other side: its words as text, or its standard input."""
    args = command.args
    at = 0
    while at < len(args) and args[at].text[:1] == "-":
        text = args[at].text
        at += 1
        # the last letter of a cluster takes the next word, unless its value is attached
        value = next((index for index, letter in enumerate(text) if index and letter in _SSH_VALUES), 0)
        if value and value == len(text) - 1:
            at += 1
    rest = args[at + 1 :]
    if rest:
        yield shell.parse(shell.join([word.content for word in rest]), dialect="bash")
        return
    for redirect in command.redirects:
        if redirect.body is not None and redirect.fd in ("", "0"):
            yield shell.parse(redirect.body, dialect="bash")


def read_file(file: SourceFile, project: Project) -> None:
    """Add the run lines of a shell script to a project."""
    start = 1 if file.text.startswith(BOM) else 0
    read_text(View.of(file, Span(start, len(file.text))), Ends(file), project)
