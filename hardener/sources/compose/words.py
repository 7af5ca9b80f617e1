"""Commands: in list form as they are, in string form split as compose splits them.

No shell runs the string form: compose takes it apart with github.com/mattn/go-shellwords. That knows quotes, backslashes, and skips over
`$(…)` and backquotes without running them; at the first unquoted `;`, `&`, `|`, `<` or `>` it stops, and what follows is dropped without a
word. A parenthesis, an open quote or a backslash at the end are errors.
"""

from typing import Final

from hardener.record import NamedTuple
from hardener.sources.compose.scalars import part, setting, texts
from hardener.sources.compose.tree import Items, Leaf, Node
from hardener.sources.expansion import HOLE
from hardener.sources.service import Setting, Words
from hardener.sources.unknown import UNKNOWN
from hardener.text import Pattern, Place, View, ViewBuilder

_BLANKS: Final = " \t\r\n"
_SIMPLE: Final = Pattern(r"[^\s\"'\\`$();&|<>]+")


class Piece(NamedTuple):
    """One word of a command: its text, and the offsets into the string where it stands, quotes included."""

    text: str
    start: int
    end: int
    origins: tuple[int, ...] | None  # where each character of `text` came from; None: from start on, one by one


class Split(NamedTuple):
    """The words of a command in string form, the operator at which compose stopped reading (-1: none), and what is wrong with it."""

    words: tuple[Piece, ...]
    stop: int = -1
    error: str = ""


def split(text: str) -> Split:
    """Take a command apart."""
    words: list[Piece] = []
    at, length = 0, len(text)
    while True:
        while at < length and text[at] in _BLANKS:
            at += 1
        if at >= length:
            return Split(tuple(words))
        simple = _SIMPLE.match(text, at)
        if simple is not None and (simple.end() == length or text[simple.end()] in _BLANKS):
            words.append(Piece(simple[0], at, simple.end(), None))
            at = simple.end()
            continue
        start = at
        out: list[str] = []
        origins: list[int] = []
        quoted = False
        quote = ""
        while at < length:
            char = text[at]
            if char == "\\" and quote != "'":
                if at + 1 >= length:
                    return Split(tuple(words), -1, "it ends with a backslash")
                at += 1
                out.append(text[at])
                origins.append(at)
            elif quote:
                if char == quote:
                    quote = ""
                elif quote == '"' and (char == "`" or text.startswith("$(", at)):
                    end = _substitution(text, at)
                    if end < 0:
                        return Split(tuple(words), -1, "a substitution in it is not closed")
                    out.append(text[at:end])
                    origins.extend(range(at, end))
                    at = end - 1
                else:
                    out.append(char)
                    origins.append(at)
            elif char in "\"'":
                quote, quoted = char, True
            elif char == "`" or text.startswith("$(", at):
                end = _substitution(text, at)
                if end < 0:
                    return Split(tuple(words), -1, "a substitution in it is not closed")
                out.append(text[at:end])
                origins.extend(range(at, end))
                at = end - 1
            elif char in "()":
                return Split(tuple(words), -1, f"it holds an unquoted {char!r}")
            elif char in ";&|<>":
                # `2>`: the number of a redirected stream goes with it.
                if (out or quoted) and not (char == ">" and out and out[0][:1].isdigit()):
                    words.append(Piece("".join(out), start, at, tuple(origins)))
                return Split(tuple(words), at)
            elif char in _BLANKS:
                break
            else:
                out.append(char)
                origins.append(at)
            at += 1
        if quote:
            return Split(tuple(words), -1, f"a {quote} in it is not closed")
        words.append(Piece("".join(out), start, at, tuple(origins)))


def _substitution(text: str, start: int) -> int:
    """Return where a substitution that starts there ends (exclusive), -1 when it does not."""
    end = text.find("`" if text[start] == "`" else ")", start + 1)
    return -1 if end < 0 else end + 1


def command(node: Node | None, key: Place) -> Words | None:
    """Return a command in either form; None for null (which leaves the image's own)."""
    if isinstance(node, Items):
        return Words(texts(node, key), node.place, key)
    if not isinstance(node, Leaf) or node.kind == "null":
        return None
    words = tuple([_word(node, piece, key) for piece in split(node.text).words])
    return Words(words, node.place, key, setting(node, key))


def _word(leaf: Leaf, piece: Piece, key: Place) -> Setting[str]:
    value = UNKNOWN if HOLE in piece.text else piece.text
    view = leaf.view
    if view is None:
        return Setting(value, leaf.place, key, piece.text, leaf.history)
    return Setting(value, part(leaf, piece.start, piece.end), key, piece.text, leaf.history, _view(view, piece))


def _view(view: View, piece: Piece) -> View:
    if piece.origins is None:
        return view.sub(piece.start, piece.end)
    builder = ViewBuilder()
    builder.add("", view.offset(piece.start))
    for char, origin in zip(piece.text, piece.origins, strict=True):
        builder.add(char, view.offset(origin))
    return builder.build()
