"""Checks on layers: how many there are, which repeat another, which nobody uses, and in which order they come.

What is left behind in them has `leftovers`, what goes into them from the build context `contexts`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from hardener.finding import Match, Severity
from hardener.rules.checks import Check, contexts, leftovers
from hardener.rules.checks.builds import build_of, is_development, sources
from hardener.rules.checks.managers import INSTALL, PROJECT
from hardener.rules.context import Context
from hardener.rules.reading import known
from hardener.sources.dockerfile import Dockerfile
from hardener.sources.instructions import Instruction, Word
from hardener.sources.options import options
from hardener.sources.shell import Command
from hardener.sources.stages import Stage
from hardener.sources.tools import names
from hardener.text import Pattern

_TARGETS: Final = names(
    "update release binaries binary artifact artifacts export output out vendor package packages dist cross prod production staging deploy "
    "runtime image all default debian alpine slim migrate migrations generate"
)
_SHORT: Final = 2  # commands in a RUN that may as well join the one before
_MANY_LAYERS: Final = 30
_TAR_ARCHIVE: Final = Pattern(r"[^/]+\.(?:tar|tgz|tbz2?|txz|tar\.(?:gz|bz2|xz|zst|lzma|Z))$")
_KEEPS_STATE: Final = frozenset(
    {"RUN", "LABEL", "EXPOSE", "CMD", "ENTRYPOINT", "HEALTHCHECK", "VOLUME", "STOPSIGNAL", "MAINTAINER", "ONBUILD"}
)
_VOLATILE: Final = Pattern(
    r"(?:.*_)?(?:BUILD_?(?:DATE|TIME|TIMESTAMP|NUMBER|ID)|GIT_?(?:SHA|COMMIT|HASH|REV|REVISION|REF)|VCS_REF|COMMIT(?:_?(?:SHA|HASH|ID))?|"
    r"SOURCE_COMMIT|REVISION|TIMESTAMP)",
    re.IGNORECASE,
)


def consecutive_runs(stage: Stage, context: Context) -> Iterator[Match]:
    """Yield the second of several short RUNs in a row, with how many there are."""
    build = build_of(context.document)
    if stage.index not in build.shipped:
        return
    commented = {comment.line for comment in context.document.comments}
    row: list[Instruction] = []
    for instruction in [*stage.instructions, None]:
        if instruction is not None and row and _joins(row[-1], instruction, commented):
            row.append(instruction)
            continue
        if len(row) > 1:
            yield Match(row[1].keyword, {"count": str(len(row))}, related=((row[0].keyword, "the first of them"),))
        row = [instruction] if instruction is not None and _is_short(instruction) else []


def _is_short(instruction: Instruction) -> bool:
    if instruction.name != "RUN" or instruction.json is not None or instruction.heredocs or instruction.script is None:
        return False
    return 0 < len(instruction.script.commands) <= _SHORT


def _joins(first: Instruction, second: Instruction, commented: set[int]) -> bool:
    """Whether a RUN could be a part of the one before it. A comment between them says that they are two things."""
    if not _is_short(second) or [(flag.name, flag.value) for flag in first.flags] != [(flag.name, flag.value) for flag in second.flags]:
        return False
    return second.line - first.end_line <= 2 and not any(line in commented for line in range(first.end_line + 1, second.line))


def archive_unpacked_later(stage: Stage, context: Context) -> Iterator[Match]:
    """Yield archives that COPY brings in and a later RUN unpacks."""
    copied: dict[str, Word] = {}
    for instruction in stage.instructions:
        if instruction.name == "COPY":
            for source in sources(instruction):
                text = known(source, instruction)
                match = None if text is None else _TAR_ARCHIVE.search(text)
                if match is not None:
                    copied[match.group()] = source
        elif copied and instruction.name == "RUN" and instruction.script is not None:
            for command in instruction.script.commands:
                if command.name in ("tar", "bsdtar"):
                    for archive in _unpacked(command):
                        origin = copied.pop(archive, None)
                        if origin is not None:
                            yield Match(origin.span, {"archive": origin.text}, related=((command.span, "unpacked here"),))


def _unpacked(command: Command) -> list[str]:
    """Return the names, without folders, of the archives that a tar command may take apart."""
    found = options(command)
    if not found.has("-x", "--extract", "--get"):
        return []
    texts = [*found.values("-f", "--file"), *(word.text for word in found.operands)]
    return [text.rpartition("/")[2] for text in texts]


def unused_stage(document: Dockerfile, context: Context) -> Iterator[Match]:
    """Yield the stages that nothing is built on and nothing is copied from.

    A stage with a name may be meant for `--target`: two or more of them, or a name that says so, and it is.
    """
    used, decided = build_of(document).references
    if not decided or len(document.stages) < 2:
        return
    unused = [stage for stage in document.stages if not stage.is_final and stage.index not in used]
    named = [stage for stage in unused if stage.name is not None]
    for stage in unused:
        if stage.name is None:
            yield Match(stage.image.span, {"stage": f"stage {stage.index}"})
        elif len(named) == 1 and not _is_target(stage) and stage.name_span is not None:
            yield Match(stage.name_span, {"stage": stage.name}, severity=Severity.INFO)


def _is_target(stage: Stage) -> bool:
    """Whether a stage is likely to be built by its name: it says so, or it only hands files out."""
    return is_development(stage) or stage.image.is_scratch or not _TARGETS.isdisjoint(re.split(r"[^a-z0-9]+", stage.name or ""))


def repeated_run(stage: Stage, context: Context) -> Iterator[Match]:
    """Yield a RUN that says the same as an earlier one, where nothing in between changes what it means."""
    seen: dict[tuple[str, ...], Instruction] = {}
    build = build_of(context.document)
    for instruction in stage.instructions:
        if instruction.name not in _KEEPS_STATE:
            seen.clear()  # another directory, user, variable or file: the same words do something else
        elif instruction.name == "RUN" and instruction.text:
            # An index is rightly updated again once a source was added.
            if any(use.action not in (INSTALL, PROJECT) for use in build.uses(instruction)):
                continue
            key = (" ".join(instruction.text.split()), *(heredoc.body.text for heredoc in instruction.heredocs))
            first = seen.setdefault(key, instruction)
            if first is not instruction:
                yield Match(instruction.keyword, related=((first.keyword, "the first time"),))


def many_layers(document: Dockerfile, context: Context) -> Iterator[Match]:
    """Yield a final stage whose own file adds very many layers to it."""
    if not document.stages:
        return
    final = document.stages[-1]
    count = sum(instruction.name in ("RUN", "COPY", "ADD") for stage in final.lineage() for instruction in stage.instructions)
    if count > _MANY_LAYERS:
        yield Match(final.image.span, {"count": str(count)})


def early_volatile_argument(stage: Stage, context: Context) -> Iterator[Match]:
    """Yield an ARG that differs in every build and stands before an installation that does not use it."""
    build = build_of(context.document)
    open_arguments: list[tuple[str, Instruction, int]] = []
    for instruction in stage.instructions:
        if instruction.name == "ARG":
            open_arguments += [
                (pair.key.text, instruction, index)
                for index, pair in enumerate(instruction.pairs)
                if _VOLATILE.fullmatch(pair.key.text) is not None
            ]
        elif open_arguments and instruction.name == "RUN":
            if not any(use.action in (INSTALL, PROJECT) for use in build.uses(instruction)):
                continue
            for name, argument, index in open_arguments:
                if name not in instruction.text:
                    place = argument.pairs[index].key.span
                    yield Match(place, {"name": name}, related=((instruction.keyword, "runs again in every build"),))
            open_arguments.clear()


CHECKS: Final[Mapping[str, Check]] = {
    "HD601": consecutive_runs,
    "HD602": archive_unpacked_later,
    "HD606": unused_stage,
    "HD607": repeated_run,
    "HD614": many_layers,
    "HD619": early_volatile_argument,
    **contexts.CHECKS,
    **leftovers.CHECKS,
}
