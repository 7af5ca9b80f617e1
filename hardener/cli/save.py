"""`harden save`: write images to an archive, for docker, podman, skopeo, or another machine."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from hardener.cli import named
from hardener.errors import EXIT_CLEAN, HardenError
from hardener.launch import stock
from hardener.oci import reference

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import BinaryIO

    from hardener.images.storing import Stock
    from hardener.images.writing import Wanted

FORMATS = ("docker-archive", "oci-archive", "oci")


def configure(parser: ArgumentParser) -> None:
    """Declare options as `docker save` has them."""
    parser.add_argument("-o", "--output", default="", metavar="FILE", help="the file, or folder, to write; without it standard output")
    parser.add_argument(
        "--format", choices=FORMATS, default=FORMATS[0], help="as docker writes and loads it, an OCI archive, or an OCI layout in a folder"
    )
    parser.add_argument(
        "--platform", default="", metavar="OS/ARCH", help="which of an image's platforms (default: this machine's, or all of OCI)"
    )
    parser.add_argument("names", nargs="+", metavar="IMAGE", help="a name, or the beginning of a digest")


def run(args: Namespace) -> int:
    """Write the images."""
    from hardener.images import writing

    store = stock.writing(named.here())
    with store.using():
        wanted = _wanted(store, args.names)
        if args.format == writing.LAYOUT:
            _folder(store, wanted, args.output, args.platform)
        elif args.output and os.path.exists(args.output) and not os.path.isfile(args.output):
            _into(store, wanted, args)
        elif args.output:
            scratch = f"{args.output}.{os.getpid()}.tmp"
            try:
                with _made(scratch) as file:
                    _archive(store, wanted, file, args.format, args.platform)
                os.replace(scratch, args.output)
            except OSError as error:
                raise _unwritten(error, args.output) from None
            finally:
                if os.path.exists(scratch):
                    os.unlink(scratch)
        else:
            _stream(store, wanted, args.format, args.platform)
    return EXIT_CLEAN


def _wanted(store: Stock, texts: list[str]) -> list[Wanted]:
    """Return the images that are named, each once, with the names that were used for it."""
    from hardener.images.store import name_of
    from hardener.images.writing import Wanted

    found: dict[str, Wanted] = {}
    for text in texts:
        image = stock.known(store, text)
        name = name_of(image)
        by_name = name == reference.full(reference.split(text)) and "@" not in name
        wanted = found.setdefault(image.digest, Wanted(image, ()))
        if by_name and name not in wanted.names:
            wanted.names += (name,)
    return [*found.values()]


def _archive(store: Stock, wanted: list[Wanted], file: BinaryIO, form: str, platform: str) -> None:
    from hardener.images import writing

    tar = writing.Tar(file)
    writing.write(wanted, store, tar, form, platform)
    tar.end()


def _made(path: str) -> BinaryIO:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    return open(fd, "w+b")


def _into(store: Stock, wanted: list[Wanted], args: Namespace) -> None:
    """Write an archive to a pipe or a device, in whose place no file may come."""
    try:
        with open(args.output, "wb") as out:
            _copy(store, wanted, out, args.format, args.platform)
    except OSError as error:
        raise _unwritten(error, args.output) from None


def _copy(store: Stock, wanted: list[Wanted], out: BinaryIO, form: str, platform: str) -> None:
    """Write an archive to where one cannot go back: first to a file that has no name."""
    from shutil import copyfileobj
    from tempfile import TemporaryFile

    with TemporaryFile(dir=store.folder) as file:
        _archive(store, wanted, file, form, platform)
        file.seek(0)
        copyfileobj(file, out, 1 << 20)


def _stream(store: Stock, wanted: list[Wanted], form: str, platform: str) -> None:
    """Write an archive to standard output."""
    if sys.stdout.isatty():
        raise HardenError("an archive is nothing to look at", where="harden save", how="name a file: -o FILE")
    try:
        _copy(store, wanted, sys.stdout.buffer, form, platform)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _unwritten(error, "standard output") from None


def _folder(store: Stock, wanted: list[Wanted], path: str, platform: str) -> None:
    from shutil import rmtree

    from hardener.images import writing

    if not path:
        raise HardenError("a layout is a folder", where="harden save --format oci", how="name it: -o DIR")
    scratch = f"{path.rstrip('/')}.{os.getpid()}.tmp"
    try:
        os.mkdir(scratch, 0o755)
        try:
            writing.write(wanted, store, writing.Folder(scratch), writing.LAYOUT, platform)
            os.rename(scratch, path)
        finally:
            rmtree(scratch, ignore_errors=True)
    except OSError as error:
        raise _unwritten(error, path) from None


def _unwritten(error: OSError, where: str) -> HardenError:
    how = "make room there" if error.errno in (28, 122) else "see whether it is there already, and whether you may write there"
    return HardenError(f"the images cannot be written: {error.strerror}", where=where, how=how)
