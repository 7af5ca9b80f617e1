"""Signatures of images: what holds, and the many things that look like it.

The bundles in tests/fixtures/signatures were made with the npm package @sigstore/sign 4.1.1 (DSSEBundleBuilder, a signer over a key of
node:crypto: P-256, P-384 with SHA-384, Ed25519, RSA 2048) over manifest.json, and @sigstore/verify 3.1.1 takes those of P-256, Ed25519
and RSA.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import signing
from layouts import OCI, Layout
from signing import Signer, compact

from hardener.errors import HardenError
from hardener.images.signatures import keys
from hardener.images.signatures.shelf import Layout as Shelf
from hardener.images.signatures.verify import NEEDS_IDENTITY, Subject, Verification, verify
from hardener.oci.image import Descriptor, Index
from hardener.oci.reference import split

FIXTURES = Path(__file__).parents[1] / "fixtures" / "signatures"
OTHER = "sha256:" + "1" * 64
SIGNER = Signer()
KEY = keys.parse(SIGNER.public, "cosign.pub")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


def shelf_of(layout: Layout) -> Shelf:
    def read(descriptor: Descriptor) -> bytes:
        return (layout.path / "blobs" / descriptor.digest.replace(":", "/")).read_bytes()

    return Shelf("layout", Index.parse(json.loads((layout.path / "index.json").read_text())), read)


def check(
    layout: Layout, digest: str, *, index: str = "", key: keys.Key = KEY, name: str = "", signed_as: tuple[str, ...] = ()
) -> Verification:
    return verify(Subject(digest, index, split(name) if name else None), shelf_of(layout), (key,), signed_as)


def problems(found: Verification) -> list[str]:
    return [one.problem for one in found.judged]


# --- what holds ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["p256", "p384", "p521", "ed25519", "rsa2048"])
def test_both_formats_hold_with_every_kind_of_key(layout: Layout, kind: str) -> None:
    signer = Signer(kind)
    image = layout.image(b"")
    signing.sign(layout, image, signer)
    signing.sign_with_bundle(layout, image, signer)
    found = check(layout, image["digest"], key=keys.parse(signer.public, "k"))
    assert [(one.attached.kind, one.problem) for one in found.judged] == [("cosign signature", ""), ("sigstore bundle", "")]
    assert found.pin == image["digest"]


@pytest.mark.parametrize(("kind", "algorithm"), [("p384", "sha384"), ("p521", "sha512")])
def test_larger_curves_may_sign_a_hash_of_their_size(layout: Layout, kind: str, algorithm: str) -> None:
    signer = Signer(kind)
    image = layout.image(b"")
    made = signing.bundle(signer, compact(signing.statement(image["digest"])), algorithm=algorithm)
    layout.add(signing.bundle_manifest(layout, made, image))
    assert check(layout, image["digest"], key=keys.parse(signer.public, "k")).valid


@pytest.mark.parametrize("name", ["p256", "p384", "ed25519", "rsa"])
def test_bundles_of_another_program_hold(layout: Layout, name: str) -> None:
    manifest = (FIXTURES / "manifest.json").read_bytes()
    image = layout.blob(manifest, f"{OCI}.manifest.v1+json")
    layout.add(signing.bundle_manifest(layout, json.loads((FIXTURES / f"{name}.bundle.json").read_text()), image))
    digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
    key = keys.read(str(FIXTURES / f"{name}.pub"))
    assert check(layout, digest, key=key).pin == digest
    assert problems(check(layout, digest)) == ["none of the keys has made it"]


def test_a_signature_that_cosign_save_left_is_found(layout: Layout) -> None:
    image = layout.image(b"")
    signing.sign(layout, image, SIGNER, tag=False)
    assert check(layout, image["digest"]).pin == image["digest"]


def test_a_list_of_referrers_under_its_tag_is_followed(layout: Layout) -> None:
    image = layout.image(b"")
    referrer = signing.bundle_manifest(layout, signing.bundle(SIGNER, compact(signing.statement(image["digest"]))), image)
    other = {**layout.document({"not": "read"}, f"{OCI}.manifest.v1+json"), "artifactType": "application/spdx+json"}
    listed = {"schemaVersion": 2, "manifests": [other, referrer]}
    layout.add(layout.document(listed, f"{OCI}.index.v1+json"), image["digest"].replace(":", "-"))
    found = check(layout, image["digest"])
    assert found.valid
    assert found.notes == ()


def test_a_signature_of_the_index_covers_the_image_that_it_lists(layout: Layout) -> None:
    image = layout.image(b"")
    index = layout.document({"schemaVersion": 2, "manifests": [image]}, f"{OCI}.index.v1+json")
    signing.sign(layout, index, SIGNER)
    found = check(layout, image["digest"], index=index["digest"])
    assert found.pin == index["digest"]
    assert [one.digest for one in found.valid] == [index["digest"]]
    assert not check(layout, image["digest"]).valid  # without the index nothing leads from one to the other


def test_a_signature_of_the_image_alone_does_not_pin_the_index(layout: Layout) -> None:
    image = layout.image(b"")
    signing.sign(layout, image, SIGNER, tag=False)
    assert check(layout, image["digest"], index=OTHER).pin == image["digest"]


def test_one_of_several_layers_is_enough(layout: Layout) -> None:
    image = layout.image(b"")
    content = compact(signing.payload(image["digest"]))
    layers = [signing.simple_layer(layout, Signer(), content), signing.simple_layer(layout, SIGNER, content)]
    layout.add(signing.simple_manifest(layout, *layers), signing.cosign_tag(image["digest"]))
    found = check(layout, image["digest"])
    assert problems(found) == ["none of the keys has made it", ""]


def test_a_bundle_may_be_about_several_images(layout: Layout) -> None:
    image = layout.image(b"")
    made = signing.bundle(SIGNER, compact(signing.statement(OTHER, image["digest"])))
    layout.add(signing.bundle_manifest(layout, made, image))
    assert check(layout, image["digest"]).valid


def test_a_signature_may_be_attached_as_openssl_writes_it(layout: Layout) -> None:
    image = layout.image(b"")
    layer = signing.simple_layer(layout, SIGNER, compact(signing.payload(image["digest"])))
    text = layer["annotations"][signing.SIGNATURE]
    layer["annotations"][signing.SIGNATURE] = f"{text[:64]}\r\n{text[64:]}\n"
    layout.add(signing.simple_manifest(layout, layer), signing.cosign_tag(image["digest"]))
    assert check(layout, image["digest"]).valid


# --- names --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("signed", "asked", "signed_as", "problem"),
    [
        ("registry.example.org/acme/web", "registry.example.org/acme/web:1", (), ""),
        ("index.docker.io/library/nginx", "nginx:1.27", (), ""),
        ("", "registry.example.org/acme/web", (), ""),
        ("registry.example.org/acme/web", "", (), ""),
        ("registry.example.org/acme/web:1", "registry.example.org/acme/web:1", (), ""),
        ("registry.example.org/acme/web:1", "registry.example.org/acme/web:2", (), "another tag"),
        ("registry.example.org/acme/old", "registry.example.org/acme/web", (), "another repository"),
        ("registry.example.org/acme/web.evil", "registry.example.org/acme/web", (), "another repository"),
        ("registry.example.org/acme/web", "mirror.example.org/web", ("registry.example.org/acme/*",), ""),
        ("registry.example.org/other/web", "registry.example.org/other/web", ("registry.example.org/acme/*",), "not as"),
        ("registry.example.org/Acme Web", "registry.example.org/acme/web", (), "no name of an image"),
    ],
)
def test_the_name_that_was_signed_must_fit(layout: Layout, signed: str, asked: str, signed_as: tuple[str, ...], problem: str) -> None:
    image = layout.image(b"")
    signing.sign(layout, image, SIGNER, signed)
    (found,) = check(layout, image["digest"], name=asked, signed_as=signed_as).judged
    assert bool(found.problem) == bool(problem)
    assert problem in found.problem


# --- what does not hold: cosign's older signatures ----------------------------------------------------------------------------


def with_certificate(layout: Layout, digest: str) -> dict[str, Any]:
    notes = {"dev.sigstore.cosign/certificate": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"}
    return signing.simple_layer(layout, Signer(), compact(signing.payload(digest)), **notes)


def signed_with(change: Callable[[dict[str, Any]], object]) -> Callable[[Layout, str], dict[str, Any]]:
    def make(layout: Layout, digest: str) -> dict[str, Any]:
        content = signing.payload(digest)
        changed = change(content)
        return signing.simple_layer(layout, SIGNER, changed if isinstance(changed, bytes) else compact(content))

    return make


def with_signature(change: Callable[[str], str | None]) -> Callable[[Layout, str], dict[str, Any]]:
    def make(layout: Layout, digest: str) -> dict[str, Any]:
        layer = signing.simple_layer(layout, SIGNER, compact(signing.payload(digest)))
        changed = change(layer["annotations"][signing.SIGNATURE])
        layer["annotations"] = {} if changed is None else {signing.SIGNATURE: changed}
        return layer

    return make


SIMPLE: dict[str, tuple[Callable[[Layout, str], dict[str, Any]], str]] = {
    "of another key": (lambda layout, digest: signing.simple_layer(layout, Signer(), compact(signing.payload(digest))), "none of the keys"),
    "with a certificate": (with_certificate, NEEDS_IDENTITY),
    "of another image": (
        signed_with(lambda content: content["critical"]["image"].update({"docker-manifest-digest": OTHER})),
        "another image",
    ),
    "of another type": (signed_with(lambda content: content["critical"].update(type="atomic container signature")), "atomic"),
    "a digest that is a path": (
        signed_with(lambda content: content["critical"]["image"].update({"docker-manifest-digest": "sha256:../../x"})),
        "not a digest",
    ),
    "something critical that is unknown": (signed_with(lambda content: content["critical"].update(expires=1)), "not known"),
    "something unknown in the identity": (signed_with(lambda content: content["critical"]["identity"].update(not_before=1)), "not known"),
    "something unknown beside it": (signed_with(lambda content: content.update(more={})), "not known"),
    "no identity": (signed_with(lambda content: content["critical"].pop("identity")), "no 'identity'"),
    "an identity that is a number": (signed_with(lambda content: content["critical"].update(identity={"docker-reference": 7})), "no text"),
    "an image that is a list": (signed_with(lambda content: content["critical"].update(image=[])), "no object"),
    "optional parts that are a list": (signed_with(lambda content: content.update(optional=[])), "optional"),
    "no critical part": (signed_with(lambda content: content.pop("critical")), "no 'critical'"),
    "one member twice": (
        signed_with(lambda content: compact(content).replace(b'"type":', b'"type":"x","type":')),
        "a member twice",
    ),
    "a digest twice": (
        signed_with(lambda content: compact(content).replace(b'"image":{', f'"image":{{"docker-manifest-digest":"{OTHER}",'.encode())),
        "a member twice",
    ),
    "no JSON": (signed_with(lambda content: compact(content) + b"x"), "no JSON"),
    "a byte order mark": (signed_with(lambda content: b"\xef\xbb\xbf" + compact(content)), "no JSON"),
    "not in UTF-8": (signed_with(lambda content: compact(content).replace(b"cosign", b"cosi\xffn")), "no JSON"),
    "not a number": (signed_with(lambda content: compact(content).replace(b"null", b'{"x":NaN}')), "no JSON"),
    "a list": (signed_with(lambda content: compact([content])), "no JSON object"),
    "brackets without end": (signed_with(lambda content: b"[" * 200_000), "too deeply"),
    "no signature": (with_signature(lambda text: None), "no signature beside it"),
    "an empty signature": (with_signature(lambda text: ""), "no base64"),
    "a signature with a space": (with_signature(lambda text: text[:20] + " " + text[20:]), "no base64"),
    "a signature without its padding": (with_signature(lambda text: text.rstrip("=") + "==="), "no base64"),
    "a signature for addresses": (with_signature(lambda text: base64.urlsafe_b64encode(b"\xff" * 70).decode()), "no base64"),
    "a signature in other letters": (with_signature(lambda text: text + "Ａ"), "no base64"),
    "something behind the signature": (
        with_signature(lambda text: base64.b64encode(base64.b64decode(text) + b"x").decode()),
        "none of the keys",
    ),
    "another signature": (with_signature(lambda text: base64.b64encode(b"\x30\x06\x02\x01\x00\x02\x01\x00").decode()), "none of the keys"),
    "bytes that are no signature": (with_signature(lambda text: base64.b64encode(b"x" * 70).decode()), "none of the keys"),
}


@pytest.mark.parametrize("case", SIMPLE)
def test_a_signature_does_not_hold(layout: Layout, case: str) -> None:
    make, problem = SIMPLE[case]
    image = layout.image(b"")
    layout.add(signing.simple_manifest(layout, make(layout, image["digest"])), signing.cosign_tag(image["digest"]))
    found = check(layout, image["digest"])
    assert not found.valid
    assert found.pin == ""
    assert len(found.judged) == 1
    assert problem in found.judged[0].problem


def test_what_was_signed_must_be_the_bytes_that_are_there(layout: Layout) -> None:
    image = layout.image(b"")
    layer = signing.simple_layer(layout, SIGNER, compact(signing.payload(image["digest"])))
    spaced = json.dumps(signing.payload(image["digest"])).encode()  # means the same
    layout.add(
        signing.simple_manifest(layout, layout.blob(spaced, signing.SIMPLE, annotations=layer["annotations"])),
        signing.cosign_tag(image["digest"]),
    )
    assert problems(check(layout, image["digest"])) == ["none of the keys has made it"]


def test_a_payload_that_is_not_what_its_digest_says_is_not_looked_at(layout: Layout) -> None:
    image = layout.image(b"")
    layer = signing.simple_layer(layout, SIGNER, compact(signing.payload(image["digest"])))
    layout.add(signing.simple_manifest(layout, layer), signing.cosign_tag(image["digest"]))
    (layout.path / "blobs" / layer["digest"].replace(":", "/")).write_bytes(b"{}")
    (problem,) = problems(check(layout, image["digest"]))
    assert "not what its digest and size say" in problem


# --- what does not hold: bundles ----------------------------------------------------------------------------------------------


def about(change: Callable[[dict[str, Any]], object]) -> Callable[[str], dict[str, Any]]:
    def make(digest: str) -> dict[str, Any]:
        content = signing.statement(digest)
        changed = change(content)
        return signing.bundle(SIGNER, changed if isinstance(changed, bytes) else compact(content))

    return make


def changed(change: Callable[[dict[str, Any]], object]) -> Callable[[str], dict[str, Any]]:
    def make(digest: str) -> dict[str, Any]:
        made = signing.bundle(SIGNER, compact(signing.statement(digest)))
        change(made)
        return made

    return make


def swapped(digest: str) -> dict[str, Any]:
    """A statement about this image, in the envelope of a signature of another."""
    made = signing.bundle(SIGNER, compact(signing.statement(OTHER)))
    made["dsseEnvelope"]["payload"] = base64.b64encode(compact(signing.statement(digest))).decode()
    return made


def signed_plain(digest: str) -> dict[str, Any]:
    """A signature over the statement alone, without the envelope's encoding."""
    content = compact(signing.statement(digest))
    made = signing.bundle(SIGNER, content)
    made["dsseEnvelope"]["signatures"][0]["sig"] = base64.b64encode(SIGNER.sign(content)).decode()
    return made


