"""Tokens of a Dockerfile: the proof that no byte is lost.

Rules work on instructions and words; this view of the same document cuts the file into pieces that, joined, are the file again.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hardener.sources.dockerfile import Dockerfile, Token
from hardener.sources.instructions import SPACES, Instruction
from hardener.text import BOM, Span

if TYPE_CHECKING:
    from hardener.text import View


def tokens(document: Dockerfile) -> Iterator[Token]:
    """Yield the tokens of `document` in file order, without gap or overlap."""
    text = document.file.text
    at = 0
    if text.startswith(BOM):
        yield Token("bom", Span(0, 1))
        at = 1
    for kind, span in sorted(_marks(document), key=lambda mark: mark[1]):
        if span.start > at:
            yield from _filler(text, at, span.start, document.escape)
        if span.end > span.start:
            yield Token(kind, span)
        at = max(at, span.end)
    yield from _filler(text, at, len(text), document.escape)


def _marks(document: Dockerfile) -> Iterator[tuple[str, Span]]:
    directives = {directive.span for directive in document.directives}
    for comment in document.comments:
        yield ("directive" if comment.span in directives else "comment"), comment.span
    for instruction in document.instructions:
        for kind, start, end in _leaves(instruction):
            yield from _pieces(instruction.view, kind, start, end)
        owner = instruction.trigger if instruction.trigger is not None and instruction.trigger.heredocs else instruction
        for heredoc in owner.heredocs:
            yield from _body_lines(document, heredoc.body)
            yield "heredoc-end", heredoc.terminator


def _leaves(instruction: Instruction) -> Iterator[tuple[str, int, int]]:
    """Yield (kind, start, end) within the logical line of an instruction."""
    view = instruction.view
    text = view.text
    start = len(text) - len(text.lstrip(SPACES))
    end = start
    while end < len(text) and text[end] not in "\t\v\f\r ":
        end += 1
    yield "keyword", start, end
    at = end
    flags, rest = _flag_ranges(instruction, end)
    for begin, finish in flags:
        yield "flag", begin, finish
        at = finish
    if instruction.trigger is not None:
        inner = instruction.trigger
        shift = len(text) - len(inner.view.text)
        for kind, begin, finish in _leaves(inner):
            yield kind, begin + shift, finish + shift
        return
    at = rest
    markers = _marker_ranges(instruction, at)
    if instruction.name in ("ENV", "LABEL", "ARG") and instruction.pairs:
        yield from _pair_leaves(instruction, at)
    elif instruction.name in ("RUN", "CMD", "ENTRYPOINT", "HEALTHCHECK") or instruction.text.startswith("["):
        for begin, finish in markers:
            if begin > at:
                yield "text", at, begin
            yield "heredoc-marker", begin, finish
            at = finish
        if len(text) > at:
            yield "text", at, len(text)
    else:
        while at < len(text):
            if text[at] in SPACES:
                at += 1
                continue
            begin = at
            while at < len(text) and text[at] not in SPACES:
                at += 1
            kind = "heredoc-marker" if any(begin == marker for marker, _ in markers) else "word"
            yield kind, begin, at


def _flag_ranges(instruction: Instruction, at: int) -> tuple[list[tuple[int, int]], int]:
    """Return the ranges of the flags and where the rest begins, in the logical line."""
    text = instruction.view.text
    rest = len(text) - len(instruction.text)
    ranges: list[tuple[int, int]] = []
    offsets = {instruction.view.offset(index): index for index in range(at, rest)} if instruction.flags else {}
    for flag in instruction.flags:
        begin = offsets[flag.span.start]
        ranges.append((begin, offsets[flag.span.end - 1] + 1))
    return ranges, rest


def _marker_ranges(instruction: Instruction, at: int) -> list[tuple[int, int]]:
    if not instruction.heredocs:
        return []
    view = instruction.view
    offsets = {view.offset(index): index for index in range(at, len(view.text))}
    return [(offsets[heredoc.marker.start], offsets[heredoc.marker.end - 1] + 1) for heredoc in instruction.heredocs]


def _pair_leaves(instruction: Instruction, at: int) -> Iterator[tuple[str, int, int]]:
    shift = at
    for pair in instruction.pairs:
        begin = pair.key.start + shift
        finish = pair.key.end + shift
        yield "key", begin, finish
        if pair.value is not None:
            if not pair.legacy:
                yield "equals", finish, finish + 1
            yield "value", pair.value.start + shift, pair.value.end + shift


def _pieces(view: "View", kind: str, start: int, end: int) -> Iterator[tuple[str, Span]]:
    """Yield a logical range as the file ranges it was assembled from."""
    piece = view.sub(start, end)
    bounds = [*piece.starts, len(piece.text)]
    for index, origin in enumerate(piece.origins):
        length = bounds[index + 1] - bounds[index]
        if length:
            yield kind, Span(origin, origin + length)


def _body_lines(document: Dockerfile, body: "View") -> Iterator[tuple[str, Span]]:
    at = body.origins[0]
    for line in body.text.split("\n"):
        bare = line.rstrip("\r")
        yield "heredoc-line", Span(at, at + len(bare))
        at += len(line) + 1


def _filler(text: str, start: int, end: int, escape: str) -> Iterator[Token]:
    """Yield what lies between marks: blanks, line ends, continuation marks."""
    at = start
    while at < end:
        char = text[at]
        begin = at
        if char in "\r\n":
            while at < end and text[at] == "\r":
                at += 1
            if at < end and text[at] == "\n":
                at += 1
            yield Token("newline", Span(begin, at))
        elif char == escape:
            yield Token("continuation", Span(at, at + 1))
            at += 1
        elif char in SPACES:
            while at < end and text[at] in SPACES and text[at] not in "\r\n":
                at += 1
            yield Token("space", Span(begin, at))
        else:
            while at < end and text[at] not in SPACES and text[at] != escape:
                at += 1
            yield Token("word", Span(begin, at))
