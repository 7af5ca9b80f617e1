"""Checks on programs in an image that its own program does not need: advice with sizes, for who wants a smaller image.

An intruder works with what is there. What a base image brings counts as well: another base has less.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from hardener.finding import Match
from hardener.rules.image_survey import size_text, tool_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from hardener.rules.checks import Check
    from hardener.rules.context import ImageContext
    from hardener.rules.image_contents import Contents
    from hardener.rules.image_survey import Seen

_SHOWN: Final = 8  # names in a message


def _used(contents: Contents) -> frozenset[str]:
    """Return the names of what the image starts: no tool is left over that it is made for."""
    used = {word.rpartition("/")[2] for word in contents.argv[:1]}
    used.update(word for word in contents.argv[1:2] if "/" not in word and not word.startswith("-"))
    return frozenset(used)


def _tools(contents: Contents, kind: str) -> Iterator[Match]:
    used = _used(contents)
    found: list[Seen] = [seen for seen in contents.survey.tools[kind] if seen.path.rpartition("/")[2] not in used]
    if not found:
        return
    names = list(dict.fromkeys(tool_name(seen.path.rpartition("/")[2]) for seen in found))
    size = sum(seen.entry.size for seen in found if seen.entry.kind == "file") + contents.survey.trees.get(kind, 0)
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    own = [seen for seen in found if contents.is_own(seen.layer)]
    whose = "" if own else " (from the base image)"
    yield Match(
        contents.at((own or found)[0].layer),
        {"names": shown, "size": f" ({size_text(size)})" if size else "", "whose": whose},
        about=f"tools:{kind}",
    )


def _of(kind: str) -> Callable[[Contents, ImageContext], Iterator[Match]]:
    def check(contents: Contents, context: ImageContext) -> Iterator[Match]:
        return _tools(contents, kind)

    return check


def escalator(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI415: a program whose only purpose is to become root."""
    for seen in contents.survey.tools["escalator"]:
        if seen.entry.mode & 0o4000:
            values = {"path": f"/{seen.path}", "size": size_text(seen.entry.size)}
            yield Match(contents.at(seen.layer), values, about=f"file:{seen.path}")


def server(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI416: a server for logins, beside the program that the image is for."""
    used = _used(contents)
    for seen in contents.survey.tools["server"]:
        name = seen.path.rpartition("/")[2]
        if name not in used:
            yield Match(contents.at(seen.layer), {"path": f"/{seen.path}", "name": name}, about=f"file:{seen.path}")


def static_program(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI420: a program that needs no other file, in an image of a whole distribution."""
    if not contents.argv or contents.is_windows or contents.survey.files < _DISTRIBUTION:
        return
    found = contents.program(contents.argv[0])
    program = contents.programs.of(found[0], found[1].layer) if found is not None else None
    if found is None or program is None or not program.static or found[0].rpartition("/")[2] in _INITS:
        return
    rest = sum(layer.bytes for layer in contents.view.layers) - found[1].entry.size
    values = {"path": f"/{found[0]}", "size": size_text(max(0, rest))}
    yield Match(contents.document.place("entrypoint", "cmd"), values, about="static")


_DISTRIBUTION: Final = 200  # files from which on an image has more than certificates, accounts and time zones around its program
_INITS: Final = frozenset({"tini", "tini-static", "dumb-init", "s6-svscan", "init", "busybox", "gosu", "su-exec", "catatonit"})
"""Programs that start another one: that they are static says nothing about it."""

CHECKS: Final[Mapping[str, Check]] = {
    "HI410": _of("shell"),
    "HI411": _of("manager"),
    "HI412": _of("compiler"),
    "HI413": _of("debugger"),
    "HI414": _of("network"),
    "HI415": escalator,
    "HI416": server,
    "HI417": _of("runtime"),
    "HI420": static_program,
}