BUNDLES: dict[str, tuple[Callable[[str], object], str]] = {
    "of another key": (lambda digest: signing.bundle(Signer(), compact(signing.statement(digest))), "none of the keys"),
    "with a certificate": (changed(lambda made: made.update(verificationMaterial={"certificate": {"rawBytes": "MIIB"}})), NEEDS_IDENTITY),
    "with certificates": (changed(lambda made: made.update(verificationMaterial={"x509CertificateChain": {}})), NEEDS_IDENTITY),
    "about another image": (about(lambda content: content.update(subject=[{"digest": {"sha256": "1" * 64}}])), "another image"),
    "about a digest that is a path": (about(lambda content: content.update(subject=[{"digest": {"sha256": "../../x"}}])), "not a digest"),
    "about a weak digest": (about(lambda content: content.update(subject=[{"digest": {"sha1": "1" * 40}}])), "another image: none"),
    "about a name without a digest": (about(lambda content: content.update(subject=[{"name": "web"}])), "no digest"),
    "about nothing": (about(lambda content: content.update(subject=[])), "about nothing"),
    "about too much": (about(lambda content: content.update(subject=content["subject"] * 1025)), "1025"),
    "how it was built": (about(lambda content: content.update(predicateType="https://slsa.dev/provenance/v1")), "slsa.dev"),
    "no statement": (about(lambda content: content.update(_type="https://example.org/x")), "not an in-toto statement"),
    "a member twice": (about(lambda content: compact(content).replace(b'"subject":', b'"subject":[],"subject":')), "a member twice"),
    "a statement in another's envelope": (swapped, "none of the keys"),
    "signed without the envelope": (signed_plain, "none of the keys"),
    "of another version": (changed(lambda made: made.update(mediaType="application/vnd.dev.sigstore.bundle.v0.4+json")), "0.3"),
    "without a version": (changed(lambda made: made.pop("mediaType")), "mediaType"),
    "of a message": (changed(lambda made: made.update(messageSignature={})), "no envelope"),
    "without an envelope": (changed(lambda made: made.pop("dsseEnvelope")), "no envelope"),
    "without material": (changed(lambda made: made.pop("verificationMaterial")), "how to check"),
    "with another kind inside": (changed(lambda made: made["dsseEnvelope"].update(payloadType="text/plain")), "text/plain"),
    "with two signatures": (changed(lambda made: made["dsseEnvelope"]["signatures"].append({"sig": "AAAA"})), "exactly one"),
    "without a signature": (changed(lambda made: made["dsseEnvelope"].update(signatures=[])), "exactly one"),
    "with a payload for addresses": (changed(lambda made: made["dsseEnvelope"].update(payload="__-_")), "no base64"),
    "with a payload that is a number": (changed(lambda made: made["dsseEnvelope"].update(payload=7)), "no text"),
    "a list": (lambda digest: [], "no JSON object"),
}  # fmt: skip


