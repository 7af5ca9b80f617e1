"""Run a function in a child process: it may enter namespaces, drop privileges and die without the test noticing.

The lines that the child ran come back with its answer, because it may be where no file of the checkout can be written any more.
"""

import os
import pickle
import traceback
from collections.abc import Callable
from typing import Any, TypeVar

from coverage import Coverage

T = TypeVar("T")
Lines = dict[str, set[Any]]


def measured() -> Lines | None:
    """Return what a running coverage measurement of this process has collected, to read and to add to; None without one."""
    data: Lines | None = getattr(getattr(Coverage.current(), "_collector", None), "data", None)
    return data


def lines() -> Lines:
    """Return what was collected of the package itself, as plain values."""
    return {name: set(rows) for name, rows in (measured() or {}).items() if "/hardener/" in name}


def add(found: Lines) -> None:
    """Add what another process has run."""
    data = measured()
    if data is not None:
        for name, rows in found.items():
            data.setdefault(name, set()).update(rows)


def forked(function: Callable[[], T]) -> T:
    """Return what a function returns in a child process; an exception there is one here."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(reader)
            try:
                answer: tuple[bool, object] = (True, function())
            except BaseException as error:
                error.__traceback__ = None
                answer = (False, (error, traceback.format_exc()))
            with os.fdopen(writer, "wb") as stream:
                pickle.dump((answer, lines()), stream)
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        payload = stream.read()
    _, status = os.waitpid(pid, 0)
    if not payload:
        raise ChildProcessError(f"the child ended with wait status {status:#x}")
    (succeeded, value), ran = pickle.loads(payload)
    add(ran)
    if succeeded:
        result: T = value
        return result
    raise value[0]
