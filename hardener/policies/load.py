"""Policies from YAML: `default`, `strict` and the like ship with hardener; any other is a file.

    name: strict
    extends: default          # a shipped policy, or a file beside this one
    why: Internet-facing services.
    gate:
      fail-on: low
      require: [HD101, {HD104: low}]
      thresholds: {HD201: 3}
      forbid-ignores: [HD301]          # or true, for every rule
      require-reason: true
      allowed-registries: [docker.io, "*.example.com"]
      coverage: fail
      checks:
        ACME-7: {title: Images are ours, rules: [HD106]}
        ACME-8: {title: Backups are tested, not-checkable: nothing in a file says so}
      environments:
        production: {require: [HD104], thresholds: {HD201: 0}}
    runtime: {memory: 512MiB, read-only: true, loosen: [memory]}     # every key: RUNTIME_KEYS
    images: {require-digest: true}                                   # every key: IMAGES_KEYS

A policy tightens what it extends: lists grow, the lower threshold holds. An environment that would loosen it is an error.
"""

import os
from typing import TYPE_CHECKING, Final

from hardener import data_folder
from hardener.errors import HardenError, suggest
from hardener.finding import SEVERITIES, Severity
from hardener.policies.model import COVERAGE, GATE_KEYS, Check, Gate, Limit, Origin, Policy, Word
from hardener.policies.tighten import narrowed, tighter
from hardener.text import SourceFile

if TYPE_CHECKING:
    from hardener.policies.runtime import Runtime
    from hardener.sources.yaml_nodes import Entry, Mapping, Node

_KEYS: Final = ("name", "extends", "why", "gate", "runtime", "images")
_ENVIRONMENT_KEYS: Final = tuple(key for key in GATE_KEYS if key not in ("checks", "environments"))
_CHECK_KEYS: Final = ("title", "rules", "not-checkable")


def names() -> tuple[str, ...]:
    """Return the policies that ship with hardener."""
    return tuple(sorted(entry.removesuffix(".yaml") for entry in os.listdir(data_folder("policies")) if entry.endswith(".yaml")))


def load(what: str) -> Policy:
    """Return a policy by its name, or from a file (anything with a slash or an ending).

    Raises `HardenError` with file, line and column for anything that is not a policy.
    """
    return _load(_find(what, folder="", where=""), ())


def in_environment(policy: Policy, name: str) -> Policy:
    """Return what a policy asks for in one of its environments. Raises `HardenError` for a name that it does not have."""
    gate = policy.gate
    if name not in gate.environments:
        known = tuple(gate.environments)
        how = suggest(name, known) or (f"there are {', '.join(known)}" if known else "the policy has none; `environments:` adds some")
        raise HardenError(f"the policy {policy.name} has no environment {name!r}", where=policy.path, how=how)
    return policy._replace(gate=tighter(gate, gate.environments[name]), environment=name)


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
    runtime: Node | None = None
    images: Node | None = None
    for entry in reader.entries(root, _KEYS):
        match entry.key.text:
            case "name":
                name = reader.text(entry)
            case "why":
                why = reader.text(entry)
            case "extends":
                found = _find(reader.text(entry), folder=os.path.dirname(path), where=file.at(entry.value.span))
                base = _load(found, (*below, path))
            case "runtime":
                runtime = entry.value
            case "images":
                images = entry.value
            case _:
                gate = reader.gate(entry, "gate", tuple(GATE_KEYS))
    if not name:
        raise HardenError("the policy has no name", where=file.at(root.span), how="add `name:`")
    whole = gate
    extends: tuple[Origin, ...] = ()
    if base is not None:
        _require_common_registry(base.gate, gate)
        whole = tighter(base.gate, gate)
        extends = (Origin(base.name, base.why, base.path), *base.extends)
    for environment in gate.environments:
        _require_tightening(whole, gate.environments[environment], environment)
    further: list[str] = []
    asked = base.runtime if base is not None else None
    if runtime is not None:
        asked = _runtime(runtime, file, name, asked, further)
    wanted = base.images if base is not None else None
    if images is not None:
        from hardener.policies import images_load  # late: few policies ask for it

        wanted = images_load.read(images, file, name, wanted, further)
    holding = next((gate for gate in (whole, *whole.environments.values()) if gate.runtime), None)
    if holding is not None and asked is None:
        where = holding.places["runtime"].where
        raise HardenError("there is no `runtime:` to hold services to", where=where, how="add one, or extend a policy that has one")
    files = (path, *further, *(base.files if base is not None else ()))
    return Policy(name, why, path, whole, extends, "", asked, files, wanted)


