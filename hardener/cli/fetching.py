"""Fetch an image for a launch, in a process of its own.

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
    from typing import NoReturn

    from hardener.runtime.places import Places
    from hardener.runtime.sync import Channel


def fetch(text: str, places: Places, platform: str, *, quiet: bool) -> None:
    """Fetch an image into the store, or what is missing of it; what there is to say goes to standard error. Raises what went wrong."""
    sys.stdout.flush()
    ours, theirs = sync.pair()
    pid = posix.fork()
    if pid == 0:
        ours.close()
        _child(text, places, platform, theirs, quiet=quiet)
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
        raise HardenError("what fetches the image was ended", where=text, how="try again")


def _child(text: str, places: Places, platform: str, channel: Channel, *, quiet: bool) -> NoReturn:
    code = 1
    try:
        _pull(text, places, platform, quiet=quiet)
        channel.send(sync.READY)
        code = 0
    except HardenError as error:
        channel.send(sync.ERROR, error.what, error.where, error.how)
    except KeyboardInterrupt:
        code = 130
    except BaseException as error:  # it must not leave this process
        channel.send(sync.ERROR, f"{type(error).__name__}: {error}", text, "please report it")
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
