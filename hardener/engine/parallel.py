"""Spread independent work over forked processes.

`multiprocessing` takes longer to import than a hundred files take to lint; fork, a pipe and pickle are all that is needed. Where there
is no fork, or little to do, the work is done here.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hardener.errors import HardenError

Item = TypeVar("Item")
Result = TypeVar("Result")


def spread(work: Callable[[Sequence[Item]], Result], items: Sequence[Item], jobs: int) -> list[Result]:
    """Return `work` of each of `jobs` interleaved shares of `items`, in the order of the shares.

    Each share but the first is done by a child process; results travel as pickles. A `HardenError` in a child is raised here; a child
    that dies otherwise raises `RuntimeError`.
    """
    shares = [items[index::jobs] for index in range(jobs)]
    children = [_start(work, share) for share in shares[1:]]
    try:
        first = work(shares[0])
    finally:
        outputs = [_collect(*child) for child in children]  # also after an error: no child may be left behind
    rest: list[Result] = [_restore(output) for output in outputs]
    return [first, *rest]


def can_fork() -> bool:
    """Whether this platform has fork."""
    return hasattr(os, "fork")


def _start(work: Callable[[Sequence[Item]], Result], share: Sequence[Item]) -> tuple[int, int]:
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    status = 1
    try:  # in the child: leave by os._exit whatever happens, so that nothing of the parent's runs twice
        os.close(reading)
        _write(writing, _result(work, share))
        status = 0
    finally:
        os._exit(status)


def _result(work: Callable[[Sequence[Item]], Result], share: Sequence[Item]) -> bytes:
    from pickle import dumps  # nosec B403

    try:
        return dumps((True, work(share)))
    except HardenError as error:
        return dumps((False, (error.what, error.where, error.how)))


def _write(descriptor: int, data: bytes) -> None:
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)


def _collect(child: int, reading: int) -> bytes:
    with os.fdopen(reading, "rb") as stream:
        data = stream.read()
    _, status = os.waitpid(child, 0)
    return data if status == 0 else b""


def _restore(data: bytes) -> Any:
    from pickle import loads  # nosec B403

    if not data:
        raise RuntimeError("a worker process died")
    # What our own child wrote into our own pipe; nobody else holds its ends.
    is_result, content = loads(data)  # noqa: S301  # nosec B301
    if is_result:
        return content
    what, where, how = content
    raise HardenError(what, where=where, how=how)
