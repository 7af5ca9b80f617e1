"""What is attached to an image, in either of cosign's formats, taken apart into what was signed and the signature over it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hardener.errors import HardenError
from hardener.images.signatures import strict
from hardener.images.signatures.shelf import BUNDLE, MOST, verified
from hardener.oci.image import Manifest
from hardener.record import NamedTuple

if TYPE_CHECKING:
    from hardener.images.signatures.shelf import Hung, Shelf
    from hardener.oci.image import Descriptor

SIMPLE: Final = "cosign signature"
SIGSTORE: Final = "sigstore bundle"
SIMPLE_LAYER: Final = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE: Final = "dev.cosignproject.cosign/signature"
_CERTIFICATE: Final = "dev.sigstore.cosign/certificate"
BUNDLES: Final = (f"{BUNDLE}.v0.3+json", f"{BUNDLE}+json;version=0.3")
STATEMENT: Final = "application/vnd.in-toto+json"

SIGNATURES: Final = 256  # of one image that are looked at: somebody may attach any number
LARGEST: Final = 1 << 20  # bytes of one
ALL: Final = 16 << 20  # bytes of all of them


class Attached(NamedTuple):
    """A signature as it was found. `problem` is why it cannot be checked; then the bytes are empty.

    `signed` are the bytes that the signature is over, `payload` is what they say; `blob` is the digest of what holds it. `certified` tells
    that there is a certificate beside it, so that it may be of a key that nobody keeps.
    """

    kind: str
    found: str
    blob: str
    signed: bytes = b""
    payload: bytes = b""
    signature: bytes = b""
    certified: bool = False
    problem: str = ""


class Attachments:
    """What hangs on one shelf; the limits are for all digests that are asked for."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._seen: set[str] = set()
        self._bytes = 0
        self.notes: list[str] = []

    def of(self, digest: str) -> list[Attached]:
        """Return the signatures that are attached to a digest, in the order in which they are found."""
        made: list[Attached] = []
        for count, hung in enumerate(self._shelf.hung(digest)):
            if count >= MOST:
                self._note(f"more than {MOST} things are attached to {digest}: the rest was not looked at")
                break
            self._take(hung, made)
        return made

    def _take(self, hung: Hung, made: list[Attached]) -> None:
        try:
            manifest = Manifest.parse(strict.document(hung.content, "the manifest"))
        except HardenError as error:
            self._note(f"something attached to the image cannot be read: {error.what}")
            return
        for layer in manifest.layers:
            if layer.media_type != SIMPLE_LAYER and not layer.media_type.startswith(BUNDLE):
                continue
            name = f"{layer.digest} {(layer.annotations or {}).get(SIGNATURE, '')}"
            if name in self._seen:
                continue
            if len(self._seen) >= SIGNATURES or self._bytes >= ALL:
                self._note(f"the image has more signatures than are looked at ({SIGNATURES}, or {ALL >> 20} MiB)")
                return
            self._seen.add(name)
            kind = SIMPLE if layer.media_type == SIMPLE_LAYER else SIGSTORE
            try:
                content = self._read(layer)
                made.append(simple(layer, content, hung.found) if kind == SIMPLE else bundle(layer, content, hung.found))
            except HardenError as error:
                made.append(Attached(kind, hung.found, layer.digest, problem=error.what))

    def _read(self, layer: Descriptor) -> bytes:
        if not 0 < layer.size <= LARGEST:
            raise HardenError(f"it has {layer.size} bytes: no signature is so large, or empty")
        self._bytes += layer.size
        return verified(self._shelf.read(layer), layer, self._shelf.where)

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def simple(layer: Descriptor, payload: bytes, found: str) -> Attached:
    """Take apart what cosign calls simple signing: the layer is what was signed, an annotation is the signature."""
    notes = layer.annotations or {}
    if SIGNATURE not in notes:
        raise HardenError("there is no signature beside it")
    signature = strict.base64(notes[SIGNATURE], "the signature")
    return Attached(SIMPLE, found, layer.digest, payload, payload, signature, certified=bool(notes.get(_CERTIFICATE)))


def bundle(layer: Descriptor, content: bytes, found: str) -> Attached:
    """Take apart a bundle of sigstore, version 0.3, that holds an envelope with a statement."""
    whole = strict.document(content, "the bundle")
    version = strict.text(whole.get("mediaType"), "mediaType")
    if version not in BUNDLES or layer.media_type not in BUNDLES:
        raise HardenError(f"bundles of the type {version!r:.80} are not read, those of version 0.3 are")
    material = whole.get("verificationMaterial")
    if not isinstance(material, dict):
        raise HardenError("the bundle does not say how to check it")
    envelope = whole.get("dsseEnvelope")
    if not isinstance(envelope, dict) or "messageSignature" in whole:
        raise HardenError("the bundle has no envelope with a statement about an image")
    kind = strict.text(envelope.get("payloadType"), "payloadType")
    if kind != STATEMENT:
        raise HardenError(f"what is in the envelope is a {kind!r:.80}, not a statement")
    payload = strict.base64(envelope.get("payload"), "payload")
    signatures = envelope.get("signatures")
    if not isinstance(signatures, list) or len(signatures) != 1 or not isinstance(signatures[0], dict):
        raise HardenError("the envelope has not exactly one signature")
    signature = strict.base64(signatures[0].get("sig"), "the signature")
    certified = "publicKey" not in material
    return Attached(SIGSTORE, found, layer.digest, encoded(kind, payload), payload, signature, certified)


def encoded(kind: str, payload: bytes) -> bytes:
    """Return the bytes that the signature of an envelope is over. Source: DSSE, protocol.md, "PAE"."""
    named = kind.encode()
    return b"DSSEv1 %d %b %d %b" % (len(named), named, len(payload), payload)
