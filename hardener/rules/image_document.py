"""The text that stands for an image, so that a finding in an image has a place like any other.

It is the image's history, an instruction a line, and behind it what the configuration holds that no line of the history shows. Each
layer belongs to the line that made it. Which lines are of the base image, and so not of who built this one, is a guess from where the
base's CMD or ENTRYPOINT stands: see `_cut`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from hardener.images.image import histories
from hardener.oci.image import names
from hardener.rules import image_words
from hardener.rules.image_words import Words
from hardener.text import SourceFile, Span

if TYPE_CHECKING:
    from hardener.images.image import History, Image, Layer

_NAMED_BASE: Final = re.compile(r"FROM (?![0-9a-f]{12}(?:[0-9a-f]{52})?$)\S")  # not the number of a step before
_STARTS: Final = frozenset({"CMD", "ENTRYPOINT"})


class Step:
    """A line of the document: what made it, which layer it made, and whether it is of who built the image (`own`) or of the base."""

    __slots__ = ("arguments", "created", "history", "index", "layer", "name", "own", "span", "text")

    def __init__(self, index: int, words: Words, span: Span, history: History | None, layer: Layer | None) -> None:
        self.index = index
        self.name = words.name
        self.text = words.text
        self.arguments = words.arguments
        self.span = span
        self.history = history
        self.layer = layer
        self.own = True

    def __repr__(self) -> str:
        return f"Step({self.index}, {self.text[:60]!r})"


class ImageDocument:
    """What is judged of an image besides its files: a text, its lines, and where each part of the configuration stands in it."""

    __slots__ = ("_by_layer", "_places", "_starts", "file", "fits", "image", "steps")
    kind: Final = "image"

    def __init__(self, image: Image, file: SourceFile, steps: tuple[Step, ...], places: Mapping[str, Span], *, fits: bool) -> None:
        self.image = image
        self.file = file
        self.steps = steps
        self.fits = fits  # whether the history has as many layers as the image
        self._places = places
        self._starts = [step.span.start for step in steps]
        self._by_layer = {step.layer.index: step for step in steps if step.layer is not None}

    def of(self, layer: Layer) -> Step:
        """Return the line that made a layer."""
        return self._by_layer[layer.index]

    def place(self, *keys: str) -> Span:
        """Return where the first of some things stands that stands anywhere (`env:PATH`, `user`, `port:22/tcp`); else the last line."""
        for key in keys:
            if key in self._places:
                return self._places[key]
        return self.steps[-1].span if self.steps else self.file.line_span(1)

    def step_at(self, span: Span) -> Step | None:
        """Return the line that a place lies in."""
        at = bisect_right(self._starts, span.start) - 1
        return self.steps[at] if at >= 0 and span.start <= self.steps[at].span.end else None

    def own_from(self, first: int) -> None:
        """Correct the guess: lines from this index on are of who built the image. A given Dockerfile knows better."""
        for step in self.steps:
            step.own = step.index < 0 or step.index >= first


class _Builder:
    """Writes the document line by line."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.length = 0
        self.steps: list[Step] = []
        self.places: dict[str, Span] = {}

    def add(self, words: Words, index: int, history: History | None = None, layer: Layer | None = None) -> None:
        start = self.length
        for text, key in words.pieces:
            if key:
                self.places[key] = Span(self.length, self.length + len(text))  # the last one counts
            self.parts.append(text)
            self.length += len(text)
        span = Span(start, self.length)
        if words.name:
            self.places[words.name.lower()] = span
        self.steps.append(Step(index, words, span, history, layer))
        self.parts.append("\n")
        self.length += 1


def read(image: Image) -> ImageDocument:
    """Return the document of an image."""
    defaults = image.defaults
    env = dict(entry.partition("=")[::2] for entry in defaults.env or ())
    labels = defaults.labels or {}
    entries = histories(image.config)
    fits = sum(not entry.empty_layer for entry in entries) == len(image.layers)
    layers = iter(image.layers)
    builder = _Builder()
    for index, entry in enumerate(entries):
        layer = None if entry.empty_layer or not fits else next(layers)
        builder.add(image_words.words(entry.created_by, env=env, labels=labels, comment=entry.comment), index, entry, layer)
    if not fits:
        for layer in image.layers:
            builder.add(Words("", ((f"# layer {layer.index + 1}, {layer.descriptor.digest[:19]}", ""),)), -1, None, layer)
    cut = _cut(builder.steps, entries)
    for words in _unseen(image, env, labels, builder):
        builder.add(words, -1)
    document = ImageDocument(image, SourceFile(image.name, "".join(builder.parts)), tuple(builder.steps), builder.places, fits=fits)
    document.own_from(cut)
    return document


def _cut(steps: list[Step], entries: Iterable[History]) -> int:
    """Return the index of the first entry of the history that is not of the base image.

    buildah writes `FROM name` into the comment of the first entry of its own, or where it makes a single layer, of the last one, which has
    that layer. Else the base ends with the last CMD or ENTRYPOINT that entries with layers follow: an image's own come last by custom, and
    a base hardly ever goes without. Where there is none, all is own.
    """
    entries = tuple(entries)
    named = [index for index, entry in enumerate(entries) if _NAMED_BASE.match(entry.comment)]
    if named:
        first = named[-1]
        if first == len(entries) - 1:
            while first and entries[first - 1].empty_layer and not entries[first - 1].comment and steps[first - 1].name not in _STARTS:
                first -= 1
        return first
    filled = False
    for step in reversed([step for step in steps if step.index >= 0]):
        if filled and step.name in _STARTS:
            return step.index + 1
        filled = filled or (step.history is not None and not step.history.empty_layer)
    return 0


def _unseen(image: Image, env: Mapping[str, str], labels: Mapping[str, str], seen: _Builder) -> Iterable[Words]:
    """Yield what of the configuration no line of the history shows as it is."""
    defaults = image.defaults
    text = "".join(seen.parts)

    def shown(key: str, what: str) -> bool:
        span = seen.places.get(key)
        return span is not None and text[span.start : span.end] == what

    for key, table in (("env", env), ("label", labels)):
        for name, value in table.items():
            piece = image_words.pair(key, name, value)
            if not shown(piece[1], piece[0]):
                yield image_words.line("ENV" if key == "env" else "LABEL", [piece])
    ports = [(port, f"port:{port if '/' in port else f'{port}/tcp'}") for port in names(defaults.exposed_ports)]
    if missing := [piece for piece in ports if piece[1] not in seen.places]:
        yield image_words.line("EXPOSE", missing)
    if paths := [path for path in names(defaults.volumes) if f"volume:{path}" not in seen.places]:
        yield image_words.volumes(paths)
    for name, text_of in (("WORKDIR", defaults.working_dir), ("USER", defaults.user), ("STOPSIGNAL", defaults.stop_signal)):
        if text_of and not shown(name.lower(), f"{name} {text_of}"):
            yield image_words.line(name, [(text_of.replace("\n", " "), "")])
    health = image_words.health(health_test(image)) if health_test(image) else None
    if health is not None and "healthcheck" not in seen.places:
        yield health
    for name, argv in (("ENTRYPOINT", defaults.entrypoint), ("CMD", defaults.cmd)):
        if argv and name.lower() not in seen.places:
            yield image_words.command(name, argv)


def health_test(image: Image) -> list[str]:
    """Return the test of an image's HEALTHCHECK; empty when it has none."""
    check = image.defaults.healthcheck
    test = check.get("Test") if isinstance(check, dict) else None
    return [str(word) for word in test] if isinstance(test, list) else []
