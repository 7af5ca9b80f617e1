"""The keys of the configuration: what each means, and how its value is read into a `Config`.

`KEYS` is the only list of them: reading, `harden config` and the file that `harden init` writes all come from it.
"""

import os
from collections.abc import Callable, Iterator
from typing import Final

from hardener.engine.config import Choice, Config, Override
from hardener.errors import HardenError, suggest
from hardener.finding import SEVERITIES
from hardener.record import NamedTuple
from hardener.rules.load import PROFILES
from hardener.sources.yaml_nodes import Entry, Mapping, Node, Scalar, Sequence
from hardener.text import SourceFile, Span

LABEL_TYPES: Final = ("text", "url", "semver", "rfc3339", "spdx", "hash", "email")


class Source:
    """Where settings come from: a file, or the command line (then `file` is None). Paths in them are relative to `folder`."""

    __slots__ = ("file", "folder")

    def __init__(self, file: SourceFile | None, folder: str) -> None:
        self.file = file
        self.folder = folder

    def at(self, span: Span) -> str:
        """Return how to name a place in it."""
        return "command line" if self.file is None else self.file.at(span)


class Key(NamedTuple):
    """A key of the configuration. `example` is YAML as `harden init` writes it; `read` applies a value to a `Config`."""

    name: str
    example: str
    help: str
    read: Callable[[Config, Entry, Source], None]
    per_path: bool = True


def apply(config: Config, mapping: Mapping, source: Source, *, per_path: bool = False) -> None:
    """Apply the settings of a mapping to `config`. `per_path`: it is an item of `overrides`, where only some keys may stand.

    Raises `HardenError` with the exact place for an unknown key or a value that the key does not take.
    """
    config.choices.append([])
    config.severities.append([])
    allowed = [key.name for key in KEYS if key.per_path or not per_path] + (["paths"] if per_path else [])
    for entry in mapping.entries:
        name = entry.key.text
        key = _BY_NAME.get(name)
        if name not in allowed:
            what = f"{name!r} cannot be set for some paths only" if key else f"unknown key {name!r}"
            hint = "move it to the top level of the file" if key else suggest(name.replace("_", "-").lower(), allowed)
            raise HardenError(what, where=source.at(entry.key.place), how=hint or "`harden config` lists the keys")
        if key is not None:
            key.read(config, entry, source)


def wrong(node: Node, source: Source, what: str, how: str = "") -> HardenError:
    """Return the error for a value that a key does not take."""
    return HardenError(what, where=source.at(node.place), how=how or "`harden config` shows an example of every key")


def text_of(node: Node, source: Source, key: str) -> str:
    """Return a text value."""
    if isinstance(node, Scalar) and isinstance(node.value, str) and node.value:
        return node.value
    raise wrong(node, source, f"{key} takes a text")


def texts_of(node: Node, source: Source, key: str) -> Iterator[tuple[str, str]]:
    """Yield each text of a list and where it stands; a single text counts as a list of one."""
    if isinstance(node, Mapping) or (isinstance(node, Scalar) and not isinstance(node.value, str)):
        raise wrong(node, source, f"{key} takes a list of texts")
    for item in node.items if isinstance(node, Sequence) else (node,):
        yield text_of(item, source, f"an item of {key}"), source.at(item.place)


def path_of(text: str, source: Source) -> str:
    """Return a path of the configuration as an absolute one."""
    return os.path.normpath(os.path.join(source.folder, text))


def _flag(node: Node, source: Source, key: str) -> bool:
    if isinstance(node, Scalar) and isinstance(node.value, bool):
        return node.value
    raise wrong(node, source, f"{key} is true or false")


def _choice(node: Node, source: Source, key: str, choices: tuple[str, ...]) -> str:
    text = node.text if isinstance(node, Scalar) else ""
    if text in choices:
        return text
    hint = suggest(text, choices)
    raise wrong(node, source, f"{key} is one of {', '.join(choices)}" + (f", not {text!r}" if text else ""), hint)


def _entries(node: Node, source: Source, key: str, form: str) -> tuple[Entry, ...]:
    if isinstance(node, Mapping):
        return node.entries
    raise wrong(node, source, f"{key} takes a mapping of {form}")


def _profile(config: Config, entry: Entry, source: Source) -> None:
    config.profile = _choice(entry.value, source, "profile", PROFILES)
    config.note("profile", config.profile, source.at(entry.value.place))


def _select(config: Config, entry: Entry, source: Source) -> None:
    key = entry.key.text
    choices = [Choice(word, key != "ignore", where) for word, where in texts_of(entry.value, source, key)]
    if key == "select" and not any(choice.word.strip().lower() == "all" for choice in choices):
        config.choices[-1].append(Choice("all", False, source.at(entry.key.place)))  # these and no others
    config.choices[-1].extend(choices)
    for choice in choices:
        config.note(key, choice.word, choice.where, adds=True)


def _severity(config: Config, entry: Entry, source: Source) -> None:
    for item in _entries(entry.value, source, "severity", "rules to severities"):
        word, where = item.key.text, source.at(item.key.place)
        severity = SEVERITIES[_choice(item.value, source, "a severity", tuple(SEVERITIES))]
        config.severities[-1].append(Override(word, severity, where))
        config.note(f"severity.{word}", severity.label, where)


def _fail_on(config: Config, entry: Entry, source: Source) -> None:
    label = _choice(entry.value, source, "fail-on", (*SEVERITIES, "never"))
    config.fail_on = SEVERITIES.get(label)
    config.note("fail-on", label, source.at(entry.value.place))


