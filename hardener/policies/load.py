"""Policies from YAML: `default`, `strict` and the like ship with hardener; any other is a file.

    name: strict
    extends: default          # a shipped policy, or a file beside this one
    why: Internet-facing services.
    gate:
      fail-on: low
      require: [HD101, HD202]
      forbid-ignores: [HD301]          # or true, for every rule
      require-reason: true
      allowed-registries: [docker.io, "*.example.com"]

A policy tightens what it extends: lists grow, the lower threshold holds.
"""

import os
from typing import TYPE_CHECKING, Final

from hardener import data_folder
from hardener.errors import HardenError, suggest
from hardener.finding import SEVERITIES, Severity
from hardener.policies.model import Gate, Policy, Word
from hardener.text import SourceFile

if TYPE_CHECKING:
    from hardener.sources.yaml_nodes import Entry, Mapping, Node

_KEYS: Final = ("name", "extends", "why", "gate")
_GATE_KEYS: Final = ("fail-on", "require", "forbid-ignores", "require-reason", "allowed-registries")


def names() -> tuple[str, ...]:
    """Return the policies that ship with hardener."""
    return tuple(sorted(entry.removesuffix(".yaml") for entry in os.listdir(data_folder("policies")) if entry.endswith(".yaml")))


def load(what: str) -> Policy:
    """Return a policy by its name, or from a file (anything with a slash or an ending).

    Raises `HardenError` with file, line and column for anything that is not a policy.
    """
    return _load(_find(what, folder="", where=""), ())


def _find(what: str, *, folder: str, where: str) -> str:
    """Return the path of a policy that is named, or that a file in `folder` extends."""
    if "/" not in what and os.sep not in what and not what.endswith((".yaml", ".yml")):
        if what not in names():
            how = suggest(what, names()) or f"there are {', '.join(names())}; a file needs its ending (.yaml)"
            raise HardenError(f"unknown policy {what!r}", where=where, how=how)
        return os.path.join(data_folder("policies"), f"{what}.yaml")
    return os.path.join(folder, what)


def _load(path: str, below: tuple[str, ...]) -> Policy:
    from hardener.sources import yaml_nodes

    if path in below:
        raise HardenError("the policies extend one another in a circle", where=path, how=" -> ".join((*below, path)))
    try:
        with open(path, "rb") as stream:
            file = SourceFile.decode(path, stream.read())
    except OSError as error:
        raise HardenError(f"cannot read the policy: {error.strerror}", where=path, how="check the path and its permissions") from None
    root = yaml_nodes.parse(file)
    if not isinstance(root, yaml_nodes.Mapping):
        raise HardenError("a policy is a mapping", where=file.at(root.span), how="start with `name:`")
    reader = _Reader(file)
    base: Policy | None = None
    name, why, gate = "", "", Gate()
    for entry in reader.entries(root, _KEYS):
        match entry.key.text:
            case "name":
                name = reader.text(entry)
            case "why":
                why = reader.text(entry)
            case "extends":
                found = _find(reader.text(entry), folder=os.path.dirname(path), where=file.at(entry.value.span))
                base = _load(found, (*below, path))
            case _:
                gate = reader.gate(entry)
    if not name:
        raise HardenError("the policy has no name", where=file.at(root.span), how="add `name:`")
    return Policy(name, why, path, gate if base is None else tighter(base.gate, gate))


def tighter(base: Gate, own: Gate) -> Gate:
    """Return the gate that asks for what both ask."""
    thresholds = [threshold for threshold in (base.fail_on, own.fail_on) if threshold is not None]
    if base.allowed_registries and own.allowed_registries:
        registries = tuple(registry for registry in own.allowed_registries if registry in base.allowed_registries)
    else:
        registries = base.allowed_registries or own.allowed_registries
    return Gate(
        min(thresholds, default=None),
        base.require + own.require,
        base.forbid_ignores + own.forbid_ignores,
        base.require_reason or own.require_reason,
        registries,
    )


class _Reader:
    """Reads the keys of one policy file."""

    def __init__(self, file: SourceFile) -> None:
        self.file = file

    def fail(self, what: str, node: "Node", how: str) -> HardenError:
        return HardenError(what, where=self.file.at(node.span), how=how)

    def entries(self, mapping: "Mapping", known: tuple[str, ...]) -> "tuple[Entry, ...]":
        for entry in mapping.entries:
            if entry.key.text not in known:
                how = suggest(entry.key.text, known) or f"known: {', '.join(known)}"
                raise self.fail(f"unknown key {entry.key.text!r}", entry.key, how)
        return mapping.entries

    def text(self, entry: "Entry") -> str:
        from hardener.sources.yaml_nodes import Scalar

        node = entry.value
        if not isinstance(node, Scalar) or not node.text.strip():
            raise self.fail(f"{entry.key.text} is a text", node, "write it behind the colon")
        return node.text.strip()

    def words(self, entry: "Entry") -> tuple[Word, ...]:
        from hardener.sources.yaml_nodes import Scalar, Sequence

        node = entry.value
        items = node.items if isinstance(node, Sequence) else (node,)
        for item in items:
            if not isinstance(item, Scalar) or not item.text:
                raise self.fail(f"{entry.key.text} takes a list of words", item, "as in [HD101, HD202]")
        return tuple(Word(item.text, self.file.at(item.span)) for item in items if isinstance(item, Scalar))

    def flag(self, entry: "Entry") -> bool:
        from hardener.sources.yaml_nodes import Scalar

        node = entry.value
        if not isinstance(node, Scalar) or not isinstance(node.value, bool):
            raise self.fail(f"{entry.key.text} is true or false", node, "write one of them")
        return node.value

    def severity(self, entry: "Entry") -> Severity:
        label = self.text(entry)
        if label not in SEVERITIES:
            how = suggest(label, tuple(SEVERITIES)) or f"one of {', '.join(SEVERITIES)}"
            raise self.fail(f"{entry.key.text} cannot be {label!r}", entry.value, how)
        return SEVERITIES[label]

    def gate(self, entry: "Entry") -> Gate:
        from hardener.sources.yaml_nodes import Mapping, Scalar

        if not isinstance(entry.value, Mapping):
            raise self.fail("gate is a mapping", entry.value, f"keys: {', '.join(_GATE_KEYS)}")
        gate = Gate()
        for item in self.entries(entry.value, _GATE_KEYS):
            match item.key.text:
                case "fail-on":
                    gate = gate._replace(fail_on=self.severity(item))
                case "require":
                    gate = gate._replace(require=self.words(item))
                case "forbid-ignores":
                    if isinstance(item.value, Scalar) and isinstance(item.value.value, bool):
                        every = (Word("all", self.file.at(item.value.span)),)
                        gate = gate._replace(forbid_ignores=every if item.value.value else ())
                    else:
                        gate = gate._replace(forbid_ignores=self.words(item))
                case "require-reason":
                    gate = gate._replace(require_reason=self.flag(item))
                case _:
                    gate = gate._replace(allowed_registries=tuple(word.text for word in self.words(item)))
        return gate
