"""Stages of a Dockerfile: who is built on whom, which image each starts from, and what variables mean where.

A stage that is built on an earlier one inherits its USER, WORKDIR, ENV and the like; `effective` holds that. Image references appear
in four places (FROM, COPY --from, RUN --mount=from, # syntax) and all have the same type.
"""

from bisect import bisect_left
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Literal

from hardener.oci.reference import Reference, split
from hardener.sources.expansion import DECLARED, HOLE, PLATFORM_ARGS, PROXY_ARGS, Binding, Expansion, Known, Unknown, Value
from hardener.sources.instructions import Instruction, Pair, Word
from hardener.sources.unknown import UNKNOWN, UnknownType
from hardener.text import Span

if TYPE_CHECKING:
    from hardener.sources.dockerfile import Dockerfile

Role = Literal["from", "copy", "mount", "syntax"]

_INHERITED: Final = frozenset({"USER", "WORKDIR", "HEALTHCHECK", "ENTRYPOINT", "CMD", "SHELL", "STOPSIGNAL"})


class ImageReference:
    """An image named in a Dockerfile, with what is known of its parts.

    Each part is a text, None when it is absent, or UNKNOWN when a variable decides it.
    """

    __slots__ = (
        "digest",
        "instruction",
        "is_scratch",
        "name",
        "raw",
        "reference",
        "registry",
        "repository",
        "role",
        "span",
        "stage",
        "tag",
        "value",
    )

    def __init__(self, role: Role, raw: str, span: Span, value: Value, instruction: Instruction | None, stage: "Stage | None") -> None:
        self.role = role
        self.raw = raw
        self.span = span
        self.value = value
        self.instruction = instruction
        self.stage = stage  # the earlier stage that the name means, if any
        text = value.text if isinstance(value, Known) else value.partial
        self.is_scratch = role == "from" and text == "scratch"
        self.reference: Reference = split(text)
        reference = self.reference
        self.name = _part(reference.name)
        self.registry = _part(reference.registry)
        self.repository = _part(reference.repository)
        self.digest = None if reference.digest is None else _part(reference.digest)
        self.tag: str | UnknownType | None
        if reference.tag is not None:
            self.tag = _part(reference.tag)
        elif HOLE in text[text.rfind("/") + 1 :].partition("@")[0]:
            self.tag = UNKNOWN  # the variable may bring its own tag
        else:
            self.tag = None
        if self.digest is None and HOLE in text[text.rfind("/") + 1 :]:
            self.digest = UNKNOWN
        if isinstance(self.registry, str) and HOLE in text.partition("/")[0]:
            self.registry = UNKNOWN

    @property
    def is_external(self) -> bool:
        """Whether this names an image outside the file: neither an earlier stage nor `scratch`."""
        return self.stage is None and not self.is_scratch

    def __repr__(self) -> str:
        return f"ImageReference({self.role} {self.raw!r})"


def _part(text: str) -> str | UnknownType:
    return UNKNOWN if HOLE in text else text


class GlobalScope:
    """Variables as FROM sees them: ARGs before the first FROM and the platform arguments."""

    __slots__ = ("bindings", "document")

    def __init__(self, document: "Dockerfile") -> None:
        self.document = document
        self.bindings: dict[str, Binding] = {}
        for instruction in document.global_args:
            for pair in instruction.pairs:
                name = pair.key.raw
                self.bindings[name] = _bind_arg(document, self, pair, None)

    def lookup(self, name: str) -> Binding | None:
        """Return what FROM knows of `name`."""
        binding = self.bindings.get(name)
        if binding is None and name in PLATFORM_ARGS:
            return Binding(HOLE, None)
        return binding


class StageScope:
    """Variables as the instruction with a given index sees them."""

    __slots__ = ("index", "variables")

    def __init__(self, variables: "Variables", index: int) -> None:
        self.variables = variables
        self.index = index

    def lookup(self, name: str) -> Binding | None:
        """Return what is known of `name`: ENV before ARG, own before inherited, and a hole where the base image may set it."""
        return self.variables.lookup(name, self.index)