@pytest.mark.parametrize("case", BUNDLES)
def test_a_bundle_does_not_hold(layout: Layout, case: str) -> None:
    make, problem = BUNDLES[case]
    image = layout.image(b"")
    layout.add(signing.bundle_manifest(layout, make(image["digest"]), image))
    found = check(layout, image["digest"])
    assert not found.valid
    assert len(found.judged) == 1
    assert problem in found.judged[0].problem


def test_a_bundle_that_says_more_than_we_know_holds(layout: Layout) -> None:
    image = layout.image(b"")
    content = signing.statement(image["digest"])
    content["subject"][0] |= {"name": "web", "annotations": {"build": "7"}}
    content["predicate"] = {"later": True}
    made = signing.bundle(SIGNER, compact(content), later={})
    layout.add(signing.bundle_manifest(layout, made, image))
    assert check(layout, image["digest"]).valid


# --- too much -----------------------------------------------------------------------------------------------------------------


def test_a_thousand_signatures_are_not_all_looked_at(layout: Layout) -> None:
    image = layout.image(b"")
    content = compact(signing.payload(image["digest"]))
    first = signing.simple_layer(layout, SIGNER, content)
    bogus = [{**first, "annotations": {signing.SIGNATURE: base64.b64encode(b"%9d" % number).decode()}} for number in range(1000)]
    layout.add(signing.simple_manifest(layout, first, *bogus), signing.cosign_tag(image["digest"]))
    found = check(layout, image["digest"])
    assert len(found.judged) == 256
    assert found.valid
    assert "more signatures than are looked at" in found.notes[0]


