"""`harden image diff`: what is different in a second image."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from hardener.cli import image_options, named
from hardener.errors import EXIT_CLEAN, EXIT_FINDINGS

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

    from hardener.images.image import Image
    from hardener.images.packages.model import Package
    from hardener.images.tar import Entry
    from hardener.images.view import View
    from hardener.rules.image_changes import ConfigChange, Digests, FileChange, PackageChange

_LETTERS: Final = {"file": "-", "folder": "d", "symlink": "l", "hardlink": "-", "fifo": "p", "char": "c", "block": "b"}
MOST: Final = 200  # files that the text lists of each side before it counts them


def configure(parser: ArgumentParser) -> None:
    """Declare the options of `harden image diff`."""
    image_options.configure(parser)
    parser.add_argument("other", metavar="OTHER", help="the image to compare it with")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="for people, or JSON")
    parser.add_argument("--exit-code", action="store_true", help="exit 1 when there is a difference, as git diff does")
    parser.add_argument("--all", action="store_true", help=f"list all files, not the first {MOST}")


def run(args: Namespace) -> int:
    """Print what differs from the first image to the second."""
    from hardener.rules import image_changes

    data = named.here().data
    old = image_options.image(args, data)
    args.image = args.other
    new = image_options.image(args, data)
    old_view, old_digests, old_packages = _look(old)
    new_view, new_digests, new_packages = _look(new)
    config = list(image_changes.config(old, new))
    packages = list(image_changes.packages(old_packages, new_packages))
    files = list(image_changes.files(old_view, new_view, old_digests, new_digests))
    if args.format == "json":
        sys.stdout.write(_json(old, new, config, packages, files))
    else:
        sys.stdout.write("".join(f"{line}\n" for line in _text(old, new, config, packages, files, everything=args.all)))
    return EXIT_FINDINGS if args.exit_code and (config or packages or files) else EXIT_CLEAN


def _look(image: Image) -> tuple[View, Digests, tuple[Package, ...]]:
    from hardener.images.packages.scanner import PackageScanner
    from hardener.images.scan import scan
    from hardener.rules.image_changes import Digests

    digests, packages = Digests(), PackageScanner()
    view = scan(image, (digests, packages))
    return view, digests, packages.packages(view)


def _text(
    old: Image, new: Image, config: list[ConfigChange], packages: list[PackageChange], files: list[FileChange], *, everything: bool
) -> Iterator[str]:
    from hardener.reports.excerpt import visible

    yield f"--- {visible(old.name)} ({old.digest[:19]})"
    yield f"+++ {visible(new.name)} ({new.digest[:19]})"
    for key, change, other in ((each.key, each.old, each.new) for each in config):
        if change is not None:
            yield f"- {visible(key)}{f' {visible(change)}' if change else ''}"
        if other is not None:
            yield f"+ {visible(key)}{f' {visible(other)}' if other else ''}"
    if packages:
        yield f"packages: {len(packages)} differ"
        for package in packages:
            yield f"{_sign(package.old, package.new)} {package.kind} {visible(package.name)} {_versions(package.old, package.new)}"
    if files:
        added = sum(each.old is None for each in files)
        deleted = sum(each.new is None for each in files)
        yield f"files: {added} added, {len(files) - added - deleted} changed, {deleted} deleted"
        for each in files if everything else files[:MOST]:
            yield f"{_sign(each.old, each.new)} {_entries(each)}  /{visible(each.path)}"
        if len(files) > MOST and not everything:
            yield f"… and {len(files) - MOST} more: --all lists them"
    if not (config or packages or files):
        yield "no difference in configuration, packages and files"


def _sign(old: object, new: object) -> str:
    return "+" if not old else "-" if not new else "~"


def _versions(old: tuple[str, ...], new: tuple[str, ...]) -> str:
    from hardener.reports.excerpt import visible

    sides = [visible(", ".join(each)) for each in (old, new) if each]
    return " → ".join(sides)


def _entries(change: FileChange) -> str:
    sides = [_entry(each) for each in (change.old, change.new) if each is not None]
    if len(sides) == 2 and sides[0] == sides[1]:
        return f"{sides[0]} (content)" if not change.same_content else f"{sides[0]} (attributes)"
    return " → ".join(sides)


def _entry(entry: Entry) -> str:
    return f"{_LETTERS[entry.kind]}{entry.mode & 0o7777:04o} {entry.uid}:{entry.gid} {entry.size}"


def _json(old: Image, new: Image, config: list[ConfigChange], packages: list[PackageChange], files: list[FileChange]) -> str:
    from json import dumps

    def side(entry: Entry | None) -> dict[str, object] | None:
        if entry is None:
            return None
        found: dict[str, object] = {"kind": entry.kind, "mode": f"{entry.mode & 0o7777:04o}", "uid": entry.uid, "gid": entry.gid}
        return {**found, "size": entry.size, **({"link": entry.link} if entry.link else {})}

    document = {
        "version": 1,
        "old": {"image": old.name, "digest": old.digest},
        "new": {"image": new.name, "digest": new.digest},
        "config": [{"key": each.key, "old": each.old, "new": each.new} for each in config],
        "packages": [{"kind": each.kind, "name": each.name, "old": list(each.old), "new": list(each.new)} for each in packages],
        "files": [
            {"path": f"/{each.path}", "old": side(each.old), "new": side(each.new), "same_content": each.same_content} for each in files
        ],
    }
    return dumps(document, indent=2).encode("utf-8", "backslashreplace").decode() + "\n"
