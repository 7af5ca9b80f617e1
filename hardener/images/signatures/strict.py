"""JSON and base64 that can be understood in one way only: what is signed must not mean one thing to us and another to who signed it."""

from __future__ import annotations

from hardener.errors import HardenError


def document(content: bytes, what: str) -> dict[str, object]:
    """Return the JSON object of a text. Raises `HardenError` for anything else, and for one that names a member twice."""
    from json import loads

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        made = dict(pairs)
        if len(made) != len(pairs):
            raise ValueError("it has a member twice")
        return made

    def refuse(word: str) -> object:
        raise ValueError(f"{word} is no JSON")

    try:
        found = loads(content.decode("utf-8"), object_pairs_hook=once, parse_constant=refuse)
    except RecursionError:
        raise HardenError(f"{what} is nested too deeply") from None
    except ValueError as error:
        raise HardenError(f"{what} is no JSON: {error}"[:200]) from None
    if not isinstance(found, dict):
        raise HardenError(f"{what} is no JSON object")
    return found


def members(value: object, what: str, *known: str, optional: tuple[str, ...] = ()) -> dict[str, object]:
    """Return an object that has these members, and none besides but the optional ones."""
    if not isinstance(value, dict):
        raise HardenError(f"{what} is no object")
    if missing := [name for name in known if name not in value]:
        raise HardenError(f"{what} has no {missing[0]!r}")
    if unknown := [name for name in value if name not in known and name not in optional]:
        raise HardenError(f"{what} has {unknown[0]!r:.60}, which is not known and may change what it means")
    return value


def text(value: object, what: str) -> str:
    """Return a string."""
    if not isinstance(value, str):
        raise HardenError(f"{what} is no text")
    return value


def base64(value: object, what: str) -> bytes:
    """Return the bytes of a text in base64: the common alphabet, padded, no bits left over, and nothing else but line breaks.

    Go reads it so, and what `openssl base64` writes is attached to images as it is.
    """
    from binascii import Error, a2b_base64, b2a_base64

    written = text(value, what).replace("\r", "").replace("\n", "")
    try:
        made = a2b_base64(written.encode("ascii"), strict_mode=True)
    except (Error, UnicodeEncodeError):
        made = b""
    if not made or b2a_base64(made, newline=False).decode() != written:
        raise HardenError(f"{what} is no base64")
    return made
