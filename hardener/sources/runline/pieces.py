"""The words of a run line as its shell hands them over, each character still knowing where it stands in the file."""

from typing import TYPE_CHECKING, Final

from hardener.sources.expansion import HOLE
from hardener.sources.shell import QuotedWord, Word, append
from hardener.sources.shell_words import Expansion
from hardener.sources.unknown import UNKNOWN, UnknownType
from hardener.text import Pattern, Place, SourceFile, Span, View, ViewBuilder

if TYPE_CHECKING:
    from collections.abc import Sequence

_HOME: Final = ("$HOME", "${HOME}")
_FOLDER: Final = ("$PWD", "${PWD}", "$(pwd)", "`pwd`", "$(PWD)", "$(CURDIR)")
_SEVERAL: Final = Pattern(r"\$(?:@|\{@[^}]*\}|\{\w+\[@\][^}]*\})")


class Ends:
    """Where the unknown pieces of a file end, by the offset at which they start: a `HOLE` is one character, a variable is longer."""

    __slots__ = ("by_start", "file")

    def __init__(self, file: SourceFile) -> None:
        self.file = file
        self.by_start: dict[int, int] = {}


class Piece:
    """A word or a part of one. `text` has a `HOLE` for each piece that is not known."""

    __slots__ = ("ends", "text", "view")

    def __init__(self, view: View, ends: Ends) -> None:
        self.view = view
        self.text = view.text
        self.ends = ends

    def sub(self, start: int, end: int | None = None) -> "Piece":
        """Return the part `text[start:end]`."""
        return Piece(self.view.sub(start, len(self.text) if end is None else end), self.ends)

    @property
    def value(self) -> str | UnknownType:
        """The text, or `UNKNOWN` when a part of it is not known."""
        return UNKNOWN if HOLE in self.text else self.text

    @property
    def span(self) -> Span:
        """Where it stands, without quotes around it."""
        span = self.view.span(0, len(self.text))
        return Span(span.start, self.ends.by_start.get(span.end - 1, span.end)) if self.text else span

    @property
    def place(self) -> Place:
        """Where it stands, without quotes around it."""
        return Place(self.ends.file, self.span)

    @property
    def visible(self) -> Place:
        """Where it stands; an empty word with its quotes."""
        return self.place

    def __repr__(self) -> str:
        return f"Piece({self.text!r})"


class Argument(Piece):
    """One word. `whole` is its place with quotes; `several` says that it may be any number of words, `name` which variable decides."""

    __slots__ = ("name", "several", "sure", "whole")

    def __init__(self, view: View, ends: Ends, whole: Span, *, several: bool = False, sure: bool = False, name: str = "") -> None:
        super().__init__(view, ends)
        self.whole = whole
        self.several = several
        self.sure = sure  # it is a list of words for certain: "$@", "${array[@]}"
        self.name = name

    @property
    def visible(self) -> Place:
        """Where it stands; an empty word with its quotes."""
        return self.place if self.text else Place(self.ends.file, self.whole)


def arguments(words: "Sequence[Word]", ends: Ends) -> list[Argument]:
    """Return the words of a command with its unknown pieces as holes."""
    return [_argument(word, ends) for word in words]


def _argument(word: Word, ends: Ends) -> Argument:
    if word.static or not isinstance(word, QuotedWord):
        content = word.content
        several = not word.quoted and content.text == HOLE
        return Argument(content, ends, word.span, several=several)
    builder = ViewBuilder()
    view = word.view
    several = sure = False
    name = ""
    only = len([text for text, _ in word.parts if text]) == 1
    for text, at in word.parts:
        if not isinstance(text, Expansion):
            append(builder, view, at, text)
            continue
        origin = view.offset(at)
        ends.by_start[origin] = view.span(at, at + len(text)).end
        if text in _HOME and at == word.parts[0][1]:
            builder.add("~", origin)
            continue
        # A hole never joins the text before it: what follows it stands elsewhere.
        builder.add(HOLE, origin)
        if only:
            sure = _SEVERAL.fullmatch(text) is not None
            several = sure or not word.quoted
            name = text
    return Argument(builder.build(), ends, word.span, several=several, sure=sure, name=name)


def is_folder(piece: Piece, at: int) -> bool:
    """Whether a piece has at an offset the folder that the line runs in (`$PWD`)."""
    if piece.text[at : at + 1] != HOLE:
        return False
    start = piece.view.offset(at)
    text = piece.ends.file.text
    return any(text.startswith(name, start) for name in _FOLDER)
