"""`harden image layers`: what each layer is, what made it, what it added, changed and deleted, and what of it is wasted."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from hardener.cli import image_options, named
from hardener.errors import EXIT_CLEAN

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from hardener.images.image import Image
    from hardener.images.scan import Scanner
    from hardener.images.tar import Entry
    from hardener.images.view import LayerSummary, View
    from hardener.rules.image_document import Step

LARGEST: Final = 10  # files of a layer that --files lists
_WIDE: Final = 100  # characters of an instruction in the table


def configure(parser: ArgumentParser) -> None:
    """Declare the options of `harden image layers`."""
    image_options.configure(parser)
    parser.add_argument("--files", action="store_true", help=f"list the {LARGEST} largest files of each layer")
    parser.add_argument("--format", choices=("table", "json"), default="table", help="a table, or JSON")
    parser.add_argument("--no-trunc", action="store_true", help="print instructions whole")


def run(args: Namespace) -> int:
    """Print the layers of an image, the lowest first."""
    from hardener.images.scan import scan
    from hardener.rules import image_document

    image = image_options.image(args, named.here().data)
    largest = Largest()
    scanners: tuple[Scanner, ...] = (largest,) if args.files else ()
    view = scan(image, scanners)
    document = image_document.read(image)
    rows = [(summary, document.of(summary.layer)) for summary in view.layers]
    text = _json(image, view, rows, largest, files=args.files) if args.format == "json" else _table(view, rows, largest, args)
    sys.stdout.write(text)
    return EXIT_CLEAN


class Largest:
    """A scanner that remembers the largest files of each layer, and looks into none."""

    def __init__(self) -> None:
        self.found: dict[int, list[tuple[int, str]]] = {}

    def wants(self, entry: Entry, layer: object) -> int:
        """Note the size of a file."""
        found = self.found.setdefault(getattr(layer, "index", 0), [])
        if entry.kind == "file" and (len(found) < LARGEST or entry.size > found[-1][0]):
            found.append((entry.size, entry.name))
            found.sort(key=lambda each: (-each[0], each[1]))
            del found[LARGEST:]
        return 0

    def see(self, entry: Entry, layer: object, content: bytes, offset: int) -> None:
        """Do nothing: no content was wanted."""

    def part(self) -> _Part:
        """Return one for a layer that somebody else reads."""
        return _Part()

    def give(self, layer: object, taken: dict[int, list[tuple[int, str]]]) -> None:
        """Know what a part knows."""
        self.found.update(taken)


class _Part(Largest):
    """One for one layer."""

    held: Final = 0

    def take(self) -> dict[int, list[tuple[int, str]]]:
        """Return what was found."""
        return self.found


def _table(view: View, rows: list[tuple[LayerSummary, Step]], largest: Largest, args: Namespace) -> str:
    from hardener.reports.excerpt import visible
    from hardener.rules.image_survey import size_text

    lines = [f"{'#':>3}  {'SIZE':>8}  {'UNPACKED':>8}  {'WASTED':>8}  {'ADDED':>7}  {'CHANGED':>7}  {'DELETED':>7}  MADE BY"]
    for summary, step in rows:
        made = visible(" ".join(_instruction(step).split()))
        made = made if args.no_trunc or len(made) <= _WIDE else f"{made[: _WIDE - 1]}…"
        layer = summary.layer
        wasted = size_text(summary.wasted) if summary.wasted else "-"
        lines.append(
            f"{layer.index + 1:>3}  {size_text(layer.descriptor.size):>8}  {size_text(summary.bytes):>8}  {wasted:>8}  {summary.added:>7}  "
            f"{summary.changed:>7}  {summary.deleted:>7}  {'' if step.own else '(base) '}{made}"
        )
        if args.files:
            for size, name in largest.found.get(layer.index, ()):
                fate = view.fate(name, layer)
                end = f"  {'deleted' if view.deleted(name, layer) else 'overwritten'} by layer {fate.index + 1}" if fate is not None else ""
                lines.append(f"{'':>5}{size_text(size):>8}  /{visible(name)}{end}")
    size, unpacked, wasted_bytes = (
        sum(each.layer.descriptor.size for each, _ in rows),
        sum(each.bytes for each, _ in rows),
        sum(each.wasted for each, _ in rows),
    )
    share = f" ({100 * wasted_bytes / unpacked:.0f} %)" if unpacked else ""
    lines.append(
        f"{len(rows)} layer{'s' if len(rows) != 1 else ''}, {size_text(size)} to pull, "
        f"{size_text(unpacked)} unpacked, of which {size_text(wasted_bytes)} wasted{share}"
    )
    lines += [f"note: {visible(note)}" for note in view.notes]
    return "".join(f"{line}\n" for line in lines)


def _json(image: Image, view: View, rows: list[tuple[LayerSummary, Step]], largest: Largest, *, files: bool) -> str:
    from json import dumps

    layers = []
    for summary, step in rows:
        layer = summary.layer
        described: dict[str, object] = {
            "index": layer.index + 1,
            "digest": layer.descriptor.digest,
            "diff_id": layer.diff_id,
            "size": layer.descriptor.size,
            "bytes": summary.bytes,
            "wasted": summary.wasted,
            "entries": summary.entries,
            "added": summary.added,
            "changed": summary.changed,
            "deleted": summary.deleted,
            "base": not step.own,
            "instruction": _instruction(step),
            "created": step.history.created if step.history is not None else "",
        }
        if files:
            described["files"] = [
                {"path": f"/{name}", "size": size, "fate": _fate(view, name, summary)} for size, name in largest.found.get(layer.index, ())
            ]
        layers.append(described)
    document = {"version": 1, "image": image.name, "digest": image.digest, "layers": layers, "notes": list(view.notes)}
    # Names that are not UTF-8 become escapes: what reads JSON expects text.
    return dumps(document, indent=2).encode("utf-8", "backslashreplace").decode() + "\n"


def _instruction(step: Step) -> str:
    """Return what made a layer, without the credentials in it."""
    from hardener.rules.image_credentials import found, redacted

    return redacted(step.text, {*found(step.arguments, (step.text,))})


def _fate(view: View, name: str, summary: LayerSummary) -> dict[str, object] | None:
    end = view.fate(name, summary.layer)
    return None if end is None else {"layer": end.index + 1, "how": "deleted" if view.deleted(name, summary.layer) else "overwritten"}
