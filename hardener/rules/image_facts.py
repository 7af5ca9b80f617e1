"""What `match:` can ask about images: the counterpart of facts.py, imported only where images are judged.

Kinds: `image` (all of it), `image.file` (a path of the final image), `image.layer`, `image.step` (a line of the history),
`image.variable`, `image.label`, `image.port` and `image.volume` (one item of the configuration). Items know all facts of their image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from hardener.rules.file_capabilities import ATTRIBUTE, parse
from hardener.rules.image_contents import Contents
from hardener.rules.image_document import health_test
from hardener.rules.vocabulary import FactValue, Getter, Kind, SpanGetter, Subject
from hardener.sources.unknown import UNKNOWN
from hardener.text import Span

if TYPE_CHECKING:
    from hardener.images.view import Found, LayerSummary
    from hardener.rules.image_document import Step

ITEMS: Final = ("variable", "label", "port", "volume")


class Item:
    """A variable, label, port or volume of an image's configuration. `key` names it in the document and in fingerprints."""

    __slots__ = ("contents", "key", "name", "value")

    def __init__(self, contents: Contents, key: str, name: str, value: str = "") -> None:
        self.contents = contents
        self.key = key
        self.name = name
        self.value = value

    def __repr__(self) -> str:
        return f"Item({self.key!r} of {self.contents.image.name!r})"


class FileOf:
    """A path of the final image."""

    __slots__ = ("contents", "found", "path")

    def __init__(self, contents: Contents, path: str, found: Found) -> None:
        self.contents = contents
        self.path = path
        self.found = found

    def __repr__(self) -> str:
        return f"FileOf({self.path!r} of {self.contents.image.name!r})"


class LayerOf:
    """A layer of an image, and the line that made it."""

    __slots__ = ("contents", "step", "summary")

    def __init__(self, contents: Contents, summary: LayerSummary, step: Step) -> None:
        self.contents = contents
        self.summary = summary
        self.step = step

    def __repr__(self) -> str:
        return f"LayerOf({self.summary.layer!r} of {self.contents.image.name!r})"


class StepOf:
    """A line of the history of an image."""

    __slots__ = ("contents", "step")

    def __init__(self, contents: Contents, step: Step) -> None:
        self.contents = contents
        self.step = step

    def __repr__(self) -> str:
        return f"StepOf({self.step!r} of {self.contents.image.name!r})"


def items(contents: Contents, kind: str) -> Iterator[Item]:
    """Yield the items of a kind."""
    match kind:
        case "variable":
            yield from (Item(contents, f"env:{name}", name, value) for name, value in contents.env.items())
        case "label":
            yield from (Item(contents, f"label:{name}", name, value) for name, value in contents.labels.items())
        case "port":
            yield from (Item(contents, f"port:{port}", *port.partition("/")[::2]) for port in contents.ports)
        case "volume":
            yield from (Item(contents, f"volume:{path}", path) for path in contents.volumes)


def about(subject: Subject) -> str:
    """Return what names a subject within its image, whatever line it comes from: for fingerprints."""
    match subject:
        case Item():
            return subject.key
        case FileOf():
            return f"file:{subject.path}"
        case LayerOf():
            return f"layer:{subject.step.text}"
        case StepOf():
            return f"step:{subject.step.text}"
    return ""


def span_of(subject: Subject) -> Span:
    """Return where a finding on a subject stands unless its check says otherwise."""
    match subject:
        case Item():
            return subject.contents.document.place(subject.key)
        case FileOf():
            return subject.contents.at(subject.found.layer)
        case LayerOf() | StepOf():
            return subject.step.span
    return _contents(subject).document.place("entrypoint", "cmd")


def _contents(subject: Subject) -> Contents:
    found = subject if isinstance(subject, Contents) else getattr(subject, "contents", None)
    if not isinstance(found, Contents):
        raise TypeError(f"expected an image, got {type(subject).__name__}")
    return found


def _item(subject: Subject) -> Item:
    if not isinstance(subject, Item):
        raise TypeError("expected a part of an image's configuration")
    return subject


def _file(subject: Subject) -> FileOf:
    if not isinstance(subject, FileOf):
        raise TypeError("expected a file of an image")
    return subject


def _layer(subject: Subject) -> LayerOf:
    if not isinstance(subject, LayerOf):
        raise TypeError("expected a layer of an image")
    return subject


def _step(subject: Subject) -> Step:
    if not isinstance(subject, StepOf):
        raise TypeError("expected a line of an image's history")
    return subject.step


def _capabilities(subject: Subject) -> FactValue:
    value = _file(subject).found.entry.xattrs.get(ATTRIBUTE)
    if value is None:
        return None
    found = parse(value)
    return (*found.permitted, *found.inheritable)


def _health(subject: Subject) -> FactValue:
    test = health_test(_contents(subject).image)
    return " ".join(test) if test else None


def _packages(contents: Contents) -> FactValue:
    return UNKNOWN if contents.packages is None else tuple(package.name for package in contents.packages)


def _words(field: str) -> Getter:
    return lambda subject: tuple(getattr(_contents(subject).image.defaults, field) or ()) or None


def _text(field: str) -> Getter:
    return lambda subject: getattr(_contents(subject).image.defaults, field) or None