def _runtime(node: "Node", file: SourceFile, name: str, base: "Runtime | None", profiles: list[str]) -> "Runtime":
    """Read the `runtime:` of a policy, laid over that of the one it extends; the paths of the profiles it names go to `profiles`."""
    from hardener.policies.runtime_load import RuntimeReader, check, profile_path
    from hardener.policies.runtime_tighten import tighter as tighter_runtime

    def open_profile(profile: str, where: str) -> object:
        path = profile_path(profile, os.path.dirname(file.path), data_folder("policies"))
        profiles.append(path)
        return _profile(path, profile, where)

    own = RuntimeReader(file, open_profile).read(node, name)
    whole = own if base is None else tighter_runtime(base, own)
    check(whole)
    return whole


def _profile(path: str, name: str, where: str) -> object:
    """Return a profile of system calls in Docker's format, as JSON values."""
    from json import loads

    from hardener.policies import seccomp

    try:
        with open(path, "rb") as stream:
            content = stream.read(seccomp.LARGEST + 1)
    except OSError as error:
        how = "a file beside the policy (with its ending), or the name of a profile that ships with hardener"
        raise HardenError(f"cannot read the profile {name!r}: {error.strerror}", where=where, how=how) from None
    seccomp.parse(content, path)  # refuses what is no profile
    return loads(content.decode("utf-8-sig"))


def _require_common_registry(base: Gate, own: Gate) -> None:
    """Raise `HardenError` when no registry is allowed by both: an empty list would allow every one."""
    if base.allowed_registries and own.allowed_registries and not narrowed(base.allowed_registries, own.allowed_registries):
        raise HardenError(
            "no registry would be left",
            where=own.places["allowed-registries"].where,
            how=f"{base.places['allowed-registries'].where} allows {', '.join(base.allowed_registries)}: name some of these",
        )


