"""Checks on variables: those that nothing has set, and those that are set in vain.

What a base image sets is unknown but for a few that set nothing, so a variable that nothing in the file declares is reported only when
something shows that the author meant one that is: a near name, a later or an outer declaration.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Final

from hardener.finding import Match
from hardener.rules.checks import Check
from hardener.rules.context import Context
from hardener.sources.expansion import PLATFORM_ARGS, PROXY_ARGS
from hardener.sources.instructions import HEREDOC_WORD, Instruction
from hardener.sources.stages import Stage, Variables
from hardener.text import Pattern, Span, View

if TYPE_CHECKING:
    from hardener.rules.variables import Use

# Set in about every image, or by Docker itself.
_EVERYWHERE: Final = PROXY_ARGS | {"PATH", "HOME", "HOSTNAME", "PWD", "USER", "SHELL", "TERM", "LANG"}
_WHOLE_REST: Final = frozenset({"EXPOSE", "USER", "VOLUME", "WORKDIR", "STOPSIGNAL"})
_EXPANDED_FLAGS: Final = frozenset({"chown", "chmod", "checksum", "exclude"})
_NAMES_COMPARED: Final = 200
_LINEAGE_LIMIT: Final = 64
# Their configuration sets PATH and nothing else (docker image inspect).
_SET_NOTHING: Final = frozenset({"alpine", "busybox", "debian", "ubuntu"})
_VERSION_NAME = Pattern(r"[A-Z0-9_]+_(?:VERSION|HOME|MAJOR)")
# Nothing of the environment is read between two of these.
_TRANSPARENT: Final = frozenset({"LABEL", "EXPOSE", "MAINTAINER", "STOPSIGNAL", "VOLUME"})


def _expanded(instruction: Instruction) -> Iterator[View]:
    """Yield the texts of an instruction in which Docker replaces variables. Those with single quotes, which keep a `$`, are left out."""
    name = instruction.name
    if name in ("ENV", "LABEL", "ARG"):
        for pair in instruction.pairs:
            if pair.value is not None and "$" in pair.value.raw and "'" not in pair.value.raw:
                yield pair.value.view
    elif name in ("COPY", "ADD"):
        for word in instruction.words:
            if "$" in word.raw and "'" not in word.raw and not HEREDOC_WORD.match(word.raw):
                yield word.view
        file = instruction.document.file
        for flag in instruction.flags:
            if flag.name in _EXPANDED_FLAGS and flag.value and "$" in flag.value:
                yield View.of(file, flag.value_span)
    elif name in _WHOLE_REST and "$" in instruction.text and "'" not in instruction.text:
        yield instruction.rest


def _uses(instruction: Instruction) -> "Iterator[Use]":
    """Yield the variables that an instruction uses as they are, without a default of its own."""
    from hardener.rules.variables import uses

    for view in _expanded(instruction):
        for use in uses(view):
            if not use.optional and use.name not in _EVERYWHERE:
                yield use


def _is_set(variables: Variables, name: str, index: int) -> bool:
    """Whether the file itself sets a variable at an instruction: in its stage, or in one that it is built on."""
    binding = variables.lookup(name, index)
    if binding is not None and binding.span is not None:
        return True
    for table in (variables.envs, variables.args):
        if name in table and table[name][0][0] < index:
            return True
    # ARGs reach the stages that are built on theirs.
    return any(name in stage.variables.args for stage in islice(variables.stage.lineage(), 1, _LINEAGE_LIMIT))


def undefined_variable(stage: Stage, context: Context) -> Iterator[Match]:
    """Yield variables that are certainly, or by a slip of the pen, not set where they are used."""
    outer = stage.document_scope.bindings
    variables: Variables | None = None
    for instruction in stage.instructions:
        for use in _uses(instruction):
            name = use.name
            if variables is None:
                variables = stage.variables
            index = instruction.index + (instruction.name == "ARG")
            if name in outer or _is_set(variables, name, index):
                continue
            why = _why_undefined(variables, name, instruction)
            if why:
                yield Match(use.span, {"name": name, "why": why})


def _why_undefined(variables: Variables, name: str, instruction: Instruction) -> str:
    if name in PLATFORM_ARGS:
        return f"a stage sees platform arguments only after `ARG {name}`"
    for table in (variables.args, variables.envs):
        history = table.get(name)
        if history is None:
            continue
        if history[0][0] == instruction.index:
            return ""  # the rule on variables of the same ENV
        binding = history[1][0]
        line = 0 if binding.span is None else variables.stage.document.file.line_of(binding.span.start)
        return f"it is declared only on line {line}" if line else ""
    if variables.lookup(name, instruction.index) is None:
        return "nothing sets it, and scratch brings no variables"
    image = variables.stage.root.image
    if image.is_external and image.name in _SET_NOTHING and name not in _own_names(instruction):
        return f"nothing sets it, and {image.name} brings no variables"
    if len(name) < 5 or _VERSION_NAME.fullmatch(name):
        return ""
    from hardener.rules.variables import nearest

    meant = nearest(name[:64], _declared_before(variables, instruction.index), letters=1)
    return f"{meant} is declared, and perhaps meant" if meant else ""


def _own_names(instruction: Instruction) -> frozenset[str]:
    """Return what an ENV sets: `A=/x:$A` is written for whatever image the file may once be built on."""
    return frozenset(pair.key.text for pair in instruction.pairs) if instruction.name == "ENV" else frozenset()


def _declared_before(variables: Variables, index: int) -> Iterator[str]:
    """Yield names long enough to be told apart that a stage has declared before an instruction."""
    for table in (variables.args, variables.envs):
        for name, history in islice(table.items(), _NAMES_COMPARED):
            if len(name) > 4 and history[0][0] < index:
                yield name


def global_argument(stage: Stage, context: Context) -> Iterator[Match]:
    """Yield uses of an ARG that stands before the first FROM in a stage that does not repeat it; the first use of each."""
    outer = stage.document_scope.bindings
    if not outer:
        return
    from hardener.rules.reading import shell_view
    from hardener.rules.variables import in_single_quotes, uses

    external = stage.image.is_external
    variables: Variables | None = None
    reported: set[str] = set()
    for instruction in stage.instructions:
        found = _uses(instruction)
        script = ""
        if instruction.name == "RUN":
            view = shell_view(instruction)
            if view is None or "$" not in view.text:
                continue
            script = view.text
            found = uses(view)
        for use in found:
            name = use.name
            if name not in outer or name in reported or name in PLATFORM_ARGS or (external and _VERSION_NAME.fullmatch(name)):
                continue
            if variables is None:
                variables = stage.variables
            if _is_set(variables, name, instruction.index + (instruction.name == "ARG")):
                continue
            reported.add(name)
            if script and (in_single_quotes(script, use.at) or _sets(script, name)):
                continue
            declared = outer[name].span
            yield Match(use.span, {"name": name}, ((declared, "declared here, for FROM only"),) if declared is not None else ())


def _sets(script: str, name: str) -> bool:
    """Whether a script mentions a variable other than by using it: an assignment, `read`, `for`."""
    return re.search(rf"(?<![\w${{]){re.escape(name)}(?!\w)", script) is not None


def variable_of_same_env(instruction: Instruction, context: Context) -> Iterator[Match]:
    """Yield variables that the same ENV sets and nothing before it."""
    pairs = instruction.pairs
    stage = instruction.stage
    if len(pairs) < 2 or "$" not in instruction.text or stage is None or instruction.is_trigger:
        return
    from hardener.rules.variables import uses

    keys = {pair.key.text for pair in pairs}
    for pair in pairs:
        if pair.value is None or "$" not in pair.value.raw or "'" in pair.value.raw:
            continue
        for use in uses(pair.value.view):
            name = use.name
            if use.optional or name == pair.key.text or name not in keys or name in _EVERYWHERE:
                continue
            if not _is_set(stage.variables, name, instruction.index):
                yield Match(use.span, {"name": name, "key": pair.key.text})


def overwritten_variable(stage: Stage, context: Context) -> Iterator[Match]:
    """Yield ENV keys that are set again before anything could read the first value."""
    from hardener.rules.variables import uses

    unread: dict[str, Span] = {}
    for instruction in stage.instructions:
        if instruction.name == "ENV":
            for pair in instruction.pairs:
                if pair.value is not None and "$" in pair.value.raw:
                    for use in uses(pair.value.view):
                        unread.pop(use.name, None)
            for pair in instruction.pairs:
                key = pair.key.text
                first = unread.get(key)
                if first is not None:
                    yield Match(pair.key.span, {"name": key}, ((first, "the value that never counts"),))
                unread[key] = pair.key.span
        elif instruction.name not in _TRANSPARENT or "$" in instruction.text:
            unread.clear()


CHECKS: Final[Mapping[str, Check]] = {
    "HD833": undefined_variable,
    "HD834": global_argument,
    "HD835": variable_of_same_env,
    "HD836": overwritten_variable,
}
