"""Which image a word means, as folders that a container can be started from: of the store, fetched if need be, or of an image layout.

A launch of an image that has run before reads the store's index, and what was kept of the image then: its documents were verified and its
layers unpacked, so neither is read again.
"""

from __future__ import annotations

import posix

from hardener.errors import HardenError, suggest
from hardener.images.store import is_named
from hardener.launch import stock, unpacked
from hardener.oci import json_text
from hardener.oci.image import Defaults
from hardener.runtime import kept

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from hardener.images.image import Image
    from hardener.images.store import Store
    from hardener.launch.provenance import Provenance
    from hardener.oci.image import Descriptor
    from hardener.oci.reference import Reference
    from hardener.runtime.places import Places
    from hardener.runtime.state import State

ALWAYS, MISSING, NEVER = "always", "missing", "never"
# As skopeo calls the places that images come from: what to do where they are none of ours.
_ELSEWHERE: Final = {
    "oci-archive": "harden load -i FILE takes it into the store",
    "docker-archive": "harden load -i FILE takes it into the store",
    "docker-daemon": "docker save NAME | harden load takes it into the store",
    "containers-storage": "podman save NAME | harden load takes it into the store",
    "rootfs": "harden run --rootfs DIR -- PROGRAM",
    "dir": "skopeo copy dir:… oci:DIR:TAG, and then harden run DIR:TAG",
}


class Found:
    """An image whose layers are folders, the lowest first; `digest` is the store's for it, "" for one of a layout of somebody's own."""

    __slots__ = ("defaults", "digest", "layers")

    def __init__(self, layers: tuple[str, ...], defaults: Defaults, digest: str = "") -> None:
        self.layers = layers
        self.defaults = defaults
        self.digest = digest


class Absent(HardenError):
    """An image that is to be fetched: nothing here speaks with registries."""

    def __init__(self, name: str, platform: str) -> None:
        super().__init__(f"the image {name} is not here", where="harden run", how=f"harden pull {name}")
        self.name = name
        self.platform = platform


def find(text: str, places: Places, *, platform: str = "", pull: str = MISSING, provenance: Provenance | None = None) -> Found:
    """Return the image that `DIR[:TAG]`, `NAME[:TAG]`, `NAME@DIGEST` or the beginning of a digest means, ready to be started.

    Raises `Absent` for one that has to be fetched first. `provenance` is what a policy asks of images: it also raises `Unverified`.
    """
    transport, colon, rest = text.partition(":")
    if colon and transport in _ELSEWHERE:
        raise HardenError(f"containers are not started from {transport}:", where=text, how=_ELSEWHERE[transport])
    if text.startswith("docker://"):
        return _stored(rest.removeprefix("//"), places, platform, pull, provenance)
    text = rest if colon and transport == "oci" else text
    whole = text if text.startswith("/") else f"{posix.getcwd().rstrip('/')}/{text}"
    folders = (whole, whole.rpartition(":")[0], whole.partition(":")[0])
    if any(folder and posix.access(f"{folder}/oci-layout", posix.F_OK) for folder in folders):  # to read it takes more than to see it
        from hardener.images import layout

        folder, name = layout.split(whole)
        if provenance is not None:
            provenance.check_file(folder)
        image = layout.read(folder, name, platform)
        if provenance is not None:
            from hardener.images.signatures.verify import subject_of

            provenance.check_signed(text, subject_of(image), folder)
        return Found(_layers(image, places), image.defaults)
    if text.startswith(("/", ".")) or (colon and transport == "oci"):
        raise HardenError(f"there is no image layout {text!r}", how="skopeo copy docker://… oci:DIR:TAG makes one; or name an image")
    if text.endswith((".tar", ".tar.gz", ".tgz")):  # a good name of an image, too: docker:// says that it is one
        raise HardenError("containers are not started from an archive", where=text, how=_ELSEWHERE["docker-archive"])
    return _stored(text, places, platform, pull, provenance)


