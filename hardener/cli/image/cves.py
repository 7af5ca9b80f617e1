"""`harden image cves`: the packages of an image against a mirror of OSV advisories that the user provides, offline."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from hardener.cli import image_options, named
from hardener.errors import EXIT_CLEAN, EXIT_FINDINGS, HardenError
from hardener.finding import SEVERITIES, locate
from hardener.record import NamedTuple

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable

    from hardener.engine.image_anchors import InDockerfile
    from hardener.finding import Location
    from hardener.images.advisories.exceptions import Rule
    from hardener.images.image import Image, Layer
    from hardener.images.packages.model import Distribution, Owned, Package
    from hardener.reports.cves import Cves, Origin

FORMATS: Final = ("table", "json", "sarif")
_DEFAULT: Final = "medium"


def configure(parser: ArgumentParser) -> None:
    """Declare the options of `harden image cves`."""
    image_options.configure(parser)
    group = parser.add_argument_group("advisories")
    add = group.add_argument
    add("--db", required=True, metavar="DIR", help="a mirror of OSV: <ecosystem>/all.zip as in its bucket, folders of records, or an index")
    add("--write-index", metavar="FILE", help="also write one index of the whole mirror, which --db takes instead of it")
    add("--partial", action="store_true", help="judge by what the mirror has, and let what it has nothing on pass")
    group = parser.add_argument_group("what is accepted")
    add = group.add_argument
    add("--ignore-unfixed", action="store_true", help="leave out what no version mends yet")
    add(
        "--ignore-file", action="append", default=[], metavar="FILE", help="accept what it lists: ID [PACKAGE] [expires=YYYY-MM-DD] [# why]"
    )
    add("--vex", action="append", default=[], metavar="FILE", help="heed an OpenVEX document: not_affected and fixed")
    group = parser.add_argument_group("output")
    add = group.add_argument
    add("--format", choices=FORMATS, default="table", help="what goes to standard output (default: table)")
    add("--dockerfile", metavar="FILE", help="in SARIF, findings stand in the lines of the Dockerfile that the image was built from")
    add("--output", metavar="FILE", help="write the report to a file instead")
    add(
        "--fail-on",
        choices=(*SEVERITIES, "never"),
        default=_DEFAULT,
        help=f"exit 1 for vulnerabilities from this severity on (default: {_DEFAULT})",
    )
    add("--color", choices=("auto", "always", "never"), default="auto", help="colour the table")
    parser.epilog = (
        "Get a mirror with: curl --create-dirs -o DIR/Debian/all.zip https://osv-vulnerabilities.storage.googleapis.com/Debian/all.zip\n"
        "An ungraded vulnerability counts as medium. What cannot be decided is listed, and fails nothing.\n"
        "exit codes: 0 clean, 1 vulnerabilities at or above --fail-on, 2 usage, unreadable input, or packages of which the mirror knows\n"
        "nothing (see --partial), 3 a bug in hardener"
    )


def run(args: Namespace) -> int:
    """Look through the image, match what is in it, report, and return the exit code."""
    from hardener.cli.terminal import color_wanted, say, write_report
    from hardener.images.advisories import database, exceptions

    rules = [rule for path in args.ignore_file for rule in exceptions.ignore_file(path)]  # what is wrong is told before any work is done
    database.sources(args.db)
    anchors = _anchors(args.dockerfile)
    image = image_options.image(args, named.here().data)
    rules += [rule for path in args.vex for rule in exceptions.vex(path, _names(image))]
    if args.write_index:
        database.write_index(args.db, args.write_index)
    look = _look(image)
    report = _report(args, look, rules)
    errors = () if args.partial else tuple(_blind(report))
    if args.format == "sarif":
        from hardener.reports import cves_sarif

        shown = cves_sarif.log(report, _places(look, anchors), errors)
    else:
        from hardener.reports import cves

        color = not args.output and color_wanted(args.color, sys.stdout)
        shown = cves.json(report) if args.format == "json" else cves.text(report, color=color)
    if args.output:
        write_report(shown, args.output)
    else:
        say(shown)
    if errors:
        shown = "; ".join(errors[:5]) + ("; …" if len(errors) > 5 else "")
        raise HardenError(
            f"the image cannot be judged as a whole: {shown}",
            where=image.name,
            how="add it to the mirror, or judge by what there is with --partial",
        )
    return EXIT_FINDINGS if report.verdict.failing else EXIT_CLEAN


def _names(image: Image) -> list[str]:
    """Return what statements on an image may call it."""
    names = [image.name, image.digest, image.index_digest]
    if image.reference is not None:
        names += [str(image.reference), f"{image.reference.registry}/{image.reference.repository}"]
    return [name for name in names if name]


class _Look(NamedTuple):
    """What there is in an image."""

    image: Image
    packages: tuple[Package, ...]
    system: Distribution
    owned: Owned
    unread: tuple[str, ...]


def _look(image: Image) -> _Look:
    from hardener.images.packages.scanner import PackageScanner
    from hardener.images.scan import scan

    scanner = PackageScanner()
    view = scan(image, (scanner,))
    packages = scanner.packages(view)
    return _Look(image, packages, scanner.distribution(view), scanner.owned(view), scanner.notes)


def _report(args: Namespace, look: _Look, rules: list[Rule]) -> Cves:
    from hardener.cli.inputs import cache_folder
    from hardener.cli.terminal import today
    from hardener.images.advisories import database, ecosystems
    from hardener.images.advisories.match import bases, match
    from hardener.images.advisories.verdict import decide
    from hardener.reports.cves import Cves, Place

    wanted = bases(look.packages, look.system)

    def worth(folder: str) -> bool:
        return folder.partition(":")[0] in wanted or not ecosystems.is_known(folder)

    with database.open_database(args.db, worth, cache_folder(), tell=image_options.notice) as held:
        matches = match(look.packages, look.system, held, look.owned.owner)
        places = [
            Place(part.source.path, part.built.records, part.built.withdrawn, part.built.unreadable_count, part.built.unreadable)
            for part in held.parts
        ]
    fail_on = SEVERITIES.get(args.fail_on)
    verdict = decide(matches, look.packages, rules, today=today(), ignore_unfixed=args.ignore_unfixed, fail_on=fail_on)
    distribution = f"{look.system.id} {look.system.version_id}".strip()
    origins = [_origin(package.layer) for package in look.packages]
    return Cves(look.image.name, look.image.digest, distribution, look.packages, origins, look.unread, args.db, tuple(places), verdict)


def _origin(layer: Layer | None) -> Origin:
    from hardener.reports.cves import Origin

    if layer is None:
        return Origin(0, "")
    return Origin(layer.index + 1, layer.history.instruction if layer.history is not None else "")


def _blind(report: Cves) -> list[str]:
    """Return what keeps the image from being judged: packages that nothing is known of, and what could not be read."""
    missing = [f"nothing is known of {scope.label}: {scope.state}" for scope in report.verdict.blind]
    return [*missing, *report.unread]


def _places(look: _Look, anchors: InDockerfile | None) -> Callable[[int], Location]:
    """Return what tells where a package stands: at the line that made its layer, of the image's history or of its Dockerfile."""
    from hardener.rules import image_document

    document = image_document.read(look.image)
    if anchors is not None:
        anchors.align(document)

    def place(index: int) -> Location:
        layer = look.packages[index].layer
        span = document.of(layer).span if layer is not None else document.place()
        return locate(document.file, span) if anchors is None else locate(*anchors.place(span))

    return place


def _anchors(path: str | None) -> InDockerfile | None:
    if path is None:
        return None
    from os.path import abspath

    from hardener.engine import targets
    from hardener.engine.image_anchors import InDockerfile
    from hardener.finding import FileError
    from hardener.sources import dockerfile

    file = targets.read(targets.Target(path, abspath(path)))
    if isinstance(file, FileError):
        raise HardenError(f"this file cannot be judged: it {file.message}", where=path, how="check the path")
    return InDockerfile(dockerfile.parse(file), abspath(path))
