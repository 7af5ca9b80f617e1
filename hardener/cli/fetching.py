"""Fetch an image for a launch, and its signatures where a policy wants them, in a process of its own.

What speaks with registries is large, and its threads and open connections are nothing to start a container beside: all of that is gone
before the launch goes on.
"""

from __future__ import annotations

import posix
import sys

from hardener.errors import HardenError
from hardener.runtime import sync

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from hardener.launch.provenance import Unverified
    from hardener.runtime.places import Places
    from hardener.runtime.sync import Channel


def fetch(text: str, places: Places, platform: str, *, quiet: bool) -> None:
    """Fetch an image into the store, or what is missing of it; what there is to say goes to standard error. Raises what went wrong."""
    try:
        _apart(text, lambda: _pull(text, places, platform, quiet=quiet))
    except HardenError as error:
        if "--creds" in error.how:  # an option of `harden pull`: a name that is near to this one is not what is wrong
            error.how = f"{error.how}; --creds is for `harden pull`, and then harden run finds the image here"
        else:
            error.how = _similar(text, places) or error.how
        raise


def verify(missing: Unverified, places: Places) -> None:
    """Look for the signature that a policy wants of an image, and remember it. Raises `HardenError` when there is none that holds."""
    _apart(missing.name, lambda: _verify(missing, places))


def _apart(where: str, act: Callable[[], None]) -> None:
    sys.stdout.flush()
    ours, theirs = sync.pair()
    pid = posix.fork()
    if pid == 0:
        ours.close()
        _child(where, act, theirs)
    theirs.close()
    try:
        answer = ours.receive()
    finally:
        ours.close()
        _, status = posix.waitpid(pid, 0)
    if answer[:1] == (sync.ERROR,):
        _, what, where, how = answer
        raise HardenError(what, where=where, how=how)
    if status:
        raise HardenError("what fetches the image was ended", where=where, how="try again")


def _similar(text: str, places: Places) -> str:
    """Return what was probably meant instead, of what is here."""
    from hardener.errors import suggest
    from hardener.images.listing import familiar
    from hardener.images.store import name_of
    from hardener.launch import roots, stock

    names = [name for one in stock.reading(places).images() if (name := name_of(one))]
    known = {familiar(name).partition("@")[0] for name in names}
    known |= {name.removesuffix(":latest") for name in known}
    return suggest(text, [roots.HOST, *sorted(known - {text, f"{text}:latest"})])


def _child(where: str, act: Callable[[], None], channel: Channel) -> NoReturn:
    code = 1
    try:
        act()
        channel.send(sync.READY)
        code = 0
    except HardenError as error:
        channel.send(sync.ERROR, error.what, error.where, error.how)
    except KeyboardInterrupt:
        code = 130
    except BaseException as error:  # it must not leave this process
        channel.send(sync.ERROR, f"{type(error).__name__}: {error}", where, "please report it")
    finally:
        posix._exit(code)


def _pull(text: str, places: Places, platform: str, *, quiet: bool) -> None:
    from hardener.cli import image_options, progress
    from hardener.images.progress import Silent
    from hardener.images.pull import pull
    from hardener.images.registry import RegistryOptions
    from hardener.images.retrying import Patience
    from hardener.launch import stock
    from hardener.oci import reference

    with Silent() if quiet else progress.display() as shown:
        shown.note(f"fetching {text}")
        tell = shown.note if not quiet else image_options.notice
        options = RegistryOptions(warn=tell, patience=Patience(tell=tell))
        pulled = pull(reference.split(text), stock.writing(places), platform, options, shown)
        shown.note(f"digest {pulled.descriptor.digest}")


def _verify(missing: Unverified, places: Places) -> None:
    from hardener.cli import image_options
    from hardener.images.registry import RegistryOptions
    from hardener.images.retrying import Patience
    from hardener.images.signatures import beside, keys
    from hardener.images.signatures import verify as signatures
    from hardener.launch import verified

    rule, subject = missing.rule, missing.subject
    known = [keys.parse(key.pem.encode(), key.name) for key in rule.keys]
    tell = image_options.notice
    shelf = beside.of(subject.reference, missing.folder, RegistryOptions(warn=tell, patience=Patience(tell=tell)))
    found = signatures.verify(subject, shelf, known, rule.signed_as)
    if not found.valid:
        why = "; ".join(dict.fromkeys(one.problem for one in found.judged)) or "there is no signature"
        what = f"the policy {missing.policy} wants {missing.name} to be signed, and it is not: {why}"[:1000]
        how = f"sign it with cosign, or see more: harden image verify --key {known[0].name} {missing.name}"
        raise HardenError(what, where=rule.where, how=how)
    verified.record(places.data, found)