def _show(config: Config, entry: Entry, source: Source) -> None:
    config.show = SEVERITIES[_choice(entry.value, source, "show", tuple(SEVERITIES))]
    config.note("show", config.show.label, source.at(entry.value.place))


def _trusted_registries(config: Config, entry: Entry, source: Source) -> None:
    for registry, where in texts_of(entry.value, source, "trusted-registries"):
        config.trusted_registries.append(registry)
        config.note("trusted-registries", registry, where, adds=True)


def _required_labels(config: Config, entry: Entry, source: Source) -> None:
    for item in _entries(entry.value, source, "required-labels", "label names to types"):
        name = item.key.text
        config.required_labels[name] = _choice(item.value, source, "the type of a label", LABEL_TYPES)
        config.note(f"required-labels.{name}", config.required_labels[name], source.at(item.key.place))


def _strict_labels(config: Config, entry: Entry, source: Source) -> None:
    config.strict_labels = _flag(entry.value, source, "strict-labels")
    config.note("strict-labels", str(config.strict_labels).lower(), source.at(entry.value.place))


def _build_args(config: Config, entry: Entry, source: Source) -> None:
    for item in _entries(entry.value, source, "build-args", "names to values"):
        name, value = item.key.text, item.value
        if not isinstance(value, Scalar) or value.value is None:
            raise wrong(value, source, f"the build argument {name} takes one value", 'write "" for an empty one')
        config.build_args[name] = value.text
        config.note(f"build-args.{name}", value.text, source.at(item.key.place))


def _forbid_ignores(config: Config, entry: Entry, source: Source) -> None:
    node = entry.value
    if isinstance(node, Scalar) and isinstance(node.value, bool):
        config.forbidden_ignores = ["all"] if node.value else []
        config.note("forbid-ignores", str(node.value).lower(), source.at(node.place))
        return
    for word, where in texts_of(node, source, "forbid-ignores"):
        config.forbidden_ignores.append(word)
        config.note("forbid-ignores", word, where, adds=True)


def _require_reason(config: Config, entry: Entry, source: Source) -> None:
    config.require_reason = _flag(entry.value, source, "require-reason")
    config.note("require-reason", str(config.require_reason).lower(), source.at(entry.value.place))


def _rules(config: Config, entry: Entry, source: Source) -> None:
    for text, where in texts_of(entry.value, source, "rules"):
        folder = path_of(text, source)
        if not os.path.exists(folder):
            raise HardenError(f"there is no {text!r} to take rules from", where=where, how="paths are relative to the configuration file")
        config.rules.append(folder)
        config.note("rules", text, where, adds=True)


def _baseline(config: Config, entry: Entry, source: Source) -> None:
    text = text_of(entry.value, source, "baseline")
    config.baseline = path_of(text, source)
    config.note("baseline", text, source.at(entry.value.place))


def _exclude(config: Config, entry: Entry, source: Source) -> None:
    for pattern, where in texts_of(entry.value, source, "exclude"):
        config.note("exclude", pattern, where, adds=True)


def _by_configs(config: Config, entry: Entry, source: Source) -> None:
    """Do nothing: these keys say which settings to apply, which is decided before any is."""


KEYS: Final = (
    Key(
        "extends",
        "extends: ../.harden.yaml",
        "Start from another configuration, or a list of them; what this file says wins.",
        _by_configs,
        False,
    ),
    Key("profile", "profile: strict", "The rules that run: default (what a busy team would fix), strict, or all.", _profile),
    Key(
        "select",
        "select: [HD4, DL3008]",
        "The rules to run, instead of those of the profile: ids, names, prefixes, or any peer's ids.",
        _select,
    ),
    Key("extend-select", "extend-select: [HD104]", "Rules to run besides those of the profile.", _select),
    Key("ignore", "ignore: [HD703, CKV_DOCKER_2]", "Rules not to run.", _select),
    Key("severity", "severity: {HD101: high}", "Severities to change: info, low, medium, high or critical.", _severity),
    Key("fail-on", "fail-on: high", "The least severity that fails a run (exit code 1), or never. The default is medium.", _fail_on),
    Key("show", "show: low", "The least severity that is reported. The default is info.", _show),
    Key(
        "exclude",
        "exclude: [vendor/, '*.legacy']",
        "Files and folders that a search leaves out; patterns as in .gitignore.",
        _exclude,
        False,
    ),
    Key(
        "overrides",
        "overrides: [{paths: [services/legacy/], ignore: [HD201]}]",
        "Other settings for some paths; patterns as in .gitignore.",
        _by_configs,
        False,
    ),
    Key("trusted-registries", "trusted-registries: [docker.io, '*.example.com']", "Where base images may come from.", _trusted_registries),
    Key(
        "required-labels",
        "required-labels: {org.opencontainers.image.source: url}",
        f"Labels that every image must have, and their types: {', '.join(LABEL_TYPES)}.",
        _required_labels,
    ),
    Key("strict-labels", "strict-labels: true", "Whether labels that are not required are reported.", _strict_labels),
    Key("build-args", "build-args: {VERSION: '1.2'}", "Values for ARG, as `docker build --build-arg` would give them.", _build_args),
    Key("forbid-ignores", "forbid-ignores: [HD301]", "Rules that no comment may ignore; true for all of them.", _forbid_ignores),
    Key("require-reason", "require-reason: true", "Whether ignore comments without a reason are reported.", _require_reason),
    Key("rules", "rules: [our-rules/]", "Folders with further rules.", _rules, False),
    Key("baseline", "baseline: .harden-baseline.json", "A file of findings that are known and not reported.", _baseline, False),
)
_BY_NAME: Final = {key.name: key for key in KEYS}
