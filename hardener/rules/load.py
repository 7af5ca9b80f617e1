"""Rules from YAML: read, checked key by key, compiled once.

Parsing some two hundred YAML files takes longer than linting a small repository, so what they say is kept as one JSON file: in the
wheel beside them (made when the wheel is built), otherwise in the user's cache, keyed by the files' names, sizes and times.
"""

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from hardener import data_folder
from hardener.errors import HardenError, suggest
from hardener.finding import CONFIDENCES, SEVERITIES, Confidence, Rule, Severity
from hardener.record import NamedTuple

if TYPE_CHECKING:
    from hardener.sources.yaml_nodes import Mapping as YamlMapping
    from hardener.sources.yaml_nodes import Node
    from hardener.text import SourceFile, Span

PROFILES: Final = ("default", "strict", "all")
COMPILED: Final = "compiled.json"
_FORMAT: Final = 1  # of the compiled file; raise it when RuleSource changes

_REQUIRED: Final = ("id", "name", "on", "severity", "confidence", "title", "message", "why", "how")
_KEYS: Final = (
    *_REQUIRED, "references", "same-as", "tags", "profiles", "instructions", "commands", "match", "at", "fires", "silent",
)  # fmt: skip
KINDS: Final = (
    "dockerfile.file", "dockerfile.stage", "dockerfile.image", "dockerfile.instruction", "dockerfile.pair", "dockerfile.command",
    "dockerfile.problem", "shell.script", "service", "service.port", "service.mount", "service.variable", "service.project",
    "service.problem", "file.secret", "image", "image.file", "image.layer", "image.step", "image.variable", "image.label", "image.port",
    "image.volume",
)  # fmt: skip
_Level = TypeVar("_Level", Severity, Confidence)

_WITHOUT_FACTS: Final = ("shell.script", "file.secret")  # ShellCheck decides the one, our detectors of credentials the other
_INSTRUCTION_KINDS: Final = ("dockerfile.instruction", "dockerfile.pair", "dockerfile.command")


class Example(NamedTuple):
    """One `fires:` or `silent:` entry (with `«»` marks where findings must stand) and what surrounds it.

    The text is a Dockerfile; for rules on services a compose file, the body of one service, or a `docker run` line; for rules on images
    the lines of a history, each with the files below it that it leaves (`harden explain image-examples`).
    """

    text: str
    line: int  # 1-based line in the rule's file
    build_args: Mapping[str, str] = {}
    files: Mapping[str, str] = {}
    settings: Mapping[str, object] = {}
    swarm: bool = False


class RuleSource(NamedTuple):
    """One rule as its YAML file says it, before `match:` is compiled."""

    rule: Rule
    path: str
    instructions: tuple[str, ...]  # only these instructions; empty: any
    commands: tuple[str, ...]  # only these programs; empty: any
    match: object  # plain mappings and lists, or None
    at: str  # the place a finding stands at; empty: the subject's own


def builtin(cache_folder: str = "") -> tuple[RuleSource, ...]:
    """Return the rules that ship with hardener, sorted by id. `cache_folder` may hold what an earlier run compiled; empty: no cache."""
    folder = data_folder("rules")
    compiled = _read_compiled(os.path.join(folder, COMPILED))
    if compiled is not None:
        return compiled
    files = rule_files(folder)
    cached = os.path.join(cache_folder, f"rules-{_signature(files)}.json") if cache_folder else ""
    if cached:
        compiled = _read_compiled(cached)
        if compiled is not None:
            return compiled
    sources = read(files)
    if cached:
        _write_cache(cached, sources)
    return sources


def rule_files(folder: str) -> tuple[str, ...]:
    """Return every `*.yaml` under a folder, sorted."""
    found = []
    for parent, _, names in os.walk(folder):
        found += [os.path.join(parent, name) for name in names if name.endswith((".yaml", ".yml"))]
    return tuple(sorted(found))


