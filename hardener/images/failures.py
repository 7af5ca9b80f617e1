"""What went wrong between a registry and us, in few words: without addresses, which may hold what is private, and as plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from hardener.images import hosts
from hardener.images.retrying import Trouble

if TYPE_CHECKING:
    from typing import Final

ERROR: Final = 16 << 10  # bytes of a document about an error


class Document(Protocol):
    """An answer that has not been read."""

    def document(self, limit: int, stall_s: float) -> bytes:
        """Return the whole body."""


def how_to_log_in(registry: str) -> str:
    """Return what helps where a login is wanted."""
    return f"--creds USER, or `docker login{'' if registry == hosts.HUB else f' {registry}'}`; is the name of the image right?"


def said(answer: Document, stall_s: float) -> str:
    """Return what a registry says of an error, cut, and unable to drive a terminal. Source: OCI distribution spec, "Error codes"."""
    from json import loads

    try:
        first = loads(answer.document(ERROR, stall_s))["errors"][0]
        words = [first[key] for key in ("code", "message") if isinstance(first.get(key), str)]
    except (Trouble, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return ""
    text = " ".join("".join(one if one.isprintable() else "\ufffd" for one in ": ".join(words)[:300]).split())
    return f": {text[:200]}" if text else ""


def chain(error: BaseException) -> list[BaseException]:
    """Return an error and what led to it, the outermost first."""
    found: list[BaseException] = []
    todo: list[object] = [error]
    while todo and len(found) < 20:
        one = todo.pop(0)
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            todo += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return found


def reason(error: BaseException) -> str:
    """Return the cause of an error in few words, without addresses, which may hold what is private."""
    from ssl import SSLCertVerificationError, SSLError

    found = chain(error)
    for one in found:
        if isinstance(one, SSLCertVerificationError):
            return one.verify_message
    for one in found:
        if isinstance(one, SSLError) and one.reason:
            return one.reason.replace("_", " ").lower()
    for one in found:
        if isinstance(one, OSError) and one.strerror:
            return one.strerror
    if any(isinstance(one, TimeoutError) or "Timeout" in type(one).__name__ for one in found):
        return "nothing came for too long"
    return type(found[-1]).__name__
