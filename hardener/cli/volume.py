"""`harden volume`: make, list, show and remove named volumes, with the words and columns of `docker volume`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from hardener.cli import named
from hardener.errors import EXIT_CLEAN, HardenError
from hardener.launch import values
from hardener.runtime import volumes

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from hardener.runtime.places import Places
    from hardener.runtime.volumes import Volume

DRIVER: Final = "local"
FILTERS: Final = ("name", "label", "dangling")


def configure(parser: ArgumentParser) -> None:
    """Declare the options of `harden volume`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    create = actions.add_parser("create", help="make a volume; without a name it gets one of its own")
    create.add_argument("name", nargs="?", default="", metavar="NAME")
    create.add_argument("--label", action="append", default=[], metavar="NAME=VALUE", help="what to remember it by (may be repeated)")
    listing = actions.add_parser("ls", aliases=["list"], help="list the volumes")
    listing.add_argument("-q", "--quiet", action="store_true", help="names alone")
    listing.add_argument("-f", "--filter", action="append", default=[], metavar="KEY=VALUE", help="name=, label= or dangling=true|false")
    listing.add_argument("--format", choices=("table", "json"), default="table", help="a table, or one JSON object a line")
    inspect = actions.add_parser("inspect", help="show volumes as JSON")
    inspect.add_argument("names", nargs="+", metavar="NAME")
    remove = actions.add_parser("rm", aliases=["remove"], help="remove volumes that no container uses, with all that is in them")
    remove.add_argument("-f", "--force", action="store_true", help="one that is not there is no error")
    remove.add_argument("names", nargs="+", metavar="NAME")
    prune = actions.add_parser("prune", help="remove the volumes without a name of yours that no container uses")
    prune.add_argument("-a", "--all", action="store_true", help="also those with a name")
    prune.add_argument("-f", "--force", action="store_true", help="do not ask")


def run(args: Namespace) -> int:
    """Do what is asked with the volumes of who runs us."""
    home = named.here()
    match args.action:
        case "create":
            print(volumes.create(home, args.name, values.pairs(args.label, "--label")).name)
            return EXIT_CLEAN
        case "ls" | "list":
            return _list(home, args)
        case "inspect":
            return _inspect(home, args.names)
        case "rm" | "remove":
            return _remove(home, args.names, force=args.force)
        case _:
            return _prune(home, everything=args.all, force=args.force)


def _list(home: Places, args: Namespace) -> int:
    found = [volume for volume in volumes.volumes(home) if all(_matches(home, volume, entry) for entry in args.filter)]
    if args.quiet:
        rows = [volume.name for volume in found]
    elif args.format == "json":
        from json import dumps

        rows = [dumps(_shown(volume)) for volume in found]
    else:
        rows = [f"{'DRIVER':<10}VOLUME NAME", *(f"{DRIVER:<10}{volume.name}" for volume in found)]
    sys.stdout.write("".join(f"{row}\n" for row in rows))
    return EXIT_CLEAN


def _matches(home: Places, volume: Volume, entry: str) -> bool:
    key, equals, value = entry.partition("=")
    if key not in FILTERS or not equals:
        raise HardenError(f"unknown filter {entry!r}", where="--filter", how=f"known: {', '.join(f'{name}=' for name in FILTERS)}")
    if key == "name":
        return value in volume.name
    if key == "label":
        name, equals, wanted = value.partition("=")
        labels = volume.labels or {}
        return name in labels and (not equals or labels[name] == wanted)
    if value not in ("true", "false"):
        raise HardenError(f"{value!r} is neither true nor false", where=f"--filter {entry}", how="write one of them")
    return bool(volumes.users(home, volume)) == (value == "false")


def _shown(volume: Volume) -> dict[str, object]:
    shown = {"CreatedAt": volume.created_at, "Driver": DRIVER, "Labels": volume.labels, "Mountpoint": volume.path}
    return {**shown, "Name": volume.name, "Options": None, "Scope": "local"}


def _inspect(home: Places, names: list[str]) -> int:
    from json import dumps

    found: list[Volume] = []
    code = named.each(names, lambda name: found.append(_known(home, name)))
    print(dumps([_shown(volume) for volume in found], indent=4))
    return code


def _remove(home: Places, names: list[str], *, force: bool) -> int:
    def remove(name: str) -> None:
        volume = volumes.find(home, name) if force else _known(home, name)
        if volume is not None:
            volumes.remove(home, volume)
        print(name)

    return named.each(names, remove)


def _known(home: Places, name: str) -> Volume:
    volume = volumes.find(home, name)
    if volume is None:
        raise HardenError(f"there is no volume {name}", how="`harden volume ls` lists them")
    return volume


def _prune(home: Places, *, everything: bool, force: bool) -> int:
    which = "all volumes" if everything else "all volumes without a name of yours"
    if not force and not named.agreed(f"This removes {which} that no container uses. Go on? [y/N] ", "harden volume prune"):
        return EXIT_CLEAN
    unused = [one for one in volumes.volumes(home) if (everything or one.anonymous) and not volumes.users(home, one)]
    size = 0
    for volume in unused:
        size += _size(volume.path)
        volumes.remove(home, volume)
    if unused:
        print("Deleted Volumes:\n" + "\n".join(volume.name for volume in unused) + "\n")
    print(f"Total reclaimed space: {size} B")
    return EXIT_CLEAN


def _size(folder: str) -> int:
    return sum(
        os.lstat(os.path.join(above, name)).st_blocks * 512 for above, folders, names in os.walk(folder) for name in (*folders, *names)
    )
