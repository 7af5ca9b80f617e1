"""An image: its manifest, its configuration and its layers, read from wherever the blobs come from.

Nothing is believed: the size and the digest of every document are held against what names it, whatever the source; a document must be of
the type that it is said to be, and has one meaning only. Source: github.com/opencontainers/image-spec.
"""

from __future__ import annotations

from hardener.errors import HardenError
from hardener.images import platforms
from hardener.images.limits import LIMITS
from hardener.oci import json_text
from hardener.oci.image import (
    CONFIGS,
    FOREIGN,
    INDEXES,
    LAYERS,
    MANIFESTS,
    SCHEMA_1,
    Defaults,
    Descriptor,
    ImageConfig,
    Index,
    Manifest,
    Platform,
    split_digest,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO, Final, Protocol, TypeVar

    from hardener.images.limits import Limits
    from hardener.oci.fields import Fields
    from hardener.oci.reference import Reference

    T = TypeVar("T", bound=Fields)

    class Source(Protocol):
        """Where the blobs of an image come from: a layout, an archive, a registry, an engine, the store.

        A source need not verify anything: who reads from it does. `where` is what messages name.
        """

        where: str

        def read(self, descriptor: Descriptor) -> bytes:
            """Return a document whole; one larger than its descriptor says, or than the limit, is an error."""

        def open(self, descriptor: Descriptor) -> BinaryIO:
            """Return the stream of a blob as it is stored: compressed, and not yet verified. Whoever opens it closes it."""

        def path(self, descriptor: Descriptor) -> str:
            """Return the file that holds the blob and nothing else; '' when there is none."""


_REPAIR: Final = "it is damaged or forged: copy the image again"
_NOP: Final = "#(nop)"
_SHELL: Final = "/bin/sh -c "


class NoPlatformError(HardenError):
    """There is no image for the platform that is asked for."""


class History:
    """What made a layer, or changed the configuration: one step of a build."""

    __slots__ = ("author", "comment", "created", "created_by", "empty_layer")

    def __init__(self, created: str = "", created_by: str = "", comment: str = "", author: str = "", *, empty_layer: bool = False) -> None:
        self.created = created
        self.created_by = created_by
        self.comment = comment
        self.author = author
        self.empty_layer = empty_layer

    @property
    def instruction(self) -> str:
        """The step in the words of a Dockerfile, without what builders write around it; `arguments` of the build are left out."""
        return _split(self.created_by)[1]

    @property
    def arguments(self) -> tuple[str, ...]:
        """The arguments of the build that a RUN saw, as NAME=VALUE."""
        return _split(self.created_by)[0]


class Layer:
    """One layer: its blob, the digest of the tar in it, and the step that made it (None when the history does not fit)."""

    __slots__ = ("descriptor", "diff_id", "history", "index")

    def __init__(self, index: int, descriptor: Descriptor, diff_id: str, history: History | None) -> None:
        self.index = index
        self.descriptor = descriptor
        self.diff_id = diff_id
        self.history = history

    def __repr__(self) -> str:
        return f"Layer({self.index}, {self.diff_id[:19]})"


class Image:
    """An image for one platform, verified down to its configuration. `layers`: the lowest first. `index` is what it was chosen from."""

    __slots__ = ("config", "defaults", "descriptor", "index", "layers", "manifest", "name", "platform", "reference", "source")

    def __init__(self, name: str, source: Source, descriptor: Descriptor, manifest: Manifest, config: ImageConfig) -> None:
        self.name = name
        self.reference: Reference | None = None
        self.source = source
        self.descriptor = descriptor
        self.index: Descriptor | None = None
        self.manifest = manifest
        self.config = config
        self.defaults = config.defaults or Defaults()
        self.platform = Platform(os=config.os, architecture=config.architecture, variant=config.variant)
        self.layers = _layers(manifest, config, place(source, descriptor))

    @property
    def digest(self) -> str:
        """The digest of the manifest."""
        return self.descriptor.digest

    @property
    def index_digest(self) -> str:
        """The digest of the index that the manifest was chosen from; '' when there is none."""
        return self.index.digest if self.index is not None else ""

    @property
    def size(self) -> int:
        """Bytes of all blobs: what has to be fetched or stored."""
        return self.descriptor.size + self.manifest.config.size + sum([layer.descriptor.size for layer in self.layers])


def read(name: str, source: Source, tops: tuple[Descriptor, ...], platform: str = "", *, limits: Limits = LIMITS) -> Image:
    """Choose the image for a platform among manifests and indexes, verify it down to its configuration, and return it.

    Without a platform it is the one for this machine; when there is a single image, that one, whatever it is for.
    """
    wanted = platforms.parse(platform) if platform else platforms.machine()
    descriptor, index = _choose(source, tops, wanted, None, limits.indexes, limits, strictly=bool(platform))
    manifest = document(source, descriptor, Manifest, limits)
    if manifest.config.media_type not in CONFIGS:
        raise HardenError(
            f"this is no image of a container but {manifest.config.media_type!r:.80}",
            where=place(source, descriptor),
            how="other things are kept in the same form: name an image",
        )
    if len(manifest.layers) > limits.layers:
        raise HardenError(
            f"the image has {len(manifest.layers)} layers", where=place(source, descriptor), how=f"at most {limits.layers}: squash it"
        )
    config = document(source, manifest.config, ImageConfig, limits)
    image = Image(name, source, descriptor, manifest, config)
    image.index = index
    for said in (wanted if platform else None, descriptor.platform):
        if said is not None and not platforms.matches(said, image.platform):
            raise _no_platform(said, [image.platform], source)
    return image


def histories(config: ImageConfig) -> tuple[History, ...]:
    """Return all steps of the build, in order, also those that made no layer. Raises HardenError when they are no list of steps."""
    if config.history is None:
        return ()
    if not isinstance(config.history, list):
        raise HardenError("the history of the image is no list", how=_REPAIR)
    found = []
    for step in config.history:
        if not isinstance(step, dict) or not isinstance(step.get("empty_layer", False), bool | None):
            raise HardenError("the history of the image is no list of steps", how=_REPAIR)
        texts = [step.get(key) or "" for key in ("created", "created_by", "comment", "author")]
        if not all(isinstance(text, str) for text in texts):
            raise HardenError("the history of the image has something else than text", how=_REPAIR)
        found.append(History(*texts, empty_layer=bool(step.get("empty_layer"))))
    return tuple(found)


def folders(image: Image, cache: str) -> tuple[str, ...]:
    """Return where the layers of an image are unpacked, or will be, the lowest first."""
    return tuple(["{}/layers/{}-{}".format(cache, *split_digest(layer.diff_id)) for layer in image.layers])


def place(source: Source, descriptor: Descriptor) -> str:
    """Return what a message names for a blob."""
    return source.path(descriptor) or f"{source.where} ({descriptor.digest[:19]})"


# --- choosing -------------------------------------------------------------------------------------------------------------------


def _choose(
    source: Source,
    found: tuple[Descriptor, ...],
    wanted: Platform,
    index: Descriptor | None,
    depth: int,
    limits: Limits,
    *,
    strictly: bool,
) -> tuple[Descriptor, Descriptor | None]:
    """Return the manifest for a platform, and the outermost index. A descriptor that names none may be for any: the configuration says."""
    if len(found) > limits.manifests:
        raise HardenError(f"the index has {len(found)} manifests", where=source.where, how=f"at most {limits.manifests}: take another one")
    # Attestations stand beside images as if they were for a platform of their own.
    able = [one for one in found if one.platform is None or one.platform.architecture != "unknown"]
    fitting = [one for one in able if one.platform is not None and platforms.matches(wanted, one.platform)]
    fitting = fitting or [one for one in able if one.platform is None]
    if not fitting and len(able) == 1 and not strictly:
        fitting = able
    if not fitting:
        raise _no_platform(wanted, [one.platform for one in able if one.platform is not None], source)
    exact = [one for one in fitting if one.platform is not None and one.platform.variant == wanted.variant]
    chosen = (exact or fitting)[0]
    if chosen.media_type in MANIFESTS:
        return chosen, index
    if chosen.media_type.startswith(SCHEMA_1):
        raise HardenError("images of Docker's schema 1 are not read", where=source.where, how="push it again with a Docker of this decade")
    if chosen.media_type not in INDEXES:
        raise HardenError(f"unknown type of manifest {chosen.media_type!r:.80}", where=source.where, how=f"known: {', '.join(MANIFESTS)}")
    if not depth:
        raise HardenError("the indexes are nested too deeply", where=source.where, how="no real image is like that: take another one")
    inner = document(source, chosen, Index, limits).manifests
    return _choose(source, inner, wanted, index or chosen, depth - 1, limits, strictly=strictly)


def _no_platform(wanted: Platform, found: list[Platform], source: Source) -> NoPlatformError:
    there = ", ".join(dict.fromkeys(map(platforms.show, found))) or "nothing"
    return NoPlatformError(f"there is no image for {platforms.show(wanted)}", where=source.where, how=f"it has {there}; --platform chooses")


def _layers(manifest: Manifest, config: ImageConfig, where: str) -> tuple[Layer, ...]:
    diff_ids = config.rootfs.diff_ids
    if len(manifest.layers) != len(diff_ids):
        raise HardenError(
            f"{len(manifest.layers)} layers, but {len(diff_ids)} digests of their contents",
            where=where,
            how="the image is damaged, or is no image of a container: build or copy it again",
        )
    for descriptor in manifest.layers:
        if descriptor.media_type.startswith(FOREIGN):
            raise HardenError("a layer lies at a foreign address", where=where, how="copy the image with its foreign layers")
        if descriptor.media_type not in LAYERS:
            raise HardenError(
                f"unknown type of layer {descriptor.media_type!r:.80}", where=where, how="tar, tar+gzip and tar+zstd are known"
            )
        split_digest(descriptor.digest)
        if descriptor.size < 0:
            raise HardenError("a layer is smaller than nothing", where=where, how=_REPAIR)
    for digest in diff_ids:
        split_digest(digest)
    steps = [step for step in histories(config) if not step.empty_layer]
    fits = len(steps) == len(diff_ids)
    return tuple(
        [
            Layer(at, descriptor, diff_id, steps[at] if fits else None)
            for at, (descriptor, diff_id) in enumerate(zip(manifest.layers, diff_ids, strict=True))
        ]
    )


# --- documents ------------------------------------------------------------------------------------------------------------------


def document(source: Source, descriptor: Descriptor, kind: type[T], limits: Limits = LIMITS) -> T:
    """Return a document of an image, verified: size, digest, type, and that it has no second meaning."""
    split_digest(descriptor.digest)
    where = place(source, descriptor)
    if not 0 <= descriptor.size <= limits.document:
        raise HardenError(f"this is larger than {limits.document} bytes", where=where, how="no real image is like that: take another one")
    content = source.read(descriptor)
    check(content, descriptor, where)
    if "data" in descriptor.extra:
        _check_embedded(descriptor, where)
    made = parse(kind, content, where, limits)
    # One document with two meanings, for two readers (CVE-2021-41190).
    if getattr(made, "media_type", None) not in (None, descriptor.media_type) or {"layers", "manifests"} & made.extra.keys():
        raise HardenError("this document says that it is something else", where=where, how="it is forged: do not use it")
    return made


def check(content: bytes, descriptor: Descriptor, where: str) -> None:
    """Raise an error unless a blob is what its descriptor says."""
    import hashlib

    algorithm, digits = split_digest(descriptor.digest)
    if len(content) != descriptor.size or hashlib.new(algorithm, content).hexdigest() != digits:
        raise HardenError("this is not what its digest and size say", where=where, how=_REPAIR)


def _check_embedded(descriptor: Descriptor, where: str) -> None:
    """Refuse a descriptor that carries another content than it names: some readers would take that one."""
    import binascii

    try:
        content = binascii.a2b_base64(str(descriptor.extra["data"]).encode("ascii"), strict_mode=True)
    except ValueError:
        raise HardenError("the data of a descriptor is not base64", where=where, how=_REPAIR) from None
    check(content, descriptor, where)


def parse(kind: type[T], content: bytes, where: str, limits: Limits = LIMITS) -> T:
    """Return the JSON of a document as an object of a class."""
    try:
        return kind.parse(json(content, where, limits))
    except HardenError as error:
        raise HardenError(error.what, where=where, how=error.how if error.where else "see the OCI image specification") from None


def json(content: bytes, where: str, limits: Limits = LIMITS) -> object:
    """Return the value of a JSON text; one that says a thing twice, or is nested too deeply, is an error."""
    try:
        value = json_text.scan(content.decode().strip(), unique=True)
    except RecursionError:
        raise HardenError("this JSON is nested too deeply", where=where, how=_REPAIR) from None
    except ValueError as error:
        # Two readers would take two meanings from it.
        twice = str(error).startswith(json_text.TWICE)
        raise HardenError(f"this is not JSON{f': {error}' if twice else ''}", where=where, how="copy the image again") from None
    level = [value]
    for _ in range(limits.nesting):
        level = [each for one in level if isinstance(one, list | dict) for each in (one.values() if isinstance(one, dict) else one)]
        if not level:
            return value
    raise HardenError("this JSON is nested too deeply", where=where, how=_REPAIR)


# --- history --------------------------------------------------------------------------------------------------------------------


def _split(text: str) -> tuple[tuple[str, ...], str]:
    """Return the arguments of a build, and the instruction, of what a builder has written down."""
    text = text.strip().removesuffix("# buildkit").rstrip()
    if text.startswith(_SHELL) and text[len(_SHELL) :].lstrip().startswith(_NOP):
        return (), text[len(_SHELL) :].lstrip()[len(_NOP) :].strip()
    command = text.removeprefix("RUN ").lstrip()
    arguments: tuple[str, ...] = ()
    if command.startswith("|"):
        arguments, command = _arguments(command)
    if command.startswith(_SHELL):
        return arguments, f"RUN {command[len(_SHELL) :].strip()}"
    return arguments, f"RUN {command}" if arguments or text.startswith("RUN ") else text


def _arguments(text: str) -> tuple[tuple[str, ...], str]:
    """Split `|2 A=b C=d e /bin/sh -c x`: values may have blanks, so the command begins with the first word that is a path."""
    count, _, rest = text[1:].partition(" ")
    words = rest.split(" ")
    if not count.isdecimal() or not count.isascii() or len(count) > 9:
        return (), text
    end = next((at for at, word in enumerate(words) if word.startswith("/") and at >= min(int(count), len(words))), len(words))
    found: list[str] = []
    for word in words[:end]:
        if ("=" in word and word.partition("=")[0].isidentifier()) or not found:
            found.append(word)
        else:
            found[-1] += f" {word}"
    return tuple(filter(None, found)), " ".join(words[end:])