def read(files: Iterable[str]) -> tuple[RuleSource, ...]:
    """Read rule files. Raises `HardenError` with file, line and column for anything that is not a rule."""
    from hardener.text import SourceFile

    sources: dict[str, RuleSource] = {}
    for path in files:
        try:
            with open(path, "rb") as stream:
                data = stream.read()
        except OSError as error:
            raise HardenError(
                f"cannot read the rule file: {error.strerror}", where=path, how="check the path and its permissions"
            ) from None
        source, _ = parse_rule(SourceFile.decode(path, data))
        other = sources.get(source.rule.id)
        if other is not None:
            raise HardenError(f"the rule id {source.rule.id} is taken by {other.path}", where=path, how="give each rule an id of its own")
        sources[source.rule.id] = source
    return tuple(sources[rule_id] for rule_id in sorted(sources))


def custom(folders: Iterable[str], taken: Iterable[RuleSource]) -> tuple[RuleSource, ...]:
    """Read the user's rule folders (or single files); their ids must not be those of `taken`."""
    files: list[str] = []
    for folder in folders:
        if os.path.isdir(folder):
            found = rule_files(folder)
            if not found:
                raise HardenError("the folder holds no rule (*.yaml)", where=folder, how="check `rules:` or --rules")
            files += found
        elif os.path.isfile(folder):
            files.append(folder)
        else:
            raise HardenError("no such folder or file of rules", where=folder, how="check `rules:` or --rules")
    sources = read(files)
    known = {source.rule.id for source in taken}
    for source in sources:
        if source.rule.id in known:
            raise HardenError(f"the rule id {source.rule.id} is taken by a built-in rule", where=source.path, how="choose another id")
        if source.match is None:
            raise HardenError("a custom rule needs `match:`", where=source.path, how="`harden explain custom-rules` shows the language")
    return sources


def parse_rule(file: "SourceFile") -> tuple[RuleSource, tuple[tuple[Example, ...], tuple[Example, ...]]]:
    """Return the rule of one YAML file and its `fires` and `silent` examples. Raises `HardenError`."""
    from hardener.sources import yaml_nodes

    root = yaml_nodes.parse(file)
    if not isinstance(root, yaml_nodes.Mapping):
        raise HardenError("a rule is a mapping", where=file.at(root.span), how="start with `id:`")
    return _RuleReader(file, root).read()


