"""The images of who runs us: where they are kept, and what containers need of them.

Only here the store (images/) and the records of containers (runtime/) meet: what a container was started from is not removed under it.
"""

from __future__ import annotations

from hardener.errors import HardenError, suggest
from hardener.images.store import Store, name_of
from hardener.runtime import places as places_

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardener.images.storing import Stock
    from hardener.oci.image import Descriptor
    from hardener.runtime.places import Places


class Use:
    """A container with a record: the image that it was made of, by its digest, and the folders of its layers."""

    __slots__ = ("container", "digest", "layers")

    def __init__(self, container: str, digest: str, layers: tuple[str, ...]) -> None:
        self.container = container
        self.digest = digest
        self.layers = layers


class Removed:
    """What was removed: lines as docker prints them, and the bytes that are free now."""

    __slots__ = ("freed", "lines")

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.freed = 0


def reading(places: Places) -> Store:
    """Return the store, which need not be there; nobody else can exchange it."""
    folder = f"{places.data}/images"
    places_.trust(f"{folder}/index.json")
    return Store(folder)


def writing(places: Places) -> Stock:
    """Return the store to be written to, made if need be, for us alone."""
    from hardener.images.storing import Stock

    folder = f"{places.data}/images"
    places_.ensure(places.data)
    places_.ensure(folder)
    return Stock(folder)


def known(store: Store, text: str) -> Descriptor:
    """Return an image that must be in the store."""
    found = store.find(text)
    if found is None:
        raise missing(store, text)
    return found


def missing(store: Store, text: str) -> HardenError:
    """Return the error for an image that is not in the store, with what was probably meant."""
    from hardener.images.listing import familiar
    from hardener.oci import reference

    if why := reference.error(text):
        return HardenError(f"{text!r} is no name of an image: {why}", how="write [REGISTRY/]NAME[:TAG], or NAME@DIGEST")
    names = [familiar(name) for name in map(name_of, store.images()) if name]
    how = suggest(text, names) or f"harden pull {text}; `harden images` lists what is here"
    return HardenError(f"there is no image {text!r} here", how=how)


def uses(places: Places) -> list[Use]:
    """Return what the containers with a record were made of."""
    from hardener.linux import procfs
    from hardener.oci import json_text

    found = []
    home = f"{places.data}/containers"
    for name in places_.listed(home):
        try:
            job = json_text.scan(procfs.read(f"{home}/{name}/job.json", 1 << 24))
        except (OSError, ValueError):  # gone meanwhile, or damaged: `harden ps` says so
            continue
        if isinstance(job, dict):
            rootfs = job.get("rootfs")
            layers = rootfs.get("layers") if isinstance(rootfs, dict) else None
            found.append(Use(name, str(job.get("imageDigest", "")), (*map(str, layers or ()), *_mounted(job))))
    return found


def _mounted(job: dict[str, object]) -> list[str]:
    """Return the layers of images that a container has mounted somewhere: `--mount type=image`."""
    spec = job.get("spec")
    mounts = spec.get("mounts") if isinstance(spec, dict) else None
    options = [str(word) for mount in mounts or () if isinstance(mount, dict) for word in mount.get("options") or ()]
    return [layer for word in options if word.startswith("lowerdir=") for layer in word.removeprefix("lowerdir=").split(":")]


def remove(places: Places, stock: Stock, text: str, *, force: bool) -> Removed:
    """Take a name away from an image; with its last name the image goes, unless a container was made of it.

    `force` removes it all the same, but never the layers that the container is started from, and all names where a digest was given.
    """
    from hardener.images.listing import called, familiar
    from hardener.images.storing import Busy, names
    from hardener.oci import reference

    image = known(stock, text)
    all_names = names(stock, image.digest)
    by_name = name_of(image) == reference.full(reference.split(text))
    done = Removed()
    if not by_name and len(all_names) > 1 and not force:
        several = ", ".join(map(familiar, all_names))
        raise HardenError(f"the image {text} has several names", where=several, how="name one of them, or add --force")
    if by_name and len(all_names) > 1:
        stock.untag(name_of(image), image.digest)
        done.lines.append(f"Untagged: {familiar(name_of(image))}")
        return done
    used = [use.container for use in uses(places) if use.digest == image.digest]
    if used and not force:
        how = "harden rm that container first, or add --force: the container keeps its layers"
        raise HardenError(f"the image {called(image)} is in use", where=f"container {', '.join(used)}", how=how)
    stock.untag("", image.digest)
    done.lines += [f"Untagged: {familiar(name)}" for name in all_names]
    done.lines.append(f"Deleted: {image.digest}")
    try:
        done.freed = _tidy(places, stock, now=False)
    except Busy:  # somebody fetches something: `harden prune` removes the rest, or the next `harden rmi`
        return done
    return done


def prune(places: Places, stock: Stock, *, everything: bool) -> Removed:
    """Remove what is not needed: images without a name (`everything`: all that no container was made of), blobs, layers, downloads."""
    from hardener.images.listing import familiar
    from hardener.images.storing import names

    used = {use.digest for use in uses(places)}
    done = Removed()
    for image in stock.images():
        if image.digest in used or (name_of(image) and not everything):
            continue
        all_names = names(stock, image.digest)
        if all_names and not everything:
            continue
        if not stock.untag("", image.digest) and f"deleted: {image.digest}" not in done.lines:
            done.lines += [*(f"untagged: {familiar(name)}" for name in all_names), f"deleted: {image.digest}"]
    done.freed = _tidy(places, stock, now=True)
    return done


def _tidy(places: Places, stock: Stock, *, now: bool) -> int:
    """Remove what nothing needs any more; return the bytes that are free. Raises `Busy` where others are at it, `now` after a while."""
    from hardener.launch import unpacked

    def needed() -> set[str]:
        folders = [layer for use in uses(places) for layer in use.layers]
        return {diff_id.replace(":", "-") for diff_id in stock.needed().diff_ids} | {folder.rpartition("/")[2] for folder in folders}

    return stock.collect(now=now) + unpacked.tidy(places.cache, needed, patience_s=None if now else 0.0)
