"""A value on its way from one syntax to another: literal text, and variables that both a shell and compose write as `${NAME}`."""

from typing import Final

from hardener.record import NamedTuple
from hardener.sources.service import Service, Setting, Variable
from hardener.sources.unknown import UNKNOWN
from hardener.text import Pattern, Place

_COMPOSE: Final = Pattern(r"\$(?:(\$)|([A-Za-z_]\w*)|(\{[A-Za-z_]\w*(?:(?::?[-+?])[^{}\"'`$\\]*)?\}))")
_SHELL: Final = Pattern(r"\$(?:(\$)(?!\$)|([A-Za-z_]\w*)|(\{[A-Za-z_]\w*(?:(?::?[-+?])[^{}\"'`$\\]*)?\}))")
_PLAIN_SHELL: Final = Pattern(r"[\w@%+=:,./-]+", 256)  # ASCII
_PLAIN_YAML: Final = Pattern(r"[A-Za-z_./][\w./@=-]*(?::[\w./@=-]+)*", 256)
_WORDS_OF_YAML: Final = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n", ".inf", ".nan", ".", "=", "_"})
_NUMBER: Final = Pattern(r"[+-]?(?:0[xo])?[\d._]+(?:[eE][+-]?\d+)?")
_UNPRINTABLE: Final = Pattern(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")


class Text:
    """Pieces: what they say, and whether that is a variable (`${NAME}`) or to be taken letter by letter."""

    __slots__ = ("pieces",)

    def __init__(self, pieces: tuple[tuple[str, bool], ...]) -> None:
        self.pieces = pieces

    def __add__(self, other: "str | Text") -> "Text":
        return Text((*self.pieces, *(((other, False),) if isinstance(other, str) else other.pieces)))

    @property
    def known(self) -> str | None:
        """The text when no variable is in it."""
        return None if any(variable for _, variable in self.pieces) else "".join([text for text, _ in self.pieces])

    def shell(self) -> str:
        """Return one word of a shell command."""
        known = self.known
        if known is not None:
            if _PLAIN_SHELL.fullmatch(known):
                return known
            return "'" + known.replace("'", "'\"'\"'") + "'"
        out = [text if variable else _ESCAPED.sub(r"\\\g<0>", text) for text, variable in self.pieces]
        return '"' + "".join(out) + '"'

    def yaml(self) -> str:
        """Return a YAML scalar as compose reads it: a dollar of its own is doubled."""
        text = "".join([piece if variable else piece.replace("$", "$$") for piece, variable in self.pieces])
        plain = _PLAIN_YAML.fullmatch(text) and text.lower() not in _WORDS_OF_YAML and not _NUMBER.fullmatch(text)
        return text if plain else quoted(text)


_ESCAPED: Final = Pattern(r"[\"\\$`]")


def quoted(text: str) -> str:
    """Return a double-quoted YAML scalar."""
    from json import dumps

    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", dumps(text, ensure_ascii=False))


def literal(text: object) -> Text:
    """Return a text without variables."""
    return Text(((str(text), False),))


def written(place: Place, service: Service) -> Text | None:
    """Return what stands at a place with its variables; None when it holds what no variable of either syntax is (`$(…)`, `${{ … }}`)."""
    raw = place.text
    if service.is_compose and len(raw) > 1 and raw[0] in "'\"" and raw[-1] == raw[0]:
        raw = raw[1:-1]
    if any(char in raw for char in "\n\"'`\\"):
        return None
    pattern = _COMPOSE if service.is_compose else _SHELL
    pieces: list[tuple[str, bool]] = []
    done = 0
    for found in pattern.finditer(raw):
        pieces.append((raw[done : found.start()], False))
        if found[1]:
            if not service.is_compose:
                return None  # the number of the shell's process
            pieces.append(("$", False))
        else:
            pieces.append((f"${{{found[2]}}}" if found[2] else f"${found[3]}", True))
        done = found.end()
    pieces.append((raw[done:], False))
    if any("$" in text and not variable and text != "$" for text, variable in pieces):
        return None
    return Text(tuple(piece for piece in pieces if piece[0]))


def of(setting: Setting[str], service: Service) -> Text | None:
    """Return a setting's text; None when it cannot be written elsewhere."""
    value = setting.value
    return written(setting.place, service) if value is UNKNOWN else literal(value)


def of_variable(variable: Variable, service: Service) -> Text | None:
    """Return `NAME=value`, or the name alone where no value is given."""
    if "\0" in variable.name:
        return None
    name = literal(variable.name)
    if variable.value is None:
        return name
    value = of(variable.value, service)
    return None if value is None else name + "=" + value


class Loss(NamedTuple):
    """Something that the target cannot say: its key or flag, and why."""

    name: str
    reason: str
