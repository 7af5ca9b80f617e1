"""Run a function in a child process: it may enter namespaces, drop privileges and die without the test noticing."""

import os
import pickle
import traceback
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def _save_coverage() -> None:
    try:
        from coverage import Coverage
    except ImportError:
        return
    current = Coverage.current()
    if current is not None:
        current.stop()
        current.save()


def forked(function: Callable[[], T], *, covered: bool = True) -> T:
    """Return what a function returns in a child process; an exception there is one here.

    `covered=False` for a child that cannot write to the checkout any more when it ends.
    """
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
            payload = pickle.dumps(answer)
            if covered:
                _save_coverage()
            with os.fdopen(writer, "wb") as stream:
                stream.write(payload)
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        payload = stream.read()
    _, status = os.waitpid(pid, 0)
    if not payload:
        raise ChildProcessError(f"the child ended with wait status {status:#x}")
    succeeded, value = pickle.loads(payload)
    if succeeded:
        result: T = value
        return result
    raise value[0]