def test_a_signature_as_large_as_a_film_is_not_read(layout: Layout) -> None:
    image = layout.image(b"")
    layer = signing.simple_layer(layout, SIGNER, compact(signing.payload(image["digest"])))
    layout.add(signing.simple_manifest(layout, {**layer, "size": 1 << 40}), signing.cosign_tag(image["digest"]))
    (layout.path / "blobs" / layer["digest"].replace(":", "/")).unlink()  # it would be an error to read it
    (problem,) = problems(check(layout, image["digest"]))
    assert "no signature is so large" in problem


def test_what_is_no_manifest_is_told_and_hides_nothing(layout: Layout) -> None:
    image = layout.image(b"")
    layout.add(layout.blob(b"[]", f"{OCI}.manifest.v1+json"), signing.cosign_tag(image["digest"]))
    signing.sign_with_bundle(layout, image, SIGNER)
    found = check(layout, image["digest"])
    assert found.valid
    assert "cannot be read" in found.notes[0]


def test_other_things_under_the_tag_are_no_signatures(layout: Layout) -> None:
    image = layout.image(b"")
    attestation = layout.blob(b"{}", "application/vnd.dsse.envelope.v1+json", annotations={signing.SIGNATURE: ""})
    layout.add(signing.simple_manifest(layout, attestation), signing.cosign_tag(image["digest"]))
    assert check(layout, image["digest"]).judged == ()


