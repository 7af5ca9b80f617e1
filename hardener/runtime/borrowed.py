"""Be root of a user namespace for a moment: for what an ordinary user does with files of containers.

Such files may belong to ids that the user has only inside of a user namespace (/etc/subuid), and may be closed to their own owner. As its
root, one may give them away, open and remove them, and nothing else on this machine.
"""

from __future__ import annotations

import posix

from hardener.errors import HardenError
from hardener.linux import calls
from hardener.linux.consts import CLONE_NEWUSER
from hardener.runtime import idmaps, sync

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from hardener.runtime.sync import Channel


def as_root(act: Callable[[], object]) -> None:
    """Do something as the root of a user namespace with all ids that we have; raises what it raises, as far as it has words."""
    ours, theirs = sync.pair()
    pid, pidfd = calls.clone(CLONE_NEWUSER)
    if pid == 0:
        ours.close()
        _child(act, theirs)
    theirs.close()
    try:
        idmaps.apply(maps(), pid)
        ours.send(sync.GO)
        answer = ours.receive()
    finally:
        ours.close()  # without a word it ends
        _, status = posix.waitpid(pid, 0)
        posix.close(pidfd)
    if answer[:1] == (sync.ERROR,):
        _, number, what, where, how = answer
        if number:
            raise OSError(int(number), what, where or None)
        raise HardenError(what, where=where, how=how)
    if status:
        raise HardenError("a helper of ours was killed", how="look for an out-of-memory message: dmesg")


def maps() -> idmaps.Maps:
    """Return the ids that who runs us has in a user namespace."""
    return idmaps.Maps(*(tuple([(one.container_id, one.host_id, one.size) for one in ids]) for ids in idmaps.own()))


def _child(act: Callable[[], object], channel: Channel) -> NoReturn:
    code = 1
    try:
        if channel.receive() == (sync.GO,):
            posix.setresgid(0, 0, 0)
            posix.setresuid(0, 0, 0)
            act()
            code = 0
    except OSError as error:
        where = error.filename if isinstance(error.filename, str) else ""
        channel.send(sync.ERROR, str(error.errno or 5), error.strerror or str(error), where, "")
    except HardenError as error:
        channel.send(sync.ERROR, "", error.what, error.where, error.how)
    except BaseException as error:  # it must not leave this process
        channel.send(sync.ERROR, "", f"{type(error).__name__}: {error}", "", "")
    finally:
        posix._exit(code)
