"""The words of a run line as its shell hands them over, each character still knowing where it stands in the file."""

from typing import TYPE_CHECKING, Final

from hardener.sources.expansion import HOLE
from hardener.sources.shell import QuotedWord, Word, append
from hardener.sources.shell_words import Expansion
from hardener.sources.unknown import UNKNOWN, UnknownType
from hardener.text import Pattern, Place, SourceFile, Span, View, ViewBuilder

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_HOME: Final = ("$HOME", "${HOME}")
_FOLDER: Final = ("$PWD", "${PWD}", "$(pwd)", "`pwd`", "$(PWD)", "$(CURDIR)", "${CURDIR}", "$(shell pwd)")
_NOTHING: Final = Pattern(r"`#[^`]*`|\$\(\)")
"""A comment within a continued line: a command that prints nothing, and so no word."""
_SEVERAL: Final = Pattern(r"\$(?:@|\{@[^}]*\}|\{\w+\[@\][^}]*\})")


class Ends:
    """Where the unknown pieces of a file end, by the offset at which they start: a `HOLE` is one character, a variable is longer.

    `texts` says what stands for a piece after all, where that is known (a Makefile's `DOCKER := podman`).
    """

    __slots__ = ("by_start", "file", "texts")

    def __init__(self, file: SourceFile) -> None:
        self.file = file
        self.by_start: dict[int, int] = {}
        self.texts: dict[int, str] = {}

    def whole(self, span: Span) -> Span:
        """Return a span that ends in an unknown piece with all of that piece."""
        return Span(span.start, self.by_start.get(span.end - 1, span.end))


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
        return self.ends.whole(span) if self.text else span

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
    """One word. `whole` is its place with quotes. `several` says that it may be any number of words, `sure` that it is a list of them."""

    __slots__ = ("several", "sure", "whole")

    def __init__(self, view: View, ends: Ends, whole: Span, *, several: bool, sure: bool = False) -> None:
        super().__init__(view, ends)
        self.whole = whole
        self.several = several
        self.sure = sure  # "$@", "${array[@]}"

    @property
    def written(self) -> str:
        """The word as the file has it."""
        return self.ends.file.slice(self.whole)

    @property
    def visible(self) -> Place:
        """Where it stands; an empty word with its quotes."""
        return self.place if self.text else Place(self.ends.file, self.whole)


def arguments(words: "Sequence[Word]", ends: Ends) -> list[Argument]:
    """Return the words of a command with its unknown pieces as holes."""
    return [_argument(word, ends) for word in words if not _NOTHING.fullmatch(word.raw)]


def _argument(word: Word, ends: Ends) -> Argument:
    content = word.content if word.static or not isinstance(word, QuotedWord) else _with_holes(word, ends)
    several = sure = False
    if content.text == HOLE:
        sure = isinstance(word, QuotedWord) and any(_SEVERAL.fullmatch(text) for text, _ in word.parts)
        several = sure or not word.quoted
    return Argument(content, ends, ends.whole(word.span), several=several, sure=sure)


def _with_holes(word: QuotedWord, ends: Ends) -> View:
    builder = ViewBuilder()
    view = word.view
    before = ""
    for text, at in word.parts:
        if isinstance(text, Expansion):
            origin = view.offset(at)
            ends.by_start[origin] = view.span(at, at + len(text)).end
            starts = before in ("", "=", ",")
            builder.add("~" if text in _HOME and starts else HOLE, origin)
            before = HOLE
        else:
            append(builder, view, at, text)
            before = text[-1:] or before
    return builder.build()


def is_folder(piece: Piece, at: int) -> bool:
    """Whether a piece has at an offset the folder that the line runs in (`$PWD`)."""
    if piece.text[at : at + 1] != HOLE:
        return False
    start = piece.view.offset(at)
    text = piece.ends.file.text
    return any(text.startswith(name, start) for name in _FOLDER)


def plain(view: View) -> Word:
    """Return a text that no shell reads as one word (a systemd unit's)."""
    return Word(view, 0, len(view.text), view.text)


class Kept(Word):
    """A word that stays one, whatever its variables hold."""

    __slots__ = ()

    quoted = True


def replace(view: View, holes: "Iterable[tuple[int, int, str]]", ends: Ends) -> View:
    """Return a text in which ranges that something else fills in before a shell reads it are replaced, mostly by a `HOLE`."""
    builder = ViewBuilder()
    done = 0
    for start, end, text in holes:
        append(builder, view, done, view.text[done:start])
        origin = view.offset(start)
        if text == "$":  # an escaped dollar: the second one of two stays
            origin = view.offset(end - 1)
        else:
            ends.by_start[origin] = view.span(start, end).end
        builder.add(text, origin)
        done = end
    append(builder, view, done, view.text[done:])
    return builder.build()