# --- keys ---------------------------------------------------------------------------------------------------------------------

CERTIFICATE = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (Signer("k256").public, "secp256k1"),
        (Signer("rsa1024").public, "1024 bits"),
        (SIGNER.private, "a private key"),
        (b"-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\neyJ=\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n", "a private key"),
        (CERTIFICATE, "a certificate"),
        (SIGNER.public + Signer().public, "several keys"),
        (b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIM me@here\n", "something else"),
        (b"", "something else"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "no public key"),
        (b"-----BEGIN PUBLIC KEY-----\n" + b"A" * 70_000, "too large"),
    ],
)
def test_what_is_no_key_to_rely_on_is_refused(content: bytes, problem: str) -> None:
    with pytest.raises(HardenError) as caught:
        keys.parse(content, "a.pub")
    assert problem in caught.value.what
    assert caught.value.where == "a.pub"


def test_a_key_is_read_with_whatever_ends_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "key.pub"
    path.write_bytes(b"\n" + SIGNER.public.replace(b"\n", b"\r\n"))
    assert keys.read(str(path)).fingerprint == KEY.fingerprint


def test_a_key_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(HardenError, match="cannot read the key"):
        keys.read(str(tmp_path / "nothing.pub"))


def test_a_key_checks_in_its_own_way_alone() -> None:
    rsa = Signer("rsa2048")
    content = b"what is signed"
    assert keys.parse(rsa.public, "k").has_signed(content, rsa.sign(content))
    assert not keys.parse(rsa.public, "k").has_signed(content, rsa.sign(content, "sha512"))
    assert not KEY.has_signed(content, SIGNER.sign(content, "sha384"))
    assert not KEY.has_signed(content, hashlib.sha256(SIGNER.public + content).digest())  # a key is no secret to hash with
    assert not KEY.has_signed(content + b" ", SIGNER.sign(content))