class _RuleReader:
    """Checks the keys of one rule and turns them into a `RuleSource`."""

    def __init__(self, file: "SourceFile", root: "YamlMapping") -> None:
        self.file = file
        self.root = root

    def read(self) -> tuple[RuleSource, tuple[tuple[Example, ...], tuple[Example, ...]]]:
        for entry in self.root.entries:
            if entry.key.text not in _KEYS:
                raise self.fail(
                    f"unknown key {entry.key.text!r}", entry.key.span, suggest(entry.key.text, _KEYS) or f"known: {', '.join(_KEYS)}"
                )
        for key in _REQUIRED:
            if self.root.get(key) is None:
                raise self.fail(f"the key {key!r} is missing", self.root.span, "every rule needs: " + ", ".join(_REQUIRED))
        kind = self.choice("on", KINDS)
        rule = Rule(
            id=self.text("id"),
            name=self.text("name"),
            on=kind,
            severity=self.named("severity", SEVERITIES),
            confidence=self.named("confidence", CONFIDENCES),
            title=self.text("title"),
            message=self.text("message"),
            why=self.text("why"),
            how=self.text("how"),
            references=self.texts("references"),
            same_as=self.peers(),
            tags=self.texts("tags"),
            profiles=self.profiles(),
        )
        self.check_names(rule)
        instructions, commands = self.texts("instructions"), self.texts("commands")
        if instructions and kind not in _INSTRUCTION_KINDS:
            raise self.fail(f"{kind} has no `instructions:`", self.span("instructions"), f"only {', '.join(_INSTRUCTION_KINDS)} have")
        if commands and kind != "dockerfile.command":
            raise self.fail(f"{kind} has no `commands:`", self.span("commands"), "only dockerfile.command has")
        match = self.root.get("match")
        at = self.text("at") if self.root.get("at") is not None else ""
        source = RuleSource(rule, self.file.path, instructions, commands, self.plain(match), at)
        self.check_match(source)
        return source, (self.examples("fires"), self.examples("silent"))

    def check_names(self, rule: Rule) -> None:
        import re

        if not re.fullmatch(r"[A-Z]{2,10}[0-9]{3,5}", rule.id):
            raise self.fail(f"{rule.id!r} is not a rule id", self.span("id"), "capitals and at least three digits, as in ACME001")
        if not re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*", rule.name):
            raise self.fail(f"{rule.name!r} is not a rule name", self.span("name"), "lower-case words joined by hyphens")

    def check_match(self, source: RuleSource) -> None:
        from hardener.rules.match import MatchError, compile_match, fact, place

        kind = source.rule.on
        if kind in _WITHOUT_FACTS and (source.match is not None or source.at):
            raise self.fail(f"{kind} has no facts to match", self.span("on"), "only hardener's own rules are on it")
        if source.match is not None:
            try:
                compile_match(kind, source.match)
            except MatchError as error:
                hint = suggest(str(error.path[-1]), error.known)
                how = hint or (f"known: {', '.join(error.known)}" if error.known else "`harden explain custom-rules` shows what there is")
                raise self.fail(error.message, self.find(error.path), how) from None
        if source.at and place(kind, source.at) is None:
            raise self.fail(f"{kind} has no place {source.at!r}", self.span("at"), "`harden explain custom-rules` shows what there is")
        if source.match is not None:
            for name in placeholders(source.rule.message):
                if fact(kind, name) is None and not is_builtin_id(source.rule.id):
                    raise self.fail(
                        f"the message names {name!r}, which {kind} does not have", self.span("message"), "use a fact of `match:`"
                    )

    def fail(self, what: str, span: "Span", how: str) -> HardenError:
        return HardenError(what, where=self.file.at(span), how=how)

    def span(self, key: str) -> "Span":
        node = self.root.get(key)
        return self.root.span if node is None else node.span

    def find(self, path: tuple[str | int, ...]) -> "Span":
        """Return the span of the key or item that a path of keys and indices leads to."""
        from hardener.sources import yaml_nodes

        node: Node = self.root
        span = self.root.span
        for step in path:
            if isinstance(node, yaml_nodes.Mapping):
                entry = node.entry(str(step))
                if entry is None:
                    break
                span, node = entry.key.span, entry.value
            elif isinstance(node, yaml_nodes.Sequence) and isinstance(step, int) and step < len(node.items):
                node = node.items[step]
                span = node.span
            else:
                break
        return span

    def text(self, key: str) -> str:
        from hardener.sources import yaml_nodes

        node = self.root.get(key)
        if not isinstance(node, yaml_nodes.Scalar) or not node.text.strip():
            raise self.fail(f"{key} must be a text", self.span(key), "quote it if it looks like something else")
        return node.text.strip()

    def texts(self, key: str) -> tuple[str, ...]:
        from hardener.sources import yaml_nodes

        node = self.root.get(key)
        if node is None:
            return ()
        items = node.items if isinstance(node, yaml_nodes.Sequence) else (node,)
        texts = []
        for item in items:
            if not isinstance(item, yaml_nodes.Scalar) or not item.text:
                raise self.fail(f"{key} takes texts", item.span, "write a list of words")
            texts.append(item.text)
        return tuple(texts)

    def choice(self, key: str, known: tuple[str, ...]) -> str:
        value = self.text(key)
        if value not in known:
            raise self.fail(f"{key} cannot be {value!r}", self.span(key), suggest(value, known) or f"one of {', '.join(known)}")
        return value

    def named(self, key: str, table: Mapping[str, _Level]) -> _Level:
        return table[self.choice(key, tuple(table))]

    def profiles(self) -> tuple[str, ...]:
        profiles = self.texts("profiles") or PROFILES
        for profile in profiles:
            if profile not in PROFILES:
                raise self.fail(f"unknown profile {profile!r}", self.span("profiles"), f"one of {', '.join(PROFILES)}")
        return tuple(profile for profile in PROFILES if profile in profiles or profile == "all")

    def peers(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        from hardener.sources import yaml_nodes

        node = self.root.get("same-as")
        if node is None:
            return ()
        if not isinstance(node, yaml_nodes.Mapping):
            raise self.fail("same-as maps a tool to its rule id", node.span, "as in `{hadolint: DL3006}`")
        found = []
        for entry in node.entries:
            items = entry.value.items if isinstance(entry.value, yaml_nodes.Sequence) else (entry.value,)
            ids = tuple(item.text for item in items if isinstance(item, yaml_nodes.Scalar))
            if len(ids) != len(items) or not all(ids):
                raise self.fail("a rule id of another tool is a text", entry.value.span, "as in `{hadolint: [DL3006, DL3007]}`")
            found.append((entry.key.text, ids))
        return tuple(found)

    def plain(self, node: "Node | None") -> object:
        from hardener.sources import yaml_nodes

        return None if node is None else yaml_nodes.plain(node)

    def examples(self, key: str) -> tuple[Example, ...]:
        from hardener.sources import yaml_nodes

        node = self.root.get(key)
        if node is None:
            return ()
        if not isinstance(node, yaml_nodes.Sequence):
            raise self.fail(f"{key} is a list of examples", node.span, "write one Dockerfile per item")
        found = []
        for item in node.items:
            line = self.file.line_of(item.span.start)
            if isinstance(item, yaml_nodes.Scalar):
                found.append(Example(item.text, line))
                continue
            plain = yaml_nodes.plain(item)
            if not isinstance(plain, dict) or not isinstance(plain.get("text"), str):
                raise self.fail(
                    "an example is a text, or a mapping with `text`", item.span, "keys: text, build-args, files, settings, swarm"
                )
            parts = {name: plain.get(name) or {} for name in ("build-args", "files", "settings")}
            found.append(Example(plain["text"], line, parts["build-args"], parts["files"], parts["settings"], plain.get("swarm") is True))
        return tuple(found)


def is_builtin_id(rule_id: str) -> bool:
    """Whether an id belongs to hardener's own rules."""
    return rule_id.startswith(("HD", "HS", "HI", "HF")) and len(rule_id) == 5


def placeholders(template: str) -> tuple[str, ...]:
    """Return the names in braces of a message template."""
    import re

    return tuple(re.findall(r"\{([a-z][a-z0-9_.-]*)\}", template))


def dump(sources: Iterable[RuleSource]) -> str:
    """Return the compiled form of rules: JSON that `_read_compiled` takes."""
    from json import dumps

    rows = [
        [
            [*source.rule[:3], int(source.rule.severity), int(source.rule.confidence), *source.rule[5:]],
            *source[1:],
        ]
        for source in sources
    ]
    return dumps({"format": _FORMAT, "rules": rows}, ensure_ascii=False, separators=(",", ":"))


def _read_compiled(path: str) -> tuple[RuleSource, ...] | None:
    from json import loads

    try:
        with open(path, encoding="utf-8") as stream:
            content = loads(stream.read())
        if content["format"] != _FORMAT:
            return None
        return tuple(_restore(row) for row in content["rules"])
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None  # absent, or not what this version writes: the YAML files are the truth


def _restore(row: list[Any]) -> RuleSource:
    """Return the source that one row of the compiled file describes; what the rows hold was checked when they were written."""
    (rule_id, name, on, severity, confidence, title, message, why, how, references, same_as, tags, profiles), *rest = row
    path, instructions, commands, match, at = rest
    peers = tuple([(tool, tuple(ids)) for tool, ids in same_as])
    # Many hundreds at each start: `_make` takes half of the time of a call.
    fields = (
        rule_id, name, on, _SEVERITIES[severity], _CONFIDENCES[confidence], title, message, why, how, tuple(references), peers,
        tuple(tags), tuple(profiles),
    )  # fmt: skip
    return RuleSource._make((Rule._make(fields), path, tuple(instructions), tuple(commands), match, at))


_SEVERITIES: Final = tuple(Severity)
_CONFIDENCES: Final = tuple(Confidence)


def _signature(files: tuple[str, ...]) -> str:
    """Return a digest over names, sizes and times of the rule files and of this module, which decides what is made of them."""
    from zlib import crc32

    crc = 0
    size = 0
    for path in (*files, __file__):
        status = os.stat(path)
        crc = crc32(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode(), crc)
        size += status.st_size
    return f"{_FORMAT}-{len(files)}-{size}-{crc:08x}"


def _write_cache(path: str, sources: tuple[RuleSource, ...]) -> None:
    """Keep compiled rules for the next start; a cache that cannot be written is no error."""
    folder = os.path.dirname(path)
    scratch = f"{path}.{os.getpid()}"
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with open(scratch, "w", encoding="utf-8") as stream:
            stream.write(dump(sources))
        os.replace(scratch, path)
        for name in os.listdir(folder):
            if name.startswith("rules-") and name != os.path.basename(path):
                os.unlink(os.path.join(folder, name))
    except OSError:
        return
