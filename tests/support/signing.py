"""Sign images as cosign does: keys of every kind it makes, its older signatures, and the bundles of sigstore it makes now.

Byte for byte what cosign writes (pkg/oci/remote, pkg/cosign; sigstore/pkg/signature/payload), made with `cryptography` alone.
"""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from layouts import OCI, Layout

SIMPLE: Final = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE: Final = "dev.cosignproject.cosign/signature"
BUNDLE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
STATEMENT: Final = "application/vnd.in-toto+json"
PREDICATE: Final = "https://sigstore.dev/cosign/sign/v1"
EMPTY: Final = "application/vnd.oci.empty.v1+json"
_CURVES: Final = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1(), "k256": ec.SECP256K1()}
_HASHES: Final = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}


class Signer:
    """A pair of keys: p256, p384, p521, k256, ed25519 or rsa2048 (or another size)."""

    def __init__(self, kind: str = "p256") -> None:
        self._private: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
        if kind == "ed25519":
            self._private = ed25519.Ed25519PrivateKey.generate()
        elif kind.startswith("rsa"):
            self._private = rsa.generate_private_key(65537, int(kind[3:]))
        else:
            self._private = ec.generate_private_key(_CURVES[kind])

    @property
    def public(self) -> bytes:
        """Return the public key as cosign.pub has it."""
        return self._private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    @property
    def private(self) -> bytes:
        """Return the private key, for those who mistake it for the other."""
        return self._private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())

    def write(self, path: Path) -> str:
        """Write the public key; return the path."""
        path.write_bytes(self.public)
        return str(path)

    def sign(self, content: bytes, algorithm: str = "sha256") -> bytes:
        """Return a signature over bytes."""
        hashed = _HASHES[algorithm]
        if isinstance(self._private, ec.EllipticCurvePrivateKey):
            return self._private.sign(content, ec.ECDSA(hashed))
        if isinstance(self._private, rsa.RSAPrivateKey):
            return self._private.sign(content, padding.PKCS1v15(), hashed)
        return self._private.sign(content)


def payload(digest: str, reference: str = "", **replaced: Any) -> dict[str, Any]:
    """Return what cosign's older signatures are over; parts of `critical` can be replaced."""
    critical = {
        "identity": {"docker-reference": reference},
        "image": {"docker-manifest-digest": digest},
        "type": "cosign container image signature",
    }
    return {"critical": {**critical, **replaced}, "optional": None}


def compact(value: object) -> bytes:
    """Return JSON as Go writes it."""
    return json.dumps(value, separators=(",", ":")).encode()


def statement(*digests: str, **replaced: Any) -> dict[str, Any]:
    """Return what bundles are about."""
    subjects = [{"digest": {digest.partition(":")[0]: digest.partition(":")[2]}} for digest in digests]
    return {"_type": "https://in-toto.io/Statement/v1", "subject": subjects, "predicateType": PREDICATE, "predicate": {}, **replaced}


def bundle(signer: Signer, content: bytes, kind: str = STATEMENT, algorithm: str = "sha256", **replaced: Any) -> dict[str, Any]:
    """Return a bundle with an envelope of some content."""
    encoded = f"DSSEv1 {len(kind)} {kind} {len(content)} ".encode() + content
    envelope = {
        "payload": base64.b64encode(content).decode(),
        "payloadType": kind,
        "signatures": [{"sig": base64.b64encode(signer.sign(encoded, algorithm)).decode()}],
    }
    material = {"publicKey": {"hint": base64.b64encode(hashlib.sha256(signer.public).digest()).decode()}, "tlogEntries": []}
    return {"mediaType": BUNDLE, "verificationMaterial": material, "dsseEnvelope": envelope, **replaced}


def simple_layer(layout: Layout, signer: Signer, content: bytes, algorithm: str = "sha256", **notes: str) -> dict[str, Any]:
    """Add a payload; return the layer that carries its signature, too."""
    signature = base64.b64encode(signer.sign(content, algorithm)).decode()
    return layout.blob(content, SIMPLE, annotations={SIGNATURE: signature, **notes})


def simple_manifest(layout: Layout, *layers: dict[str, Any]) -> dict[str, Any]:
    """Add the manifest that cosign puts under its tag; return its descriptor."""
    diff_ids = [layer["digest"] for layer in layers]
    config = {"architecture": "", "os": "", "config": {}, "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{OCI}.manifest.v1+json",
        "config": layout.document(config, f"{OCI}.config.v1+json"),
        "layers": list(layers),
    }
    return layout.document(manifest, f"{OCI}.manifest.v1+json")


def bundle_manifest(layout: Layout, made: object, subject: dict[str, Any], media_type: str = BUNDLE) -> dict[str, Any]:
    """Add a bundle and the manifest that refers to what it is about; return the descriptor, as a list of referrers has it."""
    notes = {"dev.sigstore.bundle.content": "dsse-envelope", "dev.sigstore.bundle.predicateType": PREDICATE}
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{OCI}.manifest.v1+json",
        "artifactType": BUNDLE,
        "config": layout.blob(b"{}", EMPTY),
        "layers": [layout.blob(compact(made), media_type)],
        "subject": {name: subject[name] for name in ("mediaType", "digest", "size")},
        "annotations": notes,
    }
    return layout.document(manifest, f"{OCI}.manifest.v1+json", artifactType=BUNDLE, annotations=notes)


def cosign_tag(digest: str) -> str:
    """Return cosign's tag for a digest."""
    return f"{digest.replace(':', '-')}.sig"


def sign(layout: Layout, image: dict[str, Any], signer: Signer, reference: str = "", *, tag: bool = True) -> dict[str, Any]:
    """Sign an image in the older way, and put the signature into the layout under cosign's tag, or as `cosign save` does."""
    layer = simple_layer(layout, signer, compact(payload(image["digest"], reference)))
    manifest = simple_manifest(layout, layer)
    if tag:
        layout.add(manifest, cosign_tag(image["digest"]))
    else:
        layout.manifests.append({**manifest, "annotations": {"kind": "dev.cosignproject.cosign/sigs"}})
        layout.write()
    return manifest


def sign_with_bundle(layout: Layout, image: dict[str, Any], signer: Signer) -> dict[str, Any]:
    """Sign an image in the newer way, and put the signature into the layout."""
    manifest = bundle_manifest(layout, bundle(signer, compact(statement(image["digest"]))), image)
    layout.manifests.append(manifest)
    layout.write()
    return manifest