def _stored(text: str, places: Places, platform: str, pull: str, provenance: Provenance | None) -> Found:
    from hardener.oci import reference

    store = stock.reading(places)
    named = reference.split(text) if provenance is None else provenance.check_name(text)
    descriptor = store.find(text)
    if descriptor is not None and provenance is not None and not is_named(descriptor, named):
        what = f"{text} is the beginning of a digest: a policy with `images:` has to know where an image is from"
        raise HardenError(what, where=store.where, how="name it as `harden images` shows it")
    pinned = named.digest is not None
    if pinned and provenance is not None and not store.knows(named):
        descriptor = None  # it is here, and from elsewhere: that its registry has it, too, is for the registry to say
    if descriptor is not None and (pull != ALWAYS or pinned):  # what a digest names never changes
        check = _signed(text, named, descriptor, provenance)
        found = _kept(descriptor, places, platform, check) or _unpacked(text, store, descriptor, places, platform, check)
        if found is not None:
            return found
    if descriptor is None and (why := reference.error(text)):
        how = suggest(text, ["host"]) or "write [REGISTRY/]NAME[:TAG|@DIGEST], the folder of an image layout, or host"
        raise HardenError(f"{text!r} is no name of an image: {why}", where="harden run", how=how)
    if pull != NEVER:
        raise Absent(text, platform)
    if descriptor is not None:
        raise HardenError(f"{text} is not here for this platform", where="--pull never", how="--pull missing fetches it")
    missing = stock.missing(store, text)
    raise HardenError(missing.what, where="--pull never", how=missing.how)


def _signed(text: str, named: Reference, descriptor: Descriptor, provenance: Provenance | None) -> Callable[[str], None]:
    """Return what raises `Unverified` when the manifest of a digest, of an image of the store, is not signed as a policy asks."""

    def check(digest: str) -> None:
        if provenance is not None:
            from hardener.images.signatures.verify import Subject

            index_digest = descriptor.digest if descriptor.digest != digest else ""
            provenance.check_signed(text, Subject(digest, index_digest, named))

    return check


def _kept(descriptor: Descriptor, places: Places, platform: str, check: Callable[[str], None]) -> Found | None:
    """Return an image as it was kept when it was last unpacked; None when anything of it is not there any more."""
    content = kept.view(places.cache, "image", kept.key((descriptor.digest, platform)))
    if content is None:
        return None
    known = json_text.scan(bytes(content).decode())
    if not isinstance(known, dict) or "manifest" not in known:
        return None
    layers = tuple([f"{places.cache}/layers/{name}" for name in known["layers"]])
    check(known["manifest"])
    if not unpacked.hold(layers, places.cache):
        return None
    return Found(layers, Defaults.parse(known["defaults"]), descriptor.digest)


def _unpacked(
    text: str, store: Store, descriptor: Descriptor, places: Places, platform: str, check: Callable[[str], None] = lambda _: None
) -> Found | None:
    """Return an image of the store, unpacked now; None when it is not there for a platform."""
    from hardener.images import image as images
    from hardener.images import storing

    with storing.Stock(store.folder).using():
        if not _is_here(store, descriptor, platform):
            return None
        image = images.read(text, store, (descriptor,), platform)
        check(image.digest)
        layers = _layers(image, places)
    names = [folder.rpartition("/")[2] for folder in layers]
    said = json_text.write({"manifest": image.digest, "layers": names, "defaults": image.defaults.dump()})
    kept.write(places.cache, "image", kept.key((descriptor.digest, platform)), said.encode("utf-8", "surrogateescape"))
    return Found(layers, image.defaults, descriptor.digest)


def _is_here(store: Store, descriptor: Descriptor, platform: str) -> bool:
    """Tell whether the store has an image for a platform: of an index it may have others."""
    from hardener.images import listing, platforms
    from hardener.oci.image import INDEXES

    if not store.has(descriptor):
        return False
    if descriptor.media_type not in INDEXES:
        return True
    wanted = platforms.parse(platform) if platform else platforms.machine()
    found = listing.manifests(store, descriptor)
    return any(one.platform is None or platforms.matches(wanted, one.platform) for one in found)


def _layers(image: Image, places: Places) -> tuple[str, ...]:
    from hardener.images import platforms

    platforms.check_runs_here(image.platform)
    return unpacked.layers(image, places.cache)


def bring_back(record: State, places: Places) -> None:
    """Unpack the image of a container once more when its layers are gone: what may be made again may be thrown away by anybody."""
    from hardener.runtime import state

    if record.status == state.DEAD:
        return
    job = record.job()
    lost = [folder for folder in job.rootfs.layers if not posix.access(folder, posix.F_OK)]
    if not lost or not job.image_digest:
        return
    from hardener.images import image as images
    from hardener.images import listing

    store = stock.reading(places)
    descriptor = store.by_digest(job.image_digest)
    for one in listing.manifests(store, descriptor) if descriptor is not None else ():
        image = images.read(job.image, store, (one,))
        if images.folders(image, places.cache) == job.rootfs.layers:
            unpacked.layers(image, places.cache)
    if not all(posix.access(folder, posix.F_OK) for folder in lost):
        how = f"harden pull {job.image.partition('@')[0]}@{job.image_digest}, and start it again"
        raise HardenError("the layers of its image are gone, and the image is not here", where=f"container {record.name}", how=how)
