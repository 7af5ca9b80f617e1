"""Sign an image of a layout as `cosign sign --key` does, with a fresh key: sign.py LAYOUT NAME KEY writes the public one to KEY.pub.

A registry would have the signature under the tag sha256-DIGITS.sig. Takes the Python package cryptography.
"""

import base64
import json
import pathlib
import sys

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from layout import OCI, attach, blob


def main() -> None:
    """Sign, and write the public key; the private one is forgotten."""
    folder, name, key = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(f"{sys.argv[3]}.pub")
    private = ec.generate_private_key(ec.SECP256R1())
    key.write_bytes(private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    index = json.loads((folder / "index.json").read_text())
    (digest,) = (one["digest"] for one in index["manifests"] if one["annotations"]["org.opencontainers.image.ref.name"] == name)
    critical = {
        "identity": {"docker-reference": ""},
        "image": {"docker-manifest-digest": digest},
        "type": "cosign container image signature",
    }
    payload = json.dumps({"critical": critical, "optional": None}, separators=(",", ":")).encode()
    signature = base64.b64encode(private.sign(payload, ec.ECDSA(hashes.SHA256()))).decode()
    layer = blob(folder, payload, "application/vnd.dev.cosign.simplesigning.v1+json")
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{OCI}.manifest.v1+json",
        "config": blob(folder, b"{}", f"{OCI}.config.v1+json"),
        "layers": [{**layer, "annotations": {"dev.cosignproject.cosign/signature": signature}}],
    }
    attach(folder, blob(folder, json.dumps(manifest).encode(), f"{OCI}.manifest.v1+json"), f"{digest.replace(':', '-')}.sig")


if __name__ == "__main__":
    main()
