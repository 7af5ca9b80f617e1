"""Checks on stages: what a stage takes from another, what it is called, and whether it has a shell at all."""

from collections.abc import Iterator, Mapping
from typing import Final

from hardener.finding import Match
from hardener.rules.checks import Check
from hardener.rules.checks.base_images import names_no_image
from hardener.rules.context import Context
from hardener.rules.reading import partial
from hardener.sources.commands import is_windows
from hardener.sources.dockerfile import Dockerfile
from hardener.sources.expansion import HOLE
from hardener.sources.instructions import Instruction
from hardener.sources.stages import ImageReference, Stage
from hardener.text import Pattern, Span

_VARIABLE = Pattern(r"\$[{A-Za-z_]")
_FILLING: Final = frozenset({"COPY", "ADD", "RUN", "WORKDIR"})
_EMPTY_STAGE_LIMIT: Final = 64  # instructions; a stage that only labels itself is short
_SHELL_FORM: Final = frozenset({"RUN", "CMD", "ENTRYPOINT", "HEALTHCHECK"})
_MAY_HOLD_A_SHELL = Pattern(r"/*(?:\./*)?$|/*(?:usr|bin|sbin|lib|lib64)(?:/|$)|.*(?:/|^)(?:[a-z]*sh|busybox|toybox)/*$")


def unknown_stage(image: ImageReference, context: Context) -> Iterator[Match]:
    """Yield `from=` names that are no stage of the file and no image that anybody knows."""
    instruction = image.instruction
    if instruction is None or instruction.stage is None or instruction.is_trigger:
        return
    name = image.raw
    if name.isdecimal():
        count = len(context.document.stages)
        if image.role == "mount":
            yield Match(image.span, {"stage": name, "why": "a mount knows stages by name only"})
        elif int(name[:9]) >= count:
            yield Match(image.span, {"stage": name, "why": f"the stages are numbered 0 to {count - 1}" if count > 1 else "there is only 0"})
    elif image.stage is None and names_no_image(image):
        from hardener.rules.variables import nearest

        names = [stage.name for stage in context.document.stages if stage.name is not None]
        lowered = name.lower()
        if lowered not in names:
            meant = nearest(lowered, names)
            why = f"perhaps {meant} is meant" if meant else "Docker will look for an image of that name"
            yield Match(image.span, {"stage": name, "why": why})


def stage_not_built_yet(image: ImageReference, context: Context) -> Iterator[Match]:
    """Yield `from=` names of the stage itself or of a later one."""
    instruction = image.instruction
    if instruction is None or instruction.is_trigger or image.stage is not None:
        return
    own = instruction.stage
    if own is None:
        return
    stages = context.document.stages
    name = image.raw.lower()
    if name.isdecimal():
        found = stages[int(name[:9])] if image.role == "copy" and own.index <= int(name[:9]) < len(stages) else None
    else:
        found = next((stage for stage in stages[own.index :] if stage.name == name), None)
    if found is not None:
        what = "is this very stage" if found is own else "comes later in the file"
        span = found.name_span or found.image.span
        yield Match(image.span, {"stage": image.raw, "what": what}, ((span, "the stage"),))


def variable_in_from(image: ImageReference, context: Context) -> Iterator[Match]:
    """Yield variables where Docker expands none."""
    if _VARIABLE.search(image.raw):
        yield Match(image.span, {"image": image.raw, "flag": "COPY --from" if image.role == "copy" else "--mount from"})


def copy_from_empty_stage(image: ImageReference, context: Context) -> Iterator[Match]:
    """Yield copies from a stage into which nothing was ever put."""
    source, instruction = image.stage, image.instruction
    if source is None or instruction is None or all(_may_be_empty(word.text) for word in instruction.words[:-1]):
        return
    stage = source
    for _ in range(_EMPTY_STAGE_LIMIT):
        instructions = stage.instructions
        if len(instructions) > _EMPTY_STAGE_LIMIT or any(instruction.name in _FILLING for instruction in instructions):
            return
        if stage.base is None:
            break
        stage = stage.base
    if stage.base is None and stage.image.is_scratch:
        yield Match(image.span, {"stage": source.label}, ((source.origin.keyword, "the stage starts here"),))


def _may_be_empty(path: str) -> bool:
    """Whether a source is there, or need not be there, even when no file is: the root, or a pattern."""
    return not path.strip("./") or any(mark in path for mark in "*?[$")


def duplicate_stage_name(document: Dockerfile, context: Context) -> Iterator[Match]:
    """Yield the second and later uses of a stage name."""
    seen: dict[str, Span] = {}
    for stage in document.stages:
        if stage.name is None or stage.name_span is None:
            continue
        first = seen.setdefault(stage.name, stage.name_span)
        if first is not stage.name_span:
            yield Match(stage.name_span, {"name": stage.name}, ((first, "first used here"),))


def no_shell(document: Dockerfile, context: Context) -> Iterator[Match]:
    """Yield shell-form commands in stages that start empty, or from distroless, and were given no shell."""
    bare: set[int] = set()  # indices of stages that end without a shell
    for stage in document.stages:
        if not (_starts_without_shell(stage) or (stage.base is not None and stage.base.index in bare)) or is_windows(stage.origin):
            continue
        ran = False
        started: dict[str, Instruction] = {}  # what starts the container may come before the copy that brings the shell
        for instruction in stage.instructions:
            name = instruction.name
            if name == "SHELL" or (name in ("COPY", "ADD") and _may_bring_shell(instruction)):
                break
            if name not in _SHELL_FORM or instruction.json is not None or not instruction.command_view.text:
                continue
            if name != "RUN":
                started.setdefault(name, instruction)
            elif not ran and not any(mount.get("from") is not None for mount in instruction.mounts):
                ran = True
                yield Match(instruction.keyword, {"name": name, "image": stage.image.raw})
        else:
            bare.add(stage.index)
            for name, instruction in started.items():
                yield Match(instruction.keyword, {"name": name, "image": stage.image.raw})


def _starts_without_shell(stage: Stage) -> bool:
    image = stage.image
    if stage.base is not None:
        return False
    if image.is_scratch:
        return True
    name, tag = image.name, image.tag
    return (
        isinstance(name, str) and name.startswith("gcr.io/distroless/") and (tag is None or (isinstance(tag, str) and "debug" not in tag))
    )


def _may_bring_shell(instruction: Instruction) -> bool:
    """Whether a COPY or ADD could bring a shell: a whole tree, something below /bin, or a file that is called like one."""
    words = instruction.words
    if len(words) < 2 or (instruction.name == "ADD" and not words[0].raw.startswith(("http://", "https://"))):
        return True  # ADD unpacks archives
    target = partial(words[-1], instruction)
    return HOLE in target or _MAY_HOLD_A_SHELL.match(target) is not None


CHECKS: Final[Mapping[str, Check]] = {
    "HD815": unknown_stage,
    "HD816": stage_not_built_yet,
    "HD817": variable_in_from,
    "HD818": copy_from_empty_stage,
    "HD819": duplicate_stage_name,
    "HD838": no_shell,
}
