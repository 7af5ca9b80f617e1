"""`harden images`: list the images that are here."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from hardener.cli import named
from hardener.cli.terminal import say
from hardener.errors import EXIT_CLEAN, HardenError, suggest
from hardener.images import listing
from hardener.images.store import SHORT
from hardener.launch import stock
from hardener.runtime import clock

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from hardener.images.listing import Held

COLUMNS: Final = ("REPOSITORY", "TAG", "DIGEST", "PLATFORM", "CREATED", "SIZE")
FILTERS: Final = ("dangling", "reference")


def configure(parser: ArgumentParser) -> None:
    """Declare options as `docker images` has them."""
    parser.add_argument("-q", "--quiet", action="store_true", help="the beginnings of digests alone")
    parser.add_argument("-a", "--all", action="store_true", help="docker's: all are listed anyway")
    parser.add_argument("--digests", "--no-trunc", action="store_true", dest="whole", help="whole digests")
    parser.add_argument("-f", "--filter", action="append", default=[], metavar="KEY=VALUE", help="reference=PATTERN or dangling=true|false")
    parser.add_argument("--format", choices=("table", "json"), default="table", help="a table, or one JSON object a line")
    parser.add_argument("pattern", nargs="?", default="", metavar="REPOSITORY[:TAG]", help="only these; * stands for anything")


def run(args: Namespace) -> int:
    """Print the images by name."""
    found = listing.held(stock.reading(named.here()))
    tests = [*args.filter, *([f"reference={args.pattern}"] if args.pattern else [])]
    found = [one for one in found if all(_fits(one, text) for text in tests)]
    if args.quiet:
        lines = list(dict.fromkeys(_short(one, whole=args.whole) for one in found))
    elif args.format == "json":
        from json import dumps

        lines = [dumps(_object(one), ensure_ascii=False) for one in found]
    else:
        rows = [COLUMNS, *(_cells(one, whole=args.whole) for one in found)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
        lines = ["   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    say("".join(f"{line}\n" for line in lines))
    return EXIT_CLEAN


def _fits(one: Held, text: str) -> bool:
    key, equals, value = text.partition("=")
    if key not in FILTERS or not equals:
        how = suggest(key, FILTERS) or f"write KEY=VALUE with one of {', '.join(FILTERS)}"
        raise HardenError(f"{text!r} is not a filter", where="harden images --filter", how=how)
    if key == "dangling":
        if value not in ("true", "false"):
            raise HardenError(f"{value!r} is neither true nor false", where=f"--filter {text}", how="write one of them")
        return (not one.name) == (value == "true")
    from fnmatch import fnmatchcase

    known = (one.repository, f"{one.repository}:{one.tag}", one.name, one.name.rpartition(":")[0])
    return bool(one.name) and any(fnmatchcase(name, value) for name in known)


def _short(one: Held, *, whole: bool) -> str:
    return one.digest if whole else one.digest.partition(":")[2][:SHORT]


def _cells(one: Held, *, whole: bool) -> tuple[str, ...]:
    platform = one.platform or "damaged"
    return (one.repository, one.tag, _short(one, whole=whole), platform, _since(one.created), named.decimal(one.size))


def _since(moment: str) -> str:
    """Return how long ago something was made, if that can be: builders that want the same digest each time write 1970, or nothing."""
    try:
        seconds = time.time() - clock.parse(moment) / clock.SECOND_NS
    except ValueError:
        return "N/A"
    return f"{clock.lasting(seconds)} ago"


def _object(one: Held) -> dict[str, object]:
    return {
        "Repository": one.repository,
        "Tag": one.tag,
        "Digest": one.digest,
        "ID": one.manifest.digest if one.manifest is not None else "",
        "Platform": one.platform,
        "CreatedAt": one.created,
        "CreatedSince": _since(one.created),
        "Size": named.decimal(one.size),
        "Bytes": one.size,
    }
