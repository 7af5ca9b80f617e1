"""Run lines in systemd units: `ExecStart=` and its kin, whose words systemd splits itself.

Source: systemd.service(5), "Command lines"; systemd.syntax(7), "Quoting".
"""

from collections.abc import Iterator
from typing import Final

from hardener.sources import shell
from hardener.sources.expansion import HOLE
from hardener.sources.runline.pieces import Ends, Kept, plain
from hardener.sources.runline.shells import read_script, worth
from hardener.sources.service import Project
from hardener.sources.shell import Word
from hardener.text import Pattern, SourceFile, View, ViewBuilder

_COMMAND: Final = Pattern(r"[ \t]*Exec(?:Start|StartPre|StartPost|Condition|Reload|Stop|StopPost)[ \t]*=[ \t]*")
_COMMENT: Final = Pattern(r"[ \t]*[#;]")
_PREFIXES: Final = "@-:+!|"
_PIECE: Final = Pattern(
    r"""
    \\(?:x([0-9a-fA-F]{2})|(.))      # 1, 2 an escape
    |(%%|\$\$)                       # 3
    |(%[A-Za-z]|\$\{\w+\})           # 4 a specifier, a variable in braces
    |(["'])                          # 5
    """,
    64 | 16,  # VERBOSE, DOTALL
)
_WHOLE_VARIABLE: Final = Pattern(r"\$[A-Za-z_]\w*(?![^ \t\r\n])")
_ESCAPES: Final = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "s": " ", "\\": "\\", '"': '"', "'": "'", ";": ";",
}  # fmt: skip


def read_file(file: SourceFile, project: Project) -> None:
    """Add the run lines of a unit to a project."""
    ends = Ends(file)
    for view in _commands(file):
        if worth(view.text):
            for words in _split(view, ends):
                if words:
                    read_script(shell.from_words(view, words), ends, project)


def _commands(file: SourceFile) -> Iterator[View]:
    """Yield the value of each Exec line, its continuation lines joined by a space."""
    text = file.text
    at = 0
    while at < len(text):
        found = _COMMAND.match(text, at)
        line_end = _line_end(text, at)
        if found is None:
            # The continuation of another setting is no setting, whatever it looks like.
            while text[at:line_end].rstrip("\r").endswith("\\") and text[at : at + 1] not in "#;" and line_end < len(text):
                at, line_end = line_end + 1, _line_end(text, line_end + 1)
            at = line_end + 1
            continue
        builder = ViewBuilder()
        start = found.end()
        while start < line_end and text[start] in _PREFIXES:
            start += 1
        builder.add("", start)
        while True:
            line = text[start:line_end].rstrip("\r")
            if not line.endswith("\\"):
                builder.add(line, start)
                break
            builder.add(line[:-1], start)
            builder.add(" ", start + len(line) - 1)
            start, line_end = line_end + 1, _line_end(text, line_end + 1)
            while _COMMENT.match(text, start):  # comments stand between
                start, line_end = line_end + 1, _line_end(text, line_end + 1)
            if start >= len(text):
                break
        at = line_end + 1
        yield builder.build()


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _split(view: View, ends: Ends) -> Iterator[list[Word]]:
    """Yield the commands of a line as words; ` ; ` stands between commands."""
    text = view.text
    words: list[Word] = []
    at = 0
    while True:
        while at < len(text) and text[at] in " \t\r":
            at += 1
        if at >= len(text):
            break
        if text[at] == ";" and text[at + 1 : at + 2] in ("", " ", "\t"):
            yield words
            words = []
            at += 1
            continue
        word, at = _word(view, at, ends)
        words.append(word)
    yield words


def _word(view: View, start: int, ends: Ends) -> tuple[Word, int]:
    text = view.text
    variable = _WHOLE_VARIABLE.match(text, start)
    if variable is not None:  # becomes as many words as its value has
        return plain(_hole(view, start, variable.end(), ends)), variable.end()
    builder = ViewBuilder()
    builder.add("", view.offset(start))
    quote = ""
    kept = False
    at = start
    while at < len(text):
        char = text[at]
        if not quote and char in " \t\r":
            break
        found = _PIECE.match(text, at) if char in "\\%$\"'" else None
        if found is None or (found[5] and quote and found[5] != quote):
            builder.add(char, view.offset(at))
            at += 1
            continue
        stop = found.end()
        if found[5]:
            quote = "" if quote else found[5]
            kept = True
        elif found[1]:
            builder.add(chr(int(found[1], 16)), view.offset(stop - 1))
        elif found[2]:
            known = _ESCAPES.get(found[2])
            if known is None:
                builder.add("\\", view.offset(at))
            builder.add(known or found[2], view.offset(stop - 1))
        elif found[3]:
            builder.add(found[3][0], view.offset(stop - 1))
        else:
            _add_hole(builder, view, at, stop, ends)
            kept = True
        at = stop
    content = builder.build()
    return (Kept(content, 0, len(content.text), content.text) if kept else plain(content)), at


def _hole(view: View, start: int, end: int, ends: Ends) -> View:
    builder = ViewBuilder()
    _add_hole(builder, view, start, end, ends)
    return builder.build()


def _add_hole(builder: ViewBuilder, view: View, start: int, end: int, ends: Ends) -> None:
    span = view.span(start, end)
    ends.by_start[span.start] = span.end
    builder.add(HOLE, span.start)
