"""What `match:` can ask about Dockerfiles: dotted names and how each is read from a subject.

This table is the whole vocabulary of `match:`; a rule that names anything else is refused when it is loaded.
"""

from collections.abc import Mapping
from typing import Final, TypeVar

from hardener.rules.vocabulary import Atom, FactValue, Getter, Kind, SpanGetter, Subject
from hardener.sources.commands import Invocation
from hardener.sources.dockerfile import Dockerfile
from hardener.sources.expansion import Known
from hardener.sources.instructions import Instruction, Pair, Problem
from hardener.sources.stages import ImageReference, Stage, expand
from hardener.sources.unknown import UNKNOWN, UnknownType
from hardener.text import Span


class PairSubject:
    """One key=value pair together with the instruction it stands in."""

    __slots__ = ("instruction", "pair")

    def __init__(self, pair: Pair, instruction: Instruction) -> None:
        self.pair = pair
        self.instruction = instruction

    @property
    def value(self) -> str | UnknownType | None:
        """The expanded value; None for an ARG without default."""
        word = self.pair.value
        if word is None:
            return None
        value = expand(word, self.instruction)
        return value.text if isinstance(value, Known) else UNKNOWN


def line_span(instruction: Instruction) -> Span:
    """Return the span of an instruction without its heredoc bodies."""
    view = instruction.view
    return Span(instruction.keyword.start, max(instruction.keyword.end, view.end if view.text else instruction.keyword.end))


_Kind = TypeVar("_Kind")


def _as(kind: type[_Kind], subject: Subject) -> _Kind:
    if not isinstance(subject, kind):
        raise TypeError(f"expected {kind.__name__}, got {type(subject).__name__}")
    return subject


def _instruction(subject: Subject) -> Instruction:
    return subject.instruction if isinstance(subject, PairSubject | Invocation) else _as(Instruction, subject)


def _pair(subject: Subject) -> PairSubject:
    return _as(PairSubject, subject)


def _image(subject: Subject) -> ImageReference:
    return subject.image if isinstance(subject, Stage) else _as(ImageReference, subject)


def _stage(subject: Subject) -> Stage:
    return _as(Stage, subject)


def _invocation(subject: Subject) -> Invocation:
    return _as(Invocation, subject)


def _problem(subject: Subject) -> Problem:
    return _as(Problem, subject)


def _command_words(subject: Subject) -> tuple[Atom, ...]:
    return tuple(word.text if word.static else UNKNOWN for word in _invocation(subject).command.words)


def _command_args(subject: Subject) -> tuple[Atom, ...]:
    return tuple(word.text if word.static else UNKNOWN for word in _invocation(subject).command.args)


def _command_flags(subject: Subject) -> tuple[Atom, ...]:
    invocation = _invocation(subject)
    flags: list[Atom] = [flag.name for flag in invocation.options.flags]
    # A word that is one bare variable may bring flags of its own.
    if any(not word.static and not word.quoted and word.raw.startswith("$") for word in invocation.command.args):
        flags.append(UNKNOWN)
    return tuple(flags)


def _command_operands(subject: Subject) -> tuple[Atom, ...]:
    return tuple(word.text if word.static else UNKNOWN for word in _invocation(subject).options.operands)


def _in_final(subject: Subject) -> FactValue:
    stage = _instruction(subject).stage
    return stage is not None and stage.is_final


_IMAGE_FACTS: Final[dict[str, Getter]] = {
    "image": lambda subject: _image(subject).raw,
    "image.name": lambda subject: _image(subject).name,
    "image.registry": lambda subject: _image(subject).registry,
    "image.repository": lambda subject: _image(subject).repository,
    "image.tag": lambda subject: _image(subject).tag,
    "image.digest": lambda subject: _image(subject).digest,
    "image.stage": lambda subject: None if (stage := _image(subject).stage) is None else stage.label,
    "image.scratch": lambda subject: _image(subject).is_scratch,
    "image.role": lambda subject: _image(subject).role,
}
_INSTRUCTION_FACTS: Final[dict[str, Getter]] = {
    "instruction.name": lambda subject: _instruction(subject).name,
    "instruction.text": lambda subject: _instruction(subject).text,
    "instruction.exec-form": lambda subject: _instruction(subject).json is not None,
    "instruction.words": lambda subject: tuple(word.text for word in _instruction(subject).words),
    "instruction.trigger": lambda subject: _instruction(subject).is_trigger,
    "stage.final": _in_final,
}
_INSTRUCTION_PLACES: Final[dict[str, SpanGetter]] = {
    "instruction": lambda subject: line_span(_instruction(subject)),
    "instruction.keyword": lambda subject: _instruction(subject).keyword,
    "instruction.text": lambda subject: _instruction(subject).rest.span(0, len(_instruction(subject).text)),
}