class Variables:
    """Every ENV and ARG of one stage in order, so that a look-up at any instruction is a bisection."""

    __slots__ = ("args", "envs", "inherited", "stage")

    def __init__(self, stage: "Stage") -> None:
        self.stage = stage
        self.envs: dict[str, tuple[list[int], list[Binding]]] = {}
        self.args: dict[str, tuple[list[int], list[Binding]]] = {}
        self.inherited: dict[str, Binding | None] = {}
        document = stage.document
        for instruction in stage.instructions:
            if instruction.name == "ENV":
                scope = StageScope(self, instruction.index)  # a pair does not see the others of its own ENV
                bound = [(pair.key.text, _bind_env(document, scope, pair)) for pair in instruction.pairs]
                for name, binding in bound:
                    _append(self.envs, name, instruction.index, binding)
            elif instruction.name == "ARG":
                scope = StageScope(self, instruction.index + 1)  # an ARG sees the ones before it on its own line
                for pair in instruction.pairs:
                    name = pair.key.raw
                    outer = stage.document_scope.bindings.get(name)
                    _append(self.args, name, instruction.index, _bind_arg(document, scope, pair, outer))

    def lookup(self, name: str, index: int) -> Binding | None:
        """Return the binding of `name` just before the instruction `index`."""
        for table in (self.envs, self.args):
            history = table.get(name)
            if history is not None:
                at = bisect_left(history[0], index)
                if at:
                    return history[1][at - 1]
            if table is self.envs:
                inherited = self._inherited(name)
                if inherited is not None and inherited.span is not None:
                    return inherited
        if name in PROXY_ARGS:
            return Binding(HOLE, None)
        return self._inherited(name)

    def _inherited(self, name: str) -> Binding | None:
        """Return what the base contributes: its final ENV, a hole for an image we cannot see, None for scratch."""
        cache = self.inherited
        if name in cache:
            return cache[name]
        stage = self.stage
        found: Binding | None = None
        while True:
            base = stage.base
            if base is None:
                if not stage.image.is_scratch:
                    found = Binding(HOLE, None)
                break
            history = base.variables.envs.get(name)
            if history is not None:
                found = history[1][-1]
                break
            stage = base
        cache[name] = found
        return found


def _append(table: dict[str, tuple[list[int], list[Binding]]], name: str, index: int, binding: Binding) -> None:
    history = table.get(name)
    if history is None:
        table[name] = ([index], [binding])
    else:
        history[0].append(index)
        history[1].append(binding)


def _bind_env(document: "Dockerfile", scope: StageScope, pair: Pair) -> Binding:
    value = pair.value
    if value is None:
        return Binding("", pair.span)
    if "$" not in value.raw:
        return Binding(value.text, pair.span)
    expanded = Expansion(scope).value(value.raw, value.span, document.escape)
    return Binding(expanded.text if isinstance(expanded, Known) else expanded.partial, pair.span)


def _bind_arg(document: "Dockerfile", scope: GlobalScope | StageScope, pair: Pair, outer: Binding | None) -> Binding:
    """Return what an ARG is worth: `--build-arg`, then its default, then the global ARG of the same name, then unknown."""
    name = pair.key.raw
    given = document.build_args.get(name)
    if given is not None:
        return Binding(given, pair.span)
    if pair.value is not None:
        value = Expansion(scope).value(pair.value.raw, pair.value.span, document.escape)
        return Binding(value.text if isinstance(value, Known) else value.partial, pair.span)
    if outer is not None:
        return outer
    return Binding(HOLE if name in PLATFORM_ARGS else DECLARED, pair.span)


class Stage:
    """One FROM and what follows it."""

    __slots__ = (
        "_variables", "base", "children", "document", "document_scope", "effective", "image", "index", "instructions", "is_final", "name",
        "name_span", "name_word", "origin", "root",
    )  # fmt: skip

    def __init__(self, document: "Dockerfile", index: int, origin: Instruction, scope: GlobalScope) -> None:
        self.document = document
        self.document_scope = scope
        self.index = index
        self.origin = origin
        self.instructions: list[Instruction] = []  # what follows the FROM
        self.base: Stage | None = None  # the earlier stage it is built on
        self.root: Stage = self  # the first of its line: the one that starts from an image
        self.children: list[Stage] = []  # later stages built on it
        self.is_final = False
        self.effective: dict[str, Instruction] = {}  # the USER, WORKDIR, CMD… in force at its end, inherited ones included
        self._variables: Variables | None = None
        words = origin.words
        self.name_word: Word | None = words[2] if len(words) >= 3 and words[1].raw.lower() == "as" else None
        self.name = self.name_word.raw.lower() if self.name_word is not None else None
        self.name_span = self.name_word.span if self.name_word is not None else None
        self.image: ImageReference

    @property
    def variables(self) -> Variables:
        """ENV and ARG of this stage."""
        # Oldest base first, so that a long chain of stages needs no deep recursion.
        chain: list[Stage] = []
        stage: Stage | None = self
        while stage is not None and stage._variables is None:
            chain.append(stage)
            stage = stage.base
        for stage in reversed(chain):
            stage._variables = Variables(stage)
        return self._variables or Variables(self)

    def lineage(self) -> "Iterator[Stage]":
        """Yield this stage, the stage it is built on, and so on."""
        stage: Stage | None = self
        while stage is not None:
            yield stage
            stage = stage.base

    @property
    def label(self) -> str:
        """How messages call it: its name, or its number."""
        return self.name or f"stage {self.index}"

    def __repr__(self) -> str:
        return f"Stage({self.label})"


