"""What `harden init` writes: a commented configuration, or the translation of a `.hadolint.yaml`."""

import re
from collections.abc import Iterator
from typing import Final

from hardener.engine.keys import KEYS, LABEL_TYPES
from hardener.engine.selection import Selector
from hardener.errors import HardenError
from hardener.sources.yaml_nodes import Mapping, Node, Scalar, Sequence, parse
from hardener.text import SourceFile, Span

_SEVERITIES: Final = {"error": "high", "warning": "medium", "info": "low", "style": "info"}
_THRESHOLDS: Final = {**_SEVERITIES, "ignore": "never", "none": "never"}
_ON_THE_COMMAND_LINE: Final = {
    "format": "`harden lint --format` chooses the report",
    "output-format": "`harden lint --format` chooses the report",
    "no-color": "colour is for terminals only, and NO_COLOR switches it off",
    "verbose": "there is nothing more to tell",
}
_PLAIN: Final = re.compile(r"[A-Za-z_][\w./-]*")  # needs no quotes in YAML, not even inside [ ]
_RESERVED: Final = frozenset({"true", "false", "null"})


def template() -> str:
    """Return a configuration in which every key stands with its meaning and an example, most of them as comments."""
    lines = ["# How `harden lint` judges the files in this folder and below. Every key may be left out."]
    for key in KEYS:
        lines += ["", f"# {key.help}", key.example if key.name == "profile" else f"# {key.example}"]
    return "\n".join(lines).replace("\nprofile: strict\n", "\nprofile: default\n") + "\n"


def from_hadolint(file: SourceFile, selector: Selector | None = None) -> str:
    """Return our configuration for a `.hadolint.yaml`.

    What cannot be carried over stands in it as a comment that says why. With a `selector`, rules of hadolint that have no counterpart
    are left out as well. Raises `HardenError` with the exact place when the file does not make sense.
    """
    return _Translation(file, selector).text()


class _Translation:
    """One `.hadolint.yaml` on its way to ours."""

    __slots__ = ("file", "lost", "selector")

    def __init__(self, file: SourceFile, selector: Selector | None) -> None:
        self.file = file
        self.selector = selector
        self.lost: list[str] = []

    def text(self) -> str:
        root = parse(self.file)
        if isinstance(root, Scalar) and root.value is None:
            root = Mapping((), (), root.span, None)
        if not isinstance(root, Mapping):
            raise self.wrong(root, "a .hadolint.yaml is a mapping of keys")
        lines = [f"# Made from {self.file.path} by `harden init --from-hadolint`."]
        for entry in root.entries:
            lines += self.key(entry.key.text, entry.value, root)
        if root.get("failure-threshold") is None and root.get("no-fail") is None:
            lines.append("fail-on: low  # hadolint's own default: everything but style")
        lines += [f"# not carried over: {reason}" for reason in self.lost]
        return "\n".join(lines) + "\n"

    def key(self, name: str, node: Node, root: Mapping) -> Iterator[str]:
        """Yield our lines for one key of theirs."""
        match name:
            case "ignored":
                yield from self.listed("ignore", [word for word in self.texts(node) if self.has(word)])
            case "override":
                yield from self.mapped("severity", self.overrides(node))
            case "trustedRegistries" | "trusted-registries":
                yield from self.listed("trusted-registries", self.texts(node))
            case "label-schema":
                yield from self.mapped("required-labels", self.labels(node))
            case "strict-labels":
                yield f"strict-labels: {self.flag(node)}"
            case "disable-ignore-pragma":
                yield f"forbid-ignores: {self.flag(node)}"
            case "failure-threshold" if self.flag(root.get("no-fail")) == "false":
                yield f"fail-on: {self.choice(node, _THRESHOLDS)}"
            case "failure-threshold":
                self.lost.append(f"{name} (line {self.line(node)}): no-fail outranks it")
            case "no-fail":
                if self.flag(node) == "true":
                    yield "fail-on: never"
                elif root.get("failure-threshold") is None:
                    yield "fail-on: low  # hadolint's own default: everything but style"
            case _:
                reason = _ON_THE_COMMAND_LINE.get(name, "there is no such key here")
                self.lost.append(f"{name} (line {self.line(node)}): {reason}")

    def overrides(self, node: Node) -> Iterator[tuple[str, str]]:
        if not isinstance(node, Mapping):
            raise self.wrong(node, "override is a mapping of severities to rules")
        for entry in node.entries:
            severity = self.choice(entry.key, _SEVERITIES)
            yield from ((word, severity) for word in self.texts(entry.value) if self.has(word))

    def labels(self, node: Node) -> Iterator[tuple[str, str]]:
        if not isinstance(node, Mapping):
            raise self.wrong(node, "label-schema is a mapping of labels to types")
        for entry in node.entries:
            yield entry.key.text, self.choice(entry.value, {"rawtext": "text", **{name: name for name in LABEL_TYPES}})

    def has(self, word: str) -> bool:
        """Tell whether we have a rule for one of hadolint's; if not, remember that."""
        if self.selector is None or self.selector.is_known(word):
            return True
        self.lost.append(f"{word}: there is no such rule here")
        return False

    def texts(self, node: Node) -> list[str]:
        if isinstance(node, Scalar) and node.value is None:
            return []
        if not isinstance(node, Sequence) or not all(isinstance(item, Scalar) and isinstance(item.value, str) for item in node.items):
            raise self.wrong(node, "a list of texts is expected here")
        return [item.text for item in node.items if isinstance(item, Scalar)]

    def flag(self, node: Node | None) -> str:
        if node is None:
            return "false"
        if isinstance(node, Scalar) and isinstance(node.value, bool):
            return str(node.value).lower()
        raise self.wrong(node, "true or false is expected here")

    def choice(self, node: Node, choices: dict[str, str]) -> str:
        found = choices.get(node.text) if isinstance(node, Scalar) else None
        if found is None:
            raise self.wrong(node, f"one of {', '.join(choices)} is expected here")
        return found

    def listed(self, key: str, words: list[str]) -> Iterator[str]:
        if words:
            yield f"{key}: [{', '.join(_quoted(word) for word in words)}]"

    def mapped(self, key: str, pairs: Iterator[tuple[str, str]]) -> Iterator[str]:
        lines = [f"  {_quoted(name)}: {_quoted(value)}" for name, value in dict(pairs).items()]
        if lines:
            yield f"{key}:"
            yield from lines

    def line(self, node: Node) -> int:
        return self.file.position(node.span.start).line

    def wrong(self, node: Node, what: str) -> HardenError:
        return HardenError(what, where=self.file.at(Span(*node.span)), how="hadolint's README shows the keys of a .hadolint.yaml")


def _quoted(text: str) -> str:
    """Return a text as YAML, with quotes when it needs them."""
    if _PLAIN.fullmatch(text) and text.lower() not in _RESERVED:
        return text
    from json import dumps  # a JSON string is a YAML string

    return dumps(text, ensure_ascii=False)