def _final_from(subject: Subject) -> Span:
    stages = _as(Dockerfile, subject).stages
    return stages[-1].image.span if stages else Span(0, 0)


DOCKERFILE_KINDS: Final[Mapping[str, Kind]] = {
    "dockerfile.file": Kind({}, {}, _final_from),
    "dockerfile.stage": Kind(
        {
            **_IMAGE_FACTS,
            "stage.name": lambda subject: _stage(subject).name,
            "stage.final": lambda subject: _stage(subject).is_final,
            "stage.used": lambda subject: bool(_stage(subject).children),
        },
        {"image": lambda subject: _stage(subject).image.span, "stage.name": lambda subject: _stage(subject).name_span},
        lambda subject: _stage(subject).image.span,
    ),
    "dockerfile.image": Kind(_IMAGE_FACTS, {"image": lambda subject: _image(subject).span}, lambda subject: _image(subject).span),
    "dockerfile.instruction": Kind(_INSTRUCTION_FACTS, _INSTRUCTION_PLACES, lambda subject: line_span(_instruction(subject))),
    "dockerfile.pair": Kind(
        {
            **_INSTRUCTION_FACTS,
            "pair.key": lambda subject: _pair(subject).pair.key.text,
            "pair.value": lambda subject: _pair(subject).value,
            "pair.legacy": lambda subject: _pair(subject).pair.legacy,
        },
        {
            **_INSTRUCTION_PLACES,
            "pair.key": lambda subject: _pair(subject).pair.key.span,
            "pair.value": lambda subject: None if (value := _pair(subject).pair.value) is None else value.span,
        },
        lambda subject: _pair(subject).pair.span,
    ),
    "dockerfile.command": Kind(
        {
            **_INSTRUCTION_FACTS,
            "command": lambda subject: " ".join(word.raw for word in _invocation(subject).command.words),
            "command.name": lambda subject: _invocation(subject).name,
            "command.prefixes": lambda subject: _invocation(subject).command.prefixes,
            "command.words": _command_words,
            "command.args": _command_args,
            "command.flags": _command_flags,
            "command.operands": _command_operands,
            "command.subcommand": lambda subject: _invocation(subject).options.subcommand,
            "command.scope": lambda subject: _invocation(subject).command.scope,
        },
        {
            **_INSTRUCTION_PLACES,
            "command": lambda subject: _invocation(subject).span,
            "command.name": lambda subject: None if (word := _invocation(subject).command.name_word) is None else word.span,
        },
        lambda subject: _invocation(subject).span,
    ),
    "dockerfile.problem": Kind(
        {"problem.code": lambda subject: _problem(subject).code, "problem.message": lambda subject: _problem(subject).message},
        {},
        lambda subject: _problem(subject).span,
    ),
}


def flag_fact(name: str) -> Getter:
    """Return the getter of `flag.NAME`: the value of an instruction's flag, None when it is not given."""

    def get(subject: Subject) -> FactValue:
        flag = _instruction(subject).flag(name)
        if flag is None:
            return None
        value = flag.value
        return UNKNOWN if value is not None and "$" in value else value if value is not None else ""

    return get


def flag_place(name: str) -> SpanGetter:
    """Return the place of `flag.NAME`."""

    def get(subject: Subject) -> Span | None:
        flag = _instruction(subject).flag(name)
        return None if flag is None else flag.span

    return get


def option_fact(name: str) -> Getter:
    """Return the getter of `option.--NAME`: the value of a command's option, None when it is not given, "" when it has none."""

    def get(subject: Subject) -> FactValue:
        for flag in _invocation(subject).options.flags:
            if flag.name == name:
                value = flag.value
                return "" if value is None else UNKNOWN if "$" in value else value
        return None

    return get


def option_place(name: str) -> SpanGetter:
    """Return the place of `option.--NAME`."""

    def get(subject: Subject) -> Span | None:
        for flag in _invocation(subject).options.flags:
            if flag.name == name:
                return flag.span
        return None

    return get