def build_stages(document: "Dockerfile") -> None:
    """Group the instructions of a document into stages and resolve what each is built on."""
    stages: list[Stage] = []
    global_args: list[Instruction] = []
    scope: GlobalScope | None = None
    by_name: dict[str, Stage] = {}
    current: Stage | None = None
    for instruction in document.instructions:
        if instruction.name == "FROM":
            if scope is None:
                document.global_args = tuple(global_args)
                scope = GlobalScope(document)
            if current is not None:
                _close(current, by_name)
            current = Stage(document, len(stages), instruction, scope)
            instruction.stage = current
            _resolve_from(current, by_name)
            stages.append(current)
        elif current is not None:
            trigger = instruction.trigger
            instruction.stage = current
            instruction.shell = current.effective.get("SHELL")
            while trigger is not None:
                trigger.stage = current
                trigger.shell = instruction.shell
                trigger = trigger.trigger
            current.instructions.append(instruction)
            if instruction.name in _INHERITED:
                current.effective[instruction.name] = instruction
                if instruction.name == "ENTRYPOINT" and "CMD" in current.effective and current.effective["CMD"].stage is not current:
                    del current.effective["CMD"]  # an ENTRYPOINT resets the CMD that a base image brought
        elif instruction.name == "ARG":
            global_args.append(instruction)
    if scope is None:
        document.global_args = tuple(global_args)
    if current is not None:
        current.is_final = True
    document.stages = tuple(stages)
    for stage in stages:
        if stage.name is not None:
            document.stages_by_name.setdefault(stage.name, []).append(stage.index)


def _close(stage: Stage, by_name: dict[str, Stage]) -> None:
    if stage.name is not None:
        by_name[stage.name] = stage


def _resolve_from(stage: Stage, by_name: dict[str, Stage]) -> None:
    words = stage.origin.words
    if not words:
        offset = stage.origin.span.end
        span = Span(offset, offset)
        stage.image = ImageReference("from", "", span, Known("", span), stage.origin, None)
        return
    word = words[0]
    value: Value
    if "$" in word.raw:
        value = Expansion(stage.document_scope).value(word.raw, word.span, stage.document.escape)
    else:
        value = Known(word.text, word.span)
    base = by_name.get(value.text.lower()) if isinstance(value, Known) else None
    stage.image = ImageReference("from", word.raw, word.span, value, stage.origin, base)
    if base is not None:
        stage.base = base
        stage.root = base.root
        base.children.append(stage)
        stage.effective = dict(base.effective)


def scope_at(instruction: Instruction) -> "GlobalScope | StageScope | None":
    """Return the scope in which an instruction's variables are read; None outside of any stage."""
    stage = instruction.stage
    if stage is None:
        return None
    if instruction is stage.origin:
        return stage.document_scope
    return StageScope(stage.variables, instruction.index)


def expand(word: Word, instruction: Instruction) -> Value:
    """Return the value of a word at an instruction, quotes removed and variables replaced."""
    raw = word.raw
    if "$" not in raw:
        return Known(word.text, word.span)
    scope = scope_at(instruction)
    if scope is None:
        return Unknown(HOLE, word.span)
    return Expansion(scope).value(raw, word.span, word.escape)


def stage_named(document: "Dockerfile", name: str, before: Stage | None, *, numbers: bool = True) -> Stage | None:
    """Return the stage that `--from=name` means in a stage: the last earlier one of that name, or (`numbers`) the one with that number.

    COPY counts stages, `RUN --mount=from=` does not.
    """
    limit = before.index if before is not None else len(document.stages)
    named = document.stages_by_name.get(name.lower(), [])
    at = bisect_left(named, limit)
    if at:
        return document.stages[named[at - 1]]
    if numbers and name.isdecimal() and int(name) < limit:
        return document.stages[int(name)]
    return None


def images(document: "Dockerfile") -> Iterator[ImageReference]:
    """Yield every image that a Dockerfile names, in file order: `# syntax`, FROM, `COPY --from`, `RUN --mount=from`."""
    for directive in document.directives:
        if directive.name == "syntax":
            text = directive.value.split(" ", 1)[0]
            span = Span(directive.value_span.start, directive.value_span.start + len(text))
            yield ImageReference("syntax", text, span, Known(text, span), None, None)
    for instruction in document.all_instructions():
        if instruction.name == "FROM" and instruction.stage is not None and instruction is instruction.stage.origin:
            yield instruction.stage.image
        elif instruction.flags and instruction.name == "COPY":
            flag = instruction.flag("from")
            if flag is not None and flag.value:
                yield _named(document, instruction, "copy", flag.value, flag.value_span)
        elif instruction.flags and instruction.name == "RUN":
            for mount in instruction.mounts:
                option = mount.get("from")
                if option is not None and option.value:
                    yield _named(document, instruction, "mount", option.value, option.value_span)


def _named(document: "Dockerfile", instruction: Instruction, role: Role, text: str, span: Span) -> ImageReference:
    value: Value = Known(text, span)
    if "$" in text:
        scope = scope_at(instruction)
        if scope is not None:
            value = Expansion(scope).value(text, span, document.escape)
    stage = stage_named(document, value.text, instruction.stage, numbers=role == "copy") if isinstance(value, Known) else None
    return ImageReference(role, text, span, value, instruction, stage)