def _require_tightening(gate: Gate, own: Gate, name: str) -> None:
    """Raise `HardenError` when an environment asks for less than the gate it belongs to: it would have no effect, and look as if it had."""
    _require_common_registry(gate, own)
    both = tighter(gate, own)
    limits = {limit.word.text: limit for limit in both.limits}
    looser = [
        own.places[key]
        for key, asked, held in (
            ("fail-on", own.fail_on, both.fail_on),
            ("coverage", own.coverage, both.coverage),
            ("allowed-registries", own.allowed_registries, both.allowed_registries),
            ("require-reason", own.require_reason, both.require_reason),
            ("runtime", own.runtime, both.runtime),
            ("forbid-ignores", bool(own.forbid_ignores), bool(both.forbid_ignores)),
        )
        if key in own.places and asked != held
    ]
    looser += [limit.word for limit in own.limits if limits[limit.word.text].most < limit.most]
    if looser:
        what = f"{looser[0].key.removeprefix(f'gate.environments.{name}.')} of {name} asks for less than the policy does"
        raise HardenError(what, where=looser[0].where, how="an environment only tightens: ask for more, or leave it out")


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

    def mapping(self, entry: "Entry", how: str) -> "Mapping":
        from hardener.sources.yaml_nodes import Mapping

        if not isinstance(entry.value, Mapping):
            raise self.fail(f"{entry.key.text} is a mapping", entry.value, how)
        return entry.value

    def text(self, entry: "Entry") -> str:
        from hardener.sources.yaml_nodes import Scalar

        node = entry.value
        if not isinstance(node, Scalar) or not node.text.strip():
            raise self.fail(f"{entry.key.text} is a text", node, "write it behind the colon")
        return node.text.strip()

    def words(self, entry: "Entry", key: str) -> tuple[Word, ...]:
        from hardener.sources.yaml_nodes import Scalar, Sequence

        node = entry.value
        items = node.items if isinstance(node, Sequence) else (node,)
        for item in items:
            if not isinstance(item, Scalar) or not item.text:
                raise self.fail(f"{entry.key.text} takes a list of words", item, "as in [HD101, HD202]")
        return tuple(
            Word(item.text, self.file.at(item.span), f"{key}[{index}]") for index, item in enumerate(items) if isinstance(item, Scalar)
        )

    def requirements(self, entry: "Entry", key: str) -> tuple[Word, ...]:
        """Read `require`: words, and mappings of one word to a severity."""
        from hardener.sources.yaml_nodes import Mapping, Scalar, Sequence

        node = entry.value
        words = []
        for index, item in enumerate(node.items if isinstance(node, Sequence) else (node,)):
            severity = None
            word = item
            if isinstance(item, Mapping) and len(item.entries) == 1:
                (pair,) = item.entries
                severity = self.choice(pair, SEVERITIES, f"{entry.key.text} of {pair.key.text}")
                word = pair.key
            if not isinstance(word, Scalar) or not word.text:
                raise self.fail(f"{entry.key.text} takes a list of words", item, "as in [HD101, {HD202: low}]")
            words.append(Word(word.text, self.file.at(word.span), f"{key}[{index}]", None if severity is None else SEVERITIES[severity]))
        return tuple(words)

    def flag(self, entry: "Entry") -> bool:
        from hardener.sources.yaml_nodes import Scalar

        node = entry.value
        if not isinstance(node, Scalar) or not isinstance(node.value, bool):
            raise self.fail(f"{entry.key.text} is true or false", node, "write one of them")
        return node.value

    def choice(self, entry: "Entry", known: "tuple[str, ...] | dict[str, Severity]", name: str = "") -> str:
        label = self.text(entry)
        if label not in known:
            how = suggest(label, tuple(known)) or f"one of {', '.join(known)}"
            raise self.fail(f"{name or entry.key.text} cannot be {label!r}", entry.value, how)
        return label

    def gate(self, entry: "Entry", path: str, known: tuple[str, ...]) -> Gate:
        from hardener.sources.yaml_nodes import Scalar

        gate = Gate()
        places: dict[str, Word] = {}
        for item in self.entries(self.mapping(entry, f"keys: {', '.join(known)}"), known):
            name = item.key.text
            key = f"{path}.{name}"
            places[name] = Word(name, self.file.at(item.key.span), key)
            match name:
                case "fail-on":
                    gate = gate._replace(fail_on=SEVERITIES[self.choice(item, SEVERITIES)])
                case "require":
                    gate = gate._replace(require=self.requirements(item, key))
                case "thresholds":
                    gate = gate._replace(limits=self.limits(item, key))
                case "forbid-ignores":
                    if isinstance(item.value, Scalar) and isinstance(item.value.value, bool):
                        every = (Word("all", self.file.at(item.value.span), key),)
                        gate = gate._replace(forbid_ignores=every if item.value.value else ())
                    else:
                        gate = gate._replace(forbid_ignores=self.words(item, key))
                case "require-reason":
                    gate = gate._replace(require_reason=self.flag(item))
                case "allowed-registries":
                    gate = gate._replace(allowed_registries=tuple(word.text for word in self.words(item, key)))
                case "runtime":
                    gate = gate._replace(runtime=self.flag(item))
                case "coverage":
                    gate = gate._replace(coverage=self.choice(item, COVERAGE))
                case "checks":
                    gate = gate._replace(checks=self.checks(item, key))
                case _:
                    environments = self.mapping(item, "as in `production: {fail-on: low}`").entries
                    read = {one.key.text: self.gate(one, f"{key}.{one.key.text}", _ENVIRONMENT_KEYS) for one in environments}
                    gate = gate._replace(environments=read)
        return gate._replace(places=places)

    def limits(self, entry: "Entry", key: str) -> tuple[Limit, ...]:
        from hardener.sources.yaml_nodes import Scalar

        limits = []
        for item in self.mapping(entry, "as in {high: 0, HD201: 3}").entries:
            node = item.value
            if not isinstance(node, Scalar) or not isinstance(node.value, int) or isinstance(node.value, bool) or node.value < 0:
                raise self.fail(f"the threshold of {item.key.text} is a number of findings", node, "0 or more")
            word = Word(item.key.text, self.file.at(item.key.span), f"{key}.{item.key.text}")
            limits.append(Limit(word, node.value, SEVERITIES.get(word.text)))
        return tuple(limits)

    def checks(self, entry: "Entry", key: str) -> tuple[Check, ...]:
        checks = []
        for item in self.mapping(entry, "as in `ACME-7: {title: Images are ours, rules: [HD106]}`").entries:
            word = Word(item.key.text, self.file.at(item.key.span), f"{key}.{item.key.text}")
            title, rules, reason = "", tuple[Word, ...](), ""
            for part in self.entries(self.mapping(item, f"keys: {', '.join(_CHECK_KEYS)}"), _CHECK_KEYS):
                match part.key.text:
                    case "title":
                        title = self.text(part)
                    case "rules":
                        rules = self.words(part, f"{word.key}.rules")
                    case _:
                        reason = self.text(part)
            if not title:
                raise self.fail(f"{word.text} has no title", item.key, "say in a few words what it asks for: `title:`")
            if rules and reason:
                raise self.fail(f"{word.text} has rules and is not checkable", item.key, "leave one of the two out")
            checks.append(Check(word, title, rules, reason))
        return tuple(checks)
