"""Where the findings of an image stand in a repository: in its Dockerfile, line by line, or in the line that names the image.

A history and the Dockerfile it comes from are laid side by side from their ends: the same instructions in the same order, as alike as they
can be. Variables are replaced in the one and not in the other, and either may be newer; what has no partner stands at the FROM.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from hardener.engine import ignores
from hardener.errors import HardenError
from hardener.text import Place, SourceFile, Span

if TYPE_CHECKING:
    from hardener.engine.selection import Selector
    from hardener.images.image import Image
    from hardener.rules.image_document import ImageDocument, Step
    from hardener.sources.dockerfile import Dockerfile
    from hardener.sources.instructions import Instruction
    from hardener.sources.stages import Stage

    class Anchors(Protocol):
        """Where findings go."""

        files: Sequence[tuple[SourceFile, str]]  # that they may stand in, with their absolute paths; the first one's configuration counts

        def align(self, document: ImageDocument) -> None:
            """Learn the text of an image, before any finding of it comes."""

        def place(self, span: Span) -> Place:
            """Return where a finding goes that stands at a place of the image's text."""

        def comments(self, file: SourceFile, selector: Selector, *, today: str, forbidden: Iterable[str]) -> ignores.Ignores:
            """Return the ignore comments of one of the files."""


_WORD: Final = re.compile(r"[\w./:-]+")
_ALIKE: Final = 0.34  # the share of words that two lines must have in common to be one
MOST: Final = 400  # instructions, or lines of a history, that are compared: a build has hardly ever more than a hundred


class InDockerfile:
    """Findings stand in the lines of the Dockerfile that the image was built from."""

    def __init__(self, document: Dockerfile, absolute: str, target: str = "") -> None:
        """Take a Dockerfile that was parsed; `target` is the stage that was built, the last one by default. Raises `HardenError`."""
        from hardener.sources.stages import stage_named

        self.files: Sequence[tuple[SourceFile, str]] = ((document.file, absolute),)
        self._dockerfile = document
        stage = stage_named(document, target, None) if target else (document.stages[-1] if document.stages else None)
        if stage is None:
            known = ", ".join(each.name for each in document.stages if each.name)
            how = f"its stages are {known}" if target and known else "name the Dockerfile that the image was built from"
            raise HardenError(f"there is no stage {target!r}" if target else "there is no FROM", where=document.file.path, how=how)
        self._stage: Stage = stage
        self._partners: dict[int, Instruction] = {}
        self._text: ImageDocument | None = None

    def align(self, document: ImageDocument) -> None:
        """Find the instruction of each line of a history."""
        self._text = document
        instructions = [each for stage in reversed(list(self._stage.lineage())) for each in stage.instructions][-MOST:]
        steps = [step for step in document.steps if step.index >= 0][-MOST:]
        self._partners = {steps[at].index: instructions[with_] for at, with_ in _pairs(steps, instructions)}
        if self._partners:
            document.own_from(min(self._partners))

    def place(self, span: Span) -> Place:
        """Return the part of the instruction that has the same text, else the instruction; at the FROM what no instruction has made."""
        file = self._dockerfile.file
        document = self._text
        step = document.step_at(span) if document is not None else None
        if document is None or step is None:
            return Place(file, self._stage.image.span)
        instruction = self._partners.get(step.index) if step.index >= 0 else None
        if instruction is None:
            base = step.index >= 0 and not step.own
            return Place(file, (self._stage.root if base else self._stage).image.span)
        if span != step.span:
            whole = file.slice(instruction.span)
            for text in (document.file.slice(span), document.file.slice(span).strip('"').removesuffix("/tcp")):
                if text and whole.count(text) == 1:
                    start = instruction.span.start + whole.index(text)
                    return Place(file, Span(start, start + len(text)))
        return Place(file, instruction.span)

    def comments(self, file: SourceFile, selector: Selector, *, today: str, forbidden: Iterable[str]) -> ignores.Ignores:
        """Return the ignore comments of the Dockerfile."""
        return ignores.read(self._dockerfile, selector, today=today, forbidden=forbidden)


