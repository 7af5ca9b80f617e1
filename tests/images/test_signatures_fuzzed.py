"""Whatever is attached to an image, and whatever calls itself a key: it is told, it never holds, and nothing breaks."""

import base64
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import signing
from hypothesis import given, settings
from hypothesis import strategies as st
from signing import Signer, compact

from hardener.errors import HardenError
from hardener.images.signatures import keys
from hardener.images.signatures.attached import SIMPLE_LAYER
from hardener.images.signatures.shelf import Hung
from hardener.images.signatures.verify import Subject, Verification, verify
from hardener.oci.image import Descriptor

DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64
SIGNERS = [Signer(kind) for kind in ("p256", "ed25519", "rsa2048")]
KEYS = [keys.parse(signer.public, "k") for signer in SIGNERS]
EVERYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


class Memory:
    """A shelf in memory with one manifest."""

    where = "memory"

    def __init__(self, manifest: object, *blobs: bytes) -> None:
        self._manifest = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
        self._blobs = {described(blob)["digest"]: blob for blob in blobs}

    def hung(self, _: str) -> Iterator[Hung]:
        yield Hung("memory", self._manifest)

    def read(self, descriptor: Descriptor) -> bytes:
        return self._blobs.get(descriptor.digest, b"")


def described(content: bytes, media_type: str = signing.BUNDLE, **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": f"sha256:{hashlib.sha256(content).hexdigest()}", "size": len(content), **more}


def manifest(*layers: dict[str, Any]) -> dict[str, Any]:
    return {"schemaVersion": 2, "config": described(b"{}", signing.EMPTY), "layers": list(layers)}


def bundled(content: bytes) -> Verification:
    return verify(Subject(DIGEST, "", None), Memory(manifest(described(content)), content), KEYS)


def replaced(document: Any, path: list[int], value: object) -> Any:
    """Return a document with one part of it replaced, the one that a path of numbers leads to."""
    if not path or not isinstance(document, dict | list) or not document:
        return value
    at, rest = path[0] % len(document), path[1:]
    if isinstance(document, list):
        return [replaced(each, rest, value) if index == at else each for index, each in enumerate(document)]
    return {name: replaced(each, rest, value) if index == at else each for index, (name, each) in enumerate(document.items())}


@settings(max_examples=150)
@given(path=st.lists(st.integers(0, 7), max_size=4), value=EVERYTHING)
def test_a_bundle_with_any_part_replaced_holds_only_for_what_was_signed(path: list[int], value: object) -> None:
    good = signing.bundle(SIGNERS[0], compact(signing.statement(DIGEST)))
    changed = replaced(good, path, value)
    found = bundled(json.dumps(changed).encode())
    if found.valid:
        assert changed["dsseEnvelope"]["payload"] == good["dsseEnvelope"]["payload"]
        assert changed["dsseEnvelope"]["payloadType"] == good["dsseEnvelope"]["payloadType"]


@settings(max_examples=100)
@given(path=st.lists(st.integers(0, 7), max_size=4), value=EVERYTHING)
def test_a_statement_with_any_part_replaced_is_read_or_refused(path: list[int], value: object) -> None:
    changed = replaced(signing.statement(OTHER), path, value)
    found = bundled(compact(signing.bundle(SIGNERS[1], compact(changed))))
    assert not found.valid


@settings(max_examples=100)
@given(path=st.lists(st.integers(0, 7), max_size=4), value=EVERYTHING)
def test_a_payload_with_any_part_replaced_is_read_or_refused(path: list[int], value: object) -> None:
    content = compact(replaced(signing.payload(OTHER), path, value))
    notes = {signing.SIGNATURE: base64.b64encode(SIGNERS[2].sign(content)).decode()}
    shelf = Memory(manifest(described(content, SIMPLE_LAYER, annotations=notes)), content)
    assert not verify(Subject(DIGEST, "", None), shelf, KEYS).valid


@settings(max_examples=100)
@given(content=st.binary(max_size=200), signature=st.binary(min_size=1, max_size=300))
def test_bytes_are_no_signature(content: bytes, signature: bytes) -> None:
    notes = {signing.SIGNATURE: base64.b64encode(signature).decode()}
    shelf = Memory(manifest(described(content, SIMPLE_LAYER, annotations=notes)), content)
    assert not verify(Subject(DIGEST, "", None), shelf, KEYS).valid
    assert not bundled(content).valid


@settings(max_examples=60)
@given(content=EVERYTHING | st.binary(max_size=60))
def test_anything_may_be_attached(content: object) -> None:
    assert not verify(Subject(DIGEST, "", None), Memory(content), KEYS).judged


@settings(max_examples=150)
@given(at=st.integers(0, 400), value=st.integers(0, 255), which=st.integers(0, 2))
def test_a_key_with_any_byte_replaced_is_a_key_or_refused(at: int, value: int, which: int) -> None:
    lines = SIGNERS[which].public.splitlines()
    der = bytearray(base64.b64decode(b"".join(lines[1:-1])))
    der[at % len(der)] = value
    made = b"-----BEGIN PUBLIC KEY-----\n" + base64.encodebytes(bytes(der)) + b"-----END PUBLIC KEY-----\n"
    try:
        key = keys.parse(made, "k")
    except HardenError:
        return
    signature = SIGNERS[which].sign(b"what is signed")
    assert key.has_signed(b"what is signed", signature) or key.fingerprint != KEYS[which].fingerprint
