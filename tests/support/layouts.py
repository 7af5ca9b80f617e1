"""Write image layouts, with layers of any entries: also such as no tool would write."""

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

OCI = "application/vnd.oci.image"


def entry(name: str, content: bytes = b"", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    """Return an entry of a tar, a regular file unless `type` says otherwise."""
    made = tarfile.TarInfo(name)
    made.size = len(content)
    for field, value in fields.items():
        setattr(made, field, value)
    return made, content


def folder(name: str, **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    """Return an entry for a folder."""
    return entry(name, **{"type": tarfile.DIRTYPE, "mode": 0o755, **fields})


def link(name: str, to: str, *, hard: bool = False) -> tuple[tarfile.TarInfo, bytes]:
    """Return an entry for a link."""
    return entry(name, type=tarfile.LNKTYPE if hard else tarfile.SYMTYPE, linkname=to)


def tar(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """Return a tar of entries."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, content in entries:
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


class Layout:
    """An image layout that grows: blobs, images, and an index of them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifests: list[dict[str, Any]] = []
        (path / "blobs" / "sha256").mkdir(parents=True)
        (path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        self.write()

    def blob(self, content: bytes, media_type: str, **more: Any) -> dict[str, Any]:
        """Add a blob; return its descriptor."""
        digits = hashlib.sha256(content).hexdigest()
        (self.path / "blobs" / "sha256" / digits).write_bytes(content)
        return {"mediaType": media_type, "digest": f"sha256:{digits}", "size": len(content), **more}

    def document(self, value: object, media_type: str, **more: Any) -> dict[str, Any]:
        """Add a JSON document; return its descriptor."""
        return self.blob(json.dumps(value).encode(), media_type, **more)

    def image(
        self,
        *layers: bytes,
        architecture: str = "amd64",
        config: dict[str, Any] | None = None,
        described: dict[str, Any] | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """Add an image of tars; return the descriptor of its manifest.

        `described` replaces parts of the configuration, `config` its own part for containers, `more` parts of the manifest.
        """
        descriptors = [self.blob(gzip.compress(layer, mtime=0), f"{OCI}.layer.v1.tar+gzip") for layer in layers]
        rootfs = {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]}
        whole = {"os": "linux", "architecture": architecture, "config": config or {}, "rootfs": rootfs, **(described or {})}
        manifest = {"schemaVersion": 2, "config": self.document(whole, f"{OCI}.config.v1+json"), "layers": descriptors, **more}
        return self.document(manifest, f"{OCI}.manifest.v1+json")

    def add(self, descriptor: dict[str, Any], name: str = "", platform: dict[str, Any] | None = None) -> None:
        """Put an image, or an index, into the index of the layout."""
        described = {**descriptor}
        if name:
            described["annotations"] = {"org.opencontainers.image.ref.name": name}
        if platform is not None:
            described["platform"] = platform
        self.manifests.append(described)
        self.write()

    def write(self) -> None:
        """Write the index."""
        (self.path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": self.manifests}))
