"""`harden image cves`: the packages of an image against a mirror of OSV advisories that the user provides; nothing is asked of a network."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from hardener.cli import image_options
from hardener.errors import EXIT_CLEAN, EXIT_FINDINGS, EXIT_USAGE, HardenError
from hardener.finding import SEVERITIES, locate

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable

    from hardener.finding import Location
    from hardener.images.advisories.database import Database
    from hardener.images.advisories.exceptions import Rule
    from hardener.images.image import Image
    from hardener.images.packages.model import Package
    from hardener.reports.cves import Cves

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
    add("--ignore-file", action="append", default=[], metavar="FILE", help="accept what it lists: ID [PACKAGE] [expires=YYYY-MM-DD] [# why]")
    add("--vex", action="append", default=[], metavar="FILE", help="heed an OpenVEX document: not_affected and fixed")
    group = parser.add_argument_group("output")
    add = group.add_argument
    add("--format", choices=FORMATS, default="table", help="what goes to standard output (default: table)")
    add("--output", metavar="FILE", help="write the report to a file instead")
    add("--fail-on", choices=(*SEVERITIES, "never"), default=_DEFAULT, help=f"exit 1 for vulnerabilities from this severity on (default: {_DEFAULT})")
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
    from hardener.images.advisories import database
    from hardener.images.advisories import match as matching

    rules = [rule for path in args.ignore_file for rule in _ignore_file(path)]  # bad ones are told before any work is done
    database.sources(args.db)
    image = image_options.image(args)
    from hardener.images.packages.scanner import PackageScanner
    from hardener.images.scan import scan

    scanner = PackageScanner()
    view = scan(image, (scanner,))
    packages = scanner.packages(view)
    rules += [rule for path in args.vex for rule in _vex(path, image)]
    if args.write_index:
        database.write_index(args.db, args.write_index)
    system = scanner.distribution(view)
    wanted = matching.bases(packages, system)
    with _open(args.db, wanted) as held:
        matches = matching.match(packages, system, held, scanner.owned(view).owner)
        report = _report(args, image, packages, scanner.notes, f"{system.id} {system.version_id}".strip(), held, matches, rules)
    errors = () if args.partial else tuple(_blind(report))
    if args.format == "sarif":
        from hardener.reports import cves_sarif

        shown = cves_sarif.log(report, _places(image, packages), errors)
    else:
        from hardener.reports import cves

        color = not args.output and color_wanted(args.color, sys.stdout)
        shown = cves.json(report) if args.format == "json" else cves.text(report, color=color)
    if args.output:
        write_report(shown, args.output)
    else:
        say(shown)
    for error in errors:
        image_options.notice(error)
    if errors:
        return EXIT_USAGE
    return EXIT_FINDINGS if report.verdict.failing else EXIT_CLEAN


def _ignore_file(path: str) -> tuple[Rule, ...]:
    from hardener.images.advisories import exceptions

    return exceptions.ignore_file(path)


def _vex(path: str, image: Image) -> tuple[Rule, ...]:
    from hardener.images.advisories import exceptions

    names = [image.name, image.digest, image.index_digest]
    if image.reference is not None:
        names += [str(image.reference), f"{image.reference.registry}/{image.reference.repository}"]
    return exceptions.vex(path, [name for name in names if name])


def _open(path: str, wanted: frozenset[str]) -> Database:
    from hardener.cli.inputs import cache_folder
    from hardener.images.advisories import database, ecosystems

    def worth(folder: str) -> bool:
        return folder.partition(":")[0] in wanted or not ecosystems.is_known(folder)

    return database.open_database(path, worth, cache_folder(), tell=image_options.notice)


def _report(args: Namespace, image: Image, packages, unread, distribution: str, held: Database, matches, rules: list[Rule]) -> Cves:
    from hardener.cli.terminal import today
    from hardener.images.advisories.verdict import decide
    from hardener.reports.cves import Cves, Place

    verdict = decide(
        matches, packages, rules, today=today(), ignore_unfixed=args.ignore_unfixed, fail_on=SEVERITIES.get(args.fail_on)
    )
    places = tuple(
        Place(part.source.path, part.built.records, part.built.withdrawn, part.built.unreadable_count, part.built.unreadable) for part in held.parts
    )
    return Cves(image.name, image.digest, distribution, packages, [_origin(package) for package in packages], unread, args.db, places, verdict)
