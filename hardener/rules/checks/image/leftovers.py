"""Checks on what was left in an image that belongs to somebody's machine, to a build, or to one host alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from hardener.finding import Match, Severity
from hardener.rules.image_survey import size_text

if TYPE_CHECKING:
    from hardener.rules.checks import Check
    from hardener.rules.context import ImageContext
    from hardener.rules.image_contents import Contents
    from hardener.rules.image_facts import LayerOf
    from hardener.rules.image_survey import Seen

_WORTH_TELLING: Final = 64 << 10  # bytes of a cache


def host_key(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI401: the private keys of an SSH server, the same in every container; those of one folder together: one step makes all of them."""
    groups: dict[tuple[str, int], list[Seen]] = {}
    for seen in contents.survey.host_keys:
        groups.setdefault((seen.path.rpartition("/")[0], seen.layer.index), []).append(seen)
    for (folder, _), group in groups.items():
        more = f" (like {len(group) - 1} more in /{folder})" if len(group) > 1 else ""
        yield Match(contents.at(group[0].layer), {"path": f"/{group[0].path}", "more": more}, about=f"host-keys:{folder}")


def authorized_keys(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI402: somebody's key opens every container."""
    for seen in contents.survey.authorized:
        owner = contents.accounts.user_name(seen.entry.uid)
        yield Match(contents.at(seen.layer), {"path": f"/{seen.path}", "owner": owner}, about=f"file:{seen.path}")


def _cache(contents: Contents, kinds: tuple[str, ...]) -> Iterator[Match]:
    for (kind, title, _), pile in contents.survey.caches.items():
        if kind in kinds and pile.bytes >= _WORTH_TELLING:
            whose = "" if contents.is_own(pile.layer) else " (by the base image)"
            values = {"what": title, "size": size_text(pile.bytes), "where": f"/{pile.where.rstrip('/')}", "whose": whose}
            yield Match(contents.at(pile.layer), values, about=f"cache:{title}")


def package_cache(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI403: the index or the packages of the distribution's package manager."""
    return _cache(contents, ("index", "packages"))


def language_cache(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI404: what the package manager of a language has kept."""
    return _cache(contents, ("language",))


def version_control(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI406: the history of the sources. One inside of another is told with it."""
    folders = sorted(contents.survey.version_control)
    for path in folders:
        pile = contents.survey.version_control[path]
        name = path.rpartition("/")[2]
        if contents.is_own(pile.layer):
            yield Match(contents.at(pile.layer), {"path": f"/{path}", "name": name, "size": size_text(pile.bytes)}, about=f"file:{path}")


def litter(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI407: files of editors, desktops and CI; those of one layer together."""
    yield from _together(contents, contents.survey.litter, "litter")


def build_files(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI408: the Dockerfile or the compose file itself."""
    yield from _together(contents, contents.survey.build_files, "build-files")


def _together(contents: Contents, found: list[Seen], about: str) -> Iterator[Match]:
    layers: dict[int, list[Seen]] = {}
    for seen in found:
        if contents.is_own(seen.layer):
            layers.setdefault(seen.layer.index, []).append(seen)
    for group in layers.values():
        names = [f"/{seen.path}" for seen in group]
        shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        yield Match(contents.at(group[0].layer), {"names": shown}, about=f"{about}:{group[0].path}")


def dotenv(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI409: a file of variables for one machine."""
    for seen in contents.survey.dotenv:
        if contents.is_own(seen.layer):
            yield Match(contents.at(seen.layer), {"path": f"/{seen.path}"}, about=f"file:{seen.path}")


_WASTE: Final = 10_000_000  # bytes, and the share of the layers' bytes from which on they are worth a word
_SHARE: Final = 0.05


def wasted(subject: LayerOf, context: ImageContext) -> Iterator[Match]:
    """HI418: a layer brings what later ones delete or replace, and is shipped all the same."""
    contents, summary = subject.contents, subject.summary
    total = sum(each.bytes for each in contents.view.layers)
    if summary.wasted >= _WASTE and summary.wasted >= total * _SHARE:
        values = {"wasted": size_text(summary.wasted), "bytes": size_text(summary.bytes)}
        severity = None if subject.step.own else Severity.INFO
        yield Match(subject.step.span, values, severity=severity, about=f"layer:{subject.step.text}")


CHECKS: Final[Mapping[str, Check]] = {
    "HI401": host_key,
    "HI402": authorized_keys,
    "HI403": package_cache,
    "HI404": language_cache,
    "HI406": version_control,
    "HI407": litter,
    "HI408": build_files,
    "HI409": dotenv,
    "HI418": wasted,
}
