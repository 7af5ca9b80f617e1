"""What Docker would refuse about an instruction, one `Problem` for each thing that is wrong.

Source: BuildKit's frontend/dockerfile/instructions/parse.go, which stops at the first error of a file; we go on.
"""

from collections.abc import Iterator
from typing import Final

from hardener.errors import suggest
from hardener.sources.instructions import BOOLEAN_FLAGS, FLAGS, HEREDOC_WORD, KEYWORDS, NOT_STRINGS, Instruction, Problem
from hardener.text import Pattern, Span

_WORD = Pattern(r"[^\t\v\f\r ]+")
_STAGE_NAME = Pattern(r"[a-z][a-z0-9-_.]*")
_DURATION = Pattern(r"[+-]?(?:0|(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)")
_DURATION_FLAGS: Final = ("interval", "timeout", "start-period", "start-interval")


def validate(instruction: Instruction) -> Iterator[Problem]:
    """Yield what BuildKit's instruction parser would refuse (frontend/dockerfile/instructions/parse.go)."""
    name = instruction.name
    keyword = instruction.keyword
    if not instruction.is_known:
        hint = suggest(name, KEYWORDS)
        yield Problem("unknown-instruction", keyword, f"unknown instruction {name!r}" + (f", {hint}" if hint else ""))
        return
    if name == "ONBUILD":
        trigger = instruction.trigger
        if trigger is None:
            yield Problem("missing-argument", keyword, "ONBUILD needs an instruction to trigger")
        elif trigger.name in ("ONBUILD", "FROM", "MAINTAINER"):
            yield Problem("bad-trigger", trigger.keyword, f"{trigger.name} is not allowed as an ONBUILD trigger")
        return
    if instruction.is_trigger and name in ("FROM", "MAINTAINER"):
        return
    if instruction.flags:
        yield from _validate_flags(instruction)
    if not instruction.rest.text:
        if not instruction.heredocs:
            yield Problem("missing-argument", keyword, f"{name} has no argument")
        return
    if name in ("RUN", "CMD", "ENTRYPOINT", "SHELL", "VOLUME", "ADD", "COPY", "HEALTHCHECK") and instruction.json is None:
        if instruction.json_error == NOT_STRINGS:
            yield Problem("bad-exec-form", instruction.command_view.span(0, len(instruction.command_view.text)), NOT_STRINGS)
            return
        if name == "SHELL":
            yield Problem(
                "bad-exec-form", instruction.rest.span(0, len(instruction.text)), 'SHELL needs the JSON form, as in ["/bin/bash", "-c"]'
            )
            return
    match name:
        case "FROM":
            yield from _validate_from(instruction)
        case "ENV" | "LABEL":
            yield from _validate_pairs(instruction)
        case "ARG":
            for pair in instruction.pairs:
                if not pair.key.raw:
                    yield Problem("bad-pair", pair.span, "ARG names cannot be blank")
        case "COPY" | "ADD":
            if len(instruction.words) < 2:
                yield Problem("missing-argument", instruction.words[0].span, f"{name} needs a source and a destination")
            elif instruction.heredocs and HEREDOC_WORD.match(instruction.words[-1].raw):
                yield Problem("bad-heredoc", instruction.words[-1].span, f"{name} cannot take a heredoc as its destination")
        case "HEALTHCHECK":
            yield from _validate_healthcheck(instruction)
        case "SHELL" | "VOLUME":
            if not instruction.words:
                yield Problem("missing-argument", instruction.rest.span(0, len(instruction.text)), f"{name} needs at least one argument")


def _validate_flags(instruction: Instruction) -> Iterator[Problem]:
    known = FLAGS.get(instruction.name, ())
    for flag in instruction.flags:
        if flag.name not in known:
            hint = suggest(flag.name, known)
            yield Problem("unknown-flag", flag.name_span, f"{instruction.name} has no flag --{flag.name}" + (f", {hint}" if hint else ""))
        elif flag.value is None and flag.name not in BOOLEAN_FLAGS:
            yield Problem("bad-flag", flag.span, f"--{flag.name} needs a value")
        elif flag.name in BOOLEAN_FLAGS and flag.value not in (None, "true", "false"):
            yield Problem("bad-flag", flag.value_span, f"--{flag.name} is true or false, not {flag.value!r}")
        elif flag.name == "network" and flag.value not in ("default", "none", "host"):
            yield Problem("bad-flag", flag.value_span, f"--network is default, none or host, not {flag.value!r}")
        elif flag.name == "security" and flag.value not in ("sandbox", "insecure"):
            yield Problem("bad-flag", flag.value_span, f"--security is sandbox or insecure, not {flag.value!r}")


def _validate_from(instruction: Instruction) -> Iterator[Problem]:
    words = instruction.words
    if len(words) == 1:
        return
    if len(words) == 3 and words[1].raw.lower() == "as":
        if not _STAGE_NAME.fullmatch(words[2].raw.lower()):
            yield Problem("bad-stage-name", words[2].span, f"{words[2].raw!r} is not a stage name: a letter, then letters, digits, - _ .")
        return
    extra = words[1] if len(words) > 1 else words[0]
    yield Problem("bad-from", Span(extra.span.start, words[-1].span.end), "FROM takes an image, and optionally AS and a name")


def _validate_pairs(instruction: Instruction) -> Iterator[Problem]:
    pairs = instruction.pairs
    if not pairs:
        yield Problem("bad-pair", instruction.rest.span(0, len(instruction.text)), f"{instruction.name} needs a name and a value")
        return
    if not pairs[0].legacy:
        for word in instruction.words:
            if "=" not in word.raw:
                yield Problem("bad-pair", word.span, f"{word.raw!r} has no '='; {instruction.name} takes name=value")
    for pair in pairs:
        if not pair.key.raw:
            yield Problem("bad-pair", pair.span, f"{instruction.name} names cannot be blank")


def _validate_healthcheck(instruction: Instruction) -> Iterator[Problem]:
    match = _WORD.match(instruction.text)
    kind = match.group() if match else ""
    if kind.upper() == "NONE":
        if instruction.text.strip() != kind:
            yield Problem("bad-healthcheck", instruction.rest.span(len(kind), len(instruction.text)), "HEALTHCHECK NONE takes no arguments")
    elif kind.upper() != "CMD":
        yield Problem("bad-healthcheck", instruction.rest.span(0, len(kind)), f"HEALTHCHECK takes CMD or NONE, not {kind!r}")
    elif not instruction.command_view.text:
        yield Problem("bad-healthcheck", instruction.rest.span(0, len(kind)), "HEALTHCHECK CMD has no command")
    for flag in instruction.flags:
        if flag.name == "retries" and flag.value is not None and not flag.value.lstrip("+").isdigit():
            yield Problem("bad-flag", flag.value_span, f"--retries is a whole number, not {flag.value!r}")
        elif flag.name in _DURATION_FLAGS and flag.value and "$" not in flag.value and not _DURATION.fullmatch(flag.value):
            yield Problem("bad-flag", flag.value_span, f"--{flag.name} is a duration such as 30s or 1m30s, not {flag.value!r}")
