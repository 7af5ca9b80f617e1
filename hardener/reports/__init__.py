"""Reports: what one run found, said in the form that a person or another program reads.

A format is a module with `render(report, *, color=False) -> str` and a row in `FORMATS`. Rendering is pure: no file is read, no
clock, no environment; whether colour is wanted is decided by the caller. A module is imported when its format is asked for,
because a run shows one or two of them and the imports are on the clock.
"""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from hardener.errors import HardenError, suggest
from hardener.finding import Report

FORMATS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "text": "hardener.reports.text",
        "concise": "hardener.reports.concise",
        "json": "hardener.reports.json",
        "sarif": "hardener.reports.sarif",
        "github": "hardener.reports.github",
        "gitlab": "hardener.reports.gitlab",
        "junit": "hardener.reports.junit",
        "html": "hardener.reports.html",
    }
)


class Renderer(Protocol):
    """Turns a report into text that ends with a newline (or is empty). Only formats for people heed `color`."""

    def __call__(self, report: Report, *, color: bool = False) -> str:
        """Return the whole report."""


class Format(Protocol):
    """What a module of this package offers."""

    @property
    def render(self) -> Renderer:
        """The format's renderer."""


if TYPE_CHECKING:  # the type checker sees every module of the table; a run imports only the one it shows
    from hardener.reports import concise, github, gitlab, html, json, junit, sarif, text

    CHECKED: tuple[Format, ...] = (text, concise, json, sarif, github, gitlab, junit, html)


def renderer(name: str) -> Renderer:
    """Return the renderer of the format `name`, importing its module now.

    Raises `HardenError` for a name that is not in `FORMATS`.
    """
    module = FORMATS.get(name)
    if module is None:
        known = tuple(FORMATS)
        hint = suggest(name, known)
        raise HardenError(f"unknown report format {name!r}", how=f"{hint + ' ' if hint else ''}formats: {', '.join(known)}")
    render: Renderer = import_module(module).render
    return render
