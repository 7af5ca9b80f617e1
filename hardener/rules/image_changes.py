"""What is different in a second image: packages, files with their modes and owners, and configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from heapq import merge
from itertools import groupby
from typing import TYPE_CHECKING

from hardener.oci.image import names
from hardener.record import NamedTuple
from hardener.rules.image_credentials import found as found_credentials
from hardener.rules.image_credentials import redacted

if TYPE_CHECKING:
    from hardener.images.image import Image
    from hardener.images.packages.model import Package
    from hardener.images.tar import Entry
    from hardener.images.view import Found, View


class FileChange(NamedTuple):
    """A path that is in one image only, or not the same in both; None where it is not."""

    path: str
    old: Entry | None
    new: Entry | None
    same_content: bool = False  # of a changed file: mode, owner or attributes alone are different


class PackageChange(NamedTuple):
    """A package that is in one image only, or in another version; () where it is not."""

    kind: str
    name: str
    old: tuple[str, ...]
    new: tuple[str, ...]


class ConfigChange(NamedTuple):
    """A key of the configuration that differs; None where it is not set."""

    key: str
    old: str | None
    new: str | None


class Digests:
    """A scanner that works out a digest of each file, to tell changed ones from those that were only built again."""

    def __init__(self) -> None:
        self._digests: dict[tuple[str, int], bytes] = {}

    def wants(self, entry: Entry, layer: object) -> int:
        """Ask for all of each file."""
        return -1 if entry.kind == "file" and entry.size else 0

    def see(self, entry: Entry, layer: object, content: bytes, offset: int) -> None:
        """Digest a file; windows of a large one overlap."""
        from hashlib import blake2b

        key = (entry.name, getattr(layer, "index", 0))
        if offset == 0:
            self._digests[key] = blake2b(content, digest_size=16).digest()
        else:  # windows come in order, at the same offsets for the same content
            self._digests[key] = blake2b(self._digests.get(key, b"") + content, digest_size=16).digest()

    def part(self) -> _Part:
        """Return one for a layer that somebody else reads."""
        return _Part()

    def give(self, layer: object, taken: dict[tuple[str, int], bytes]) -> None:
        """Know what a part knows."""
        self._digests.update(taken)

    def digest(self, path: str, layer: object) -> bytes | None:
        """Return what stands for the content of a file; None for one without."""
        return self._digests.get((path, getattr(layer, "index", 0)))


class _Part(Digests):
    """One for one layer."""

    @property
    def held(self) -> int:
        """About how many bytes it keeps."""
        return 300 * len(self._digests)

    def take(self) -> dict[tuple[str, int], bytes]:
        """Return what was worked out."""
        return self._digests


def files(old: View, new: View, old_digests: Digests, new_digests: Digests) -> Iterator[FileChange]:
    """Yield the paths that differ, in the order of their names. Times are no difference: each build has its own."""
    both = merge(((_key(path), 0, found) for path, found in old), ((_key(path), 1, found) for path, found in new), key=_order)
    for _, group in groupby(both, key=lambda each: each[0]):
        sides = {side: found for _, side, found in group}
        one, two = sides.get(0), sides.get(1)
        if one is None or two is None:
            path = (one or two or sides[0]).path
            yield FileChange(path, None if one is None else one.entry, None if two is None else two.entry)
            continue
        entry, other = one.entry, two.entry
        content = old_digests.digest(one.path, one.layer) == new_digests.digest(two.path, two.layer)
        same = content and entry.size == other.size and entry.kind == other.kind and entry.link == other.link
        if not same or _attributes(entry) != _attributes(other):
            yield FileChange(one.path, entry, other, same)


def _order(item: tuple[tuple[str, ...], int, Found]) -> tuple[tuple[str, ...], int]:
    return item[:2]


def _key(path: str) -> tuple[str, ...]:
    return tuple(path.split("/"))  # a folder comes before what is in it, as views have it


def _attributes(entry: Entry) -> tuple[object, ...]:
    return (entry.mode, entry.uid, entry.gid, sorted(entry.xattrs.items()))


def packages(old: tuple[Package, ...], new: tuple[Package, ...]) -> Iterator[PackageChange]:
    """Yield the packages that differ."""
    before, after = _versions(old), _versions(new)
    for kind, name in sorted({*before, *after}):
        one, two = before.get((kind, name), ()), after.get((kind, name), ())
        if one != two:
            yield PackageChange(kind, name, one, two)


def _versions(found: tuple[Package, ...]) -> dict[tuple[str, str], tuple[str, ...]]:
    versions: dict[tuple[str, str], set[str]] = {}
    for package in found:
        versions.setdefault((package.kind, package.name), set()).add(package.version)
    return {key: tuple(sorted(each)) for key, each in versions.items()}


def config(old: Image, new: Image) -> Iterator[ConfigChange]:
    """Yield what of the configuration differs, and no credential in it."""
    before, after = _settings(old), _settings(new)
    for key in sorted({*before, *after}):
        one, other = before.get(key), after.get(key)
        if one != other:
            yield ConfigChange(key, None if one is None else _shown(key, one), None if other is None else _shown(key, other))


def _shown(key: str, text: str) -> str:
    """Return a value of the configuration without the credentials in it."""
    from json import loads

    kind, _, name = key.partition(" ")
    if kind in ("Env", "Label"):
        return redacted(text, found_credentials([(name, text)], [text]))
    if key in ("Entrypoint", "Cmd", "Healthcheck"):
        words = loads(text)
        words = words.get("Test") if isinstance(words, dict) else words
        return redacted(text, found_credentials((), [" ".join(map(str, words if isinstance(words, list) else ()))]))
    return text


def _settings(image: Image) -> Mapping[str, str]:
    """Return the configuration as a flat table of what is set."""
    from json import dumps

    defaults = image.defaults
    found: dict[str, str] = {}
    words = {"User": defaults.user, "WorkingDir": defaults.working_dir, "StopSignal": defaults.stop_signal}
    found.update({key: text for key, text in words.items() if text})
    for key, argv in (("Entrypoint", defaults.entrypoint), ("Cmd", defaults.cmd), ("Shell", defaults.shell)):
        if argv:
            found[key] = dumps(list(argv), ensure_ascii=False)
    found.update({f"Env {name}": value for name, _, value in (entry.partition("=") for entry in defaults.env or ())})
    found.update({f"Label {name}": value for name, value in (defaults.labels or {}).items()})
    found.update({f"ExposedPort {port}": "" for port in names(defaults.exposed_ports)})
    found.update({f"Volume {path}": "" for path in names(defaults.volumes)})
    if defaults.healthcheck:
        found["Healthcheck"] = dumps(defaults.healthcheck, ensure_ascii=False, sort_keys=True)
    platform = image.config
    found["Platform"] = "/".join(filter(None, (platform.os, platform.architecture, platform.variant)))
    return found