def _pairs(steps: Sequence[Step], instructions: Sequence[Instruction]) -> list[tuple[int, int]]:
    """Return the alignment of two sequences with the most in common, as indices into both."""
    words = [frozenset(_WORD.findall(step.text)) for step in steps]
    theirs = [frozenset(_WORD.findall(f"{each.name} {each.text}")) for each in instructions]
    best = [[0.0] * (len(instructions) + 1) for _ in range(len(steps) + 1)]
    alike = [[0.0] * len(instructions) for _ in steps]
    for at in range(len(steps) - 1, -1, -1):
        for other in range(len(instructions) - 1, -1, -1):
            found = 0.0
            if steps[at].name == instructions[other].name:
                found = alike[at][other] = _likeness(words[at], theirs[other], steps[at].name)
            together = best[at + 1][other + 1] + found if found else 0.0
            best[at][other] = max(together, best[at + 1][other], best[at][other + 1])
    pairs = []
    at = other = 0
    while at < len(steps) and other < len(instructions):
        if alike[at][other] and best[at][other] == best[at + 1][other + 1] + alike[at][other]:
            pairs.append((at, other))
            at, other = at + 1, other + 1
        elif best[at][other] == best[at + 1][other]:
            at += 1
        else:
            other += 1
    return pairs


def _likeness(one: frozenset[str], other: frozenset[str], name: str) -> float:
    """Return how much two lines of the same instruction have in common; 0 when they are different ones."""
    share = len(one & other) / max(1, len(one | other))
    if name in ("RUN", "ENV", "LABEL", "ARG") and share < _ALIKE and not any("$" in word for word in other):
        return 0.0
    return 1 + share


class InNaming:
    """Findings stand where a file names the image: a compose file's `image:`, a FROM, any other mention."""

    def __init__(self, file: SourceFile, absolute: str, image: Image, kind: str | None) -> None:
        """Find the name of the image in a file. Raises `HardenError` where it is not."""
        self.files: Sequence[tuple[SourceFile, str]] = ((file, absolute),)
        self._kind = kind
        self._span = _mention(file, image)

    def align(self, document: ImageDocument) -> None:
        """Learn nothing: all findings stand at the same place."""

    def place(self, span: Span) -> Place:
        """Return where the file names the image."""
        return Place(self.files[0][0], self._span)

    def comments(self, file: SourceFile, selector: Selector, *, today: str, forbidden: Iterable[str]) -> ignores.Ignores:
        """Return the ignore comments of the file."""
        if self._kind == "dockerfile":
            from hardener.sources import dockerfile

            return ignores.read(dockerfile.parse(file), selector, today=today, forbidden=forbidden)
        return ignores.read_lines(file, selector, today=today, forbidden=forbidden)


_NAMING: Final = re.compile(r"^[ \t]*(?:-[ \t]+)?(?:image:|FROM\b|from\b)|^[^#\n]*\b(?:docker|podman)\b", re.MULTILINE)


def _mention(file: SourceFile, image: Image) -> Span:
    """Return where a file names an image: in full, or without its tag where a variable stands for that."""
    text = file.text
    names = [image.name.removeprefix("docker://").removeprefix("docker-daemon:")]
    if image.reference is not None:
        reference = image.reference
        names += [reference.name, f"{reference.registry}/{reference.repository}", reference.repository.removeprefix("library/")]
    for name in dict.fromkeys(names):
        found = [match.span() for match in re.finditer(rf"(?<![\w./:-]){re.escape(name)}(?![\w./-])", text)]
        good = [span for span in found if _NAMING.match(text, text.rfind("\n", 0, span[0]) + 1)]
        for start, end in good or found:
            tail = re.compile(r"[:@][^\s\"',#]*").match(text, end)
            return Span(start, tail.end() if tail is not None else end)
    raise HardenError(
        f"this file does not name the image {image.name}", where=file.path, how="give --in the file that starts or builds on it"
    )
