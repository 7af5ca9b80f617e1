"""What `harden image verify` says: each signature and what came of it, and the digest that was signed; as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hardener import __version__
from hardener.images.platforms import show
from hardener.images.signatures.verify import UNCHECKED
from hardener.reports.encode import encode
from hardener.reports.excerpt import one_line, scrub

if TYPE_CHECKING:
    from hardener.images.image import Image
    from hardener.images.signatures.verify import Judged, Verification
    from hardener.reports.encode import Json

VERSION: Final = 1


def render_text(image: Image, found: Verification) -> str:
    """Return a block for each signature, and a last line with the digest to pin, or why there is none."""
    out = [one_line(image.name)]
    if image.index_digest:
        out.append(f"  index     {image.index_digest}")
    out += [f"  manifest  {image.digest}  {one_line(show(image.platform))}", ""]
    for one in found.judged:
        out += _block(one, found)
    out += [f"note: {one_line(note)}" for note in found.notes]
    out.append(_verdict(image, found))
    return "\n".join(out) + "\n"


def _block(one: Judged, found: Verification) -> list[str]:
    attached = one.attached
    if one.problem:
        return [f"  refused   {attached.kind} in {attached.found}: {one_line(one.problem)}"]
    key = f"{one_line(one.key.name)} ({one.key.kind}, {one.key.fingerprint[:16]})" if one.key is not None else ""
    named = f"signed as {one_line(one.repository)}" if one.repository else "it names no repository"
    covers = "index" if one.digest == found.subject.index_digest else "manifest"
    return [f"  verified  {attached.kind} of the {covers} in {attached.found}", f"            key {key}; {named}"]


def _verdict(image: Image, found: Verification) -> str:
    if pin := pinned(image, found):
        return f"verified: {one_line(pin)} ({UNCHECKED})"
    if not found.judged:
        return "not verified: there is no signature"
    return f"not verified: {'none of the signatures holds' if len(found.judged) > 1 else 'the signature does not hold'}"


def pinned(image: Image, found: Verification) -> str:
    """Return the image by the digest that was signed; "" when nothing holds."""
    if not found.pin:
        return ""
    return f"{image.reference.name}@{found.pin}" if image.reference is not None else found.pin


def render_json(image: Image, found: Verification) -> str:
    """Return the same as one JSON object."""
    document: dict[str, Json] = {
        "version": VERSION,
        "tool": {"name": "hardener", "version": __version__},
        "image": scrub(image.name),
        "verified": bool(found.valid),
        "digest": found.pin or None,
        "pinned": scrub(pinned(image, found)) or None,
        "index": image.index_digest or None,
        "manifest": image.digest,
        "platform": scrub(show(image.platform)),
        "transparency_log": "not checked",
        "signatures": [_object(one) for one in found.judged],
        "notes": [scrub(note) for note in found.notes],
    }
    return encode(document, depth=3) + "\n"


def _object(one: Judged) -> Json:
    key: Json = None
    if one.key is not None:
        key = {"name": scrub(one.key.name), "kind": one.key.kind, "fingerprint": one.key.fingerprint}
    return {
        "kind": one.attached.kind,
        "found_in": one.attached.found,
        "blob": scrub(one.attached.blob),
        "valid": one.valid,
        "problem": scrub(one.problem) or None,
        "key": key,
        "digest": one.digest or None,
        "signed_as": scrub(one.repository) or None,
    }
