"""Run lines in the code blocks of Markdown: what a reader would copy into a terminal.

Source: CommonMark 0.31, "Fenced code blocks" and "Indented code blocks".
"""

from collections.abc import Iterator, Sequence
from typing import Final

from hardener.sources.expansion import HOLE
from hardener.sources.runline.pieces import Ends, replace
from hardener.sources.runline.shells import read_text, worth
from hardener.sources.service import Project, Service
from hardener.text import Pattern, SourceFile, View, ViewBuilder

_FENCE: Final = Pattern(r"([ \t>]*)(`{3,}|~{3,})[ \t]*\{?\.?([^\s`,{}:]*)[^`]*")
_SHELLS: Final = frozenset({"sh", "bash", "shell", "zsh", "ksh", "ash", "dash", "shellscript"})
_WINDOWS: Final = frozenset({"cmd", "bat", "batch", "dos", "powershell", "pwsh", "ps", "ps1"})
_CONSOLES: Final = frozenset({"console", "shell-session", "shellsession", "terminal", "sh-session", "bash-session"})
_STARTS: Final = Pattern(r"\s*(?:[$#%>]\s+)?(?:sudo\s+)?(?:docker|podman|nerdctl)\s")
_PROMPT: Final = Pattern(r"\s*(?:\([\w.-]+\)\s*)?(?:\[?[\w.-]+@[^\s$#]*(?: [^\s$#]*\])?\s?)?[$%❯➜](?=\s)\s+|\s*(?:PS )?[A-Z]:\\[^>\n]*>\s*")
_ROOT_PROMPT: Final = Pattern(r"\s*(?:\[?[\w.-]+@[^\s$#]*(?: [^\s$#]*\])?\s?)?#\s+(?=(?:sudo\s+)?(?:docker|podman|nerdctl)\s)")
_CONTINUED: Final = Pattern(r"\s*>\s+")
_PLACEHOLDER: Final = Pattern(
    r"<[A-Za-z/.~][\w .:/|~-]*>|\[[:@]?[A-Za-z][\w .|=-]*\]|\{\{[^}\n]*\}\}|%%\w+%%?|(?<!\$)\{[A-Za-z][\w -]*\}"
    r"|(?<![^\s/:])(?:YOUR_|MY_)?IMAGE(?:_NAME|_ID|_TAG)?\b|\.\.\.|…"
    r"|%\w+%|\$env:\w+|(?<![\w.])[A-Za-z]:[\\/][^\s:\"']*"  # a variable or a path of Windows
)
_CONTINUED_ON_WINDOWS: Final = Pattern(r".*\s[\^`][ \t]*")


def read_file(file: SourceFile, project: Project) -> None:
    """Add the run lines of a Markdown file to a project."""
    ends = Ends(file)
    for lines, language in _blocks(file):
        text = "\n".join([line for line, _ in lines])
        if not worth(text):
            continue
        if language not in _SHELLS and language not in _CONSOLES and language not in _WINDOWS:
            first = next((line for line, _ in lines if line.strip()), "")
            if language or not _STARTS.match(first):
                continue
        view = _commands(lines, console=language in _CONSOLES, windows=language in _WINDOWS or not language)
        holes = [(found.start(), found.end(), HOLE) for found in _PLACEHOLDER.finditer(view.text)]
        count = len(project.services)
        read_text(replace(view, holes, ends) if holes else view, ends, project)
        if holes:
            _leave_open(project.services[count:])
    _forgive(project)


def _leave_open(services: Sequence[Service]) -> None:
    """Take lines with placeholders for what they are: templates, of which nobody can say what they lack."""
    for service in services:
        if _PLACEHOLDER.search(service.whole.text):
            service.open_ended = True


def _forgive(project: Project) -> None:
    """Take a line without image that is all on one line for what it is in prose: the flags that the text is about."""
    for service in project.services:
        if service.image is None and not service.open_ended and "\n" not in service.whole.text:
            service.open_ended = True
            project.problems = [problem for problem in project.problems if problem.place != service.place or problem.code != "run-no-image"]


def _blocks(file: SourceFile) -> Iterator[tuple[list[tuple[str, int]], str]]:
    """Yield the lines of each code block with their offsets, without the block's indentation, and its language."""
    fence = ""
    indentation = 0
    language = ""
    lines: list[tuple[str, int]] = []
    after_blank = True
    offset = 0
    for line in file.text.split("\n"):
        start, text = offset, line.rstrip("\r")
        offset += len(line) + 1
        if fence:
            stripped = text.strip(" \t>")
            if stripped.startswith(fence) and not stripped.strip(fence[0]):
                yield lines, language
                fence, lines = "", []
                continue
            skipped = 0
            while skipped < min(indentation, len(text)) and text[skipped] in " \t>":
                skipped += 1
            lines.append((text[skipped:], start + skipped))
            continue
        opened = _FENCE.fullmatch(text) if "```" in text or "~~~" in text else None
        if opened is not None:
            if lines:
                yield lines, ""
            fence, indentation, language, lines = opened[2], len(opened[1]), opened[3].lower(), []
            continue
        if text.startswith(("    ", "\t")) and (lines or after_blank):
            skipped = 1 if text[0] == "\t" else 4
            lines.append((text[skipped:], start + skipped))
        elif lines and text.strip():
            yield lines, ""
            lines = []
        after_blank = not text.strip()
    if lines:
        yield lines, language if fence else ""


def _commands(lines: list[tuple[str, int]], *, console: bool, windows: bool) -> View:
    """Return what is typed: all of a script; of a session, what stands behind the prompts."""
    builder = ViewBuilder()
    session = console or any(_PROMPT.match(line) for line, _ in lines)
    continued = False
    for line, start in lines:
        shown = line
        if session:
            prompt = _PROMPT.match(line) or (_ROOT_PROMPT.match(line) if console else None)
            if continued:
                prompt = _CONTINUED.match(line) or prompt
            elif prompt is None and any(_PROMPT.match(other) for other, _ in lines):
                continue  # what a command has printed
            if prompt is not None:
                shown, start = line[prompt.end() :], start + prompt.end()
        if (windows or console) and _CONTINUED_ON_WINDOWS.fullmatch(shown):
            shown = shown.rstrip()[:-1] + "\\"  # as a shell here would continue it
        builder.add(shown + "\n", start)
        continued = shown.endswith("\\")
    return builder.build()