_IMAGE_FACTS: Final[dict[str, Getter]] = {
    "image.name": lambda subject: _contents(subject).image.name,
    "image.digest": lambda subject: _contents(subject).image.digest,
    "image.os": lambda subject: _contents(subject).image.config.os,
    "image.architecture": lambda subject: _contents(subject).image.config.architecture,
    "image.created": lambda subject: _contents(subject).image.config.created,
    "image.author": lambda subject: _contents(subject).image.config.author,
    "image.size": lambda subject: _contents(subject).image.size,
    "image.layers": lambda subject: len(_contents(subject).image.layers),
    "image.user": _text("user"),
    "image.uid": lambda subject: _contents(subject).who.uid,
    "image.gid": lambda subject: _contents(subject).who.gid,
    "image.working-dir": _text("working_dir"),
    "image.stop-signal": _text("stop_signal"),
    "image.entrypoint": _words("entrypoint"),
    "image.cmd": _words("cmd"),
    "image.shell": _words("shell"),
    "image.healthcheck": _health,
    "image.environment": lambda subject: tuple(_contents(subject).env),
    "image.labels": lambda subject: tuple(_contents(subject).labels),
    "image.ports": lambda subject: _contents(subject).ports,
    "image.volumes": lambda subject: _contents(subject).volumes,
    "image.distribution": lambda subject: _contents(subject).distribution.id or None,
    "image.distribution-version": lambda subject: _contents(subject).distribution.version_id or None,
    "image.packages": lambda subject: _packages(_contents(subject)),
}


def _placed(name: str) -> SpanGetter:
    return lambda subject: _contents(subject).document.place(name)


_IMAGE_PLACES: Final[dict[str, SpanGetter]] = {
    f"image.{name}": _placed(name) for name in ("user", "entrypoint", "cmd", "healthcheck", "workdir", "stopsignal", "shell")
}


def _kind(facts: dict[str, Getter]) -> Kind:
    return Kind({**_IMAGE_FACTS, **facts}, _IMAGE_PLACES, span_of)


def _entry(get: Callable[[FileOf], FactValue]) -> Getter:
    return lambda subject: get(_file(subject))


KINDS: Final[dict[str, Kind]] = {
    "image": _kind({}),
    "image.file": _kind(
        {
            "file.path": _entry(lambda file: "/" + file.path),
            "file.name": _entry(lambda file: file.path.rpartition("/")[2]),
            "file.kind": _entry(lambda file: file.found.entry.kind),
            "file.mode": _entry(lambda file: f"{file.found.entry.mode & 0o7777:04o}"),
            "file.uid": _entry(lambda file: file.found.entry.uid),
            "file.gid": _entry(lambda file: file.found.entry.gid),
            "file.owner": _entry(lambda file: file.contents.accounts.user_name(file.found.entry.uid)),
            "file.group": _entry(lambda file: file.contents.accounts.group_name(file.found.entry.gid)),
            "file.size": _entry(lambda file: file.found.entry.size),
            "file.link": _entry(lambda file: file.found.entry.link or None),
            "file.setuid": _entry(lambda file: bool(file.found.entry.mode & 0o4000)),
            "file.setgid": _entry(lambda file: bool(file.found.entry.mode & 0o2000)),
            "file.sticky": _entry(lambda file: bool(file.found.entry.mode & 0o1000)),
            "file.world-writable": _entry(lambda file: file.found.entry.kind != "symlink" and bool(file.found.entry.mode & 0o002)),
            "file.executable": _entry(lambda file: file.found.entry.kind == "file" and bool(file.found.entry.mode & 0o111)),
            "file.capabilities": _capabilities,
            "file.own": _entry(lambda file: file.contents.is_own(file.found.layer)),
        }
    ),
    "image.layer": _kind(
        {
            "layer.number": lambda subject: _layer(subject).summary.layer.index + 1,
            "layer.instruction": lambda subject: _layer(subject).step.text,
            "layer.size": lambda subject: _layer(subject).summary.layer.descriptor.size,
            "layer.bytes": lambda subject: _layer(subject).summary.bytes,
            "layer.wasted": lambda subject: _layer(subject).summary.wasted,
            "layer.added": lambda subject: _layer(subject).summary.added,
            "layer.changed": lambda subject: _layer(subject).summary.changed,
            "layer.deleted": lambda subject: _layer(subject).summary.deleted,
            "layer.own": lambda subject: _layer(subject).step.own,
        }
    ),
    "image.step": _kind(
        {
            "step.name": lambda subject: _step(subject).name or None,
            "step.text": lambda subject: _step(subject).text,
            "step.own": lambda subject: _step(subject).own,
            "step.has-layer": lambda subject: _step(subject).layer is not None,
            "step.arguments": lambda subject: tuple(name for name, _ in _step(subject).arguments),
        }
    ),
    "image.variable": _kind({"variable.name": lambda subject: _item(subject).name, "variable.value": lambda subject: _item(subject).value}),
    "image.label": _kind({"label.name": lambda subject: _item(subject).name, "label.value": lambda subject: _item(subject).value}),
    "image.port": _kind(
        {
            "port.number": lambda subject: int(_item(subject).name[:9]) if _item(subject).name.isdecimal() else None,
            "port.protocol": lambda subject: _item(subject).value,
        }
    ),
    "image.volume": _kind({"volume.path": lambda subject: _item(subject).name}),
}
