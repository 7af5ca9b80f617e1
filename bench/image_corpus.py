"""The image that the bench of images works on: packages of this machine, in three layers, with what a scanner should find planted in it.

What is in it belongs to Debian packages and is listed by dpkg with its checksums, as in any image of a distribution; it is as large as one.
"""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

OCI = "application/vnd.oci.image"
SIZE = 260 << 20  # bytes of files
PACKAGES = 150  # of npm, and as many of Python
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\n" + "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\n" * 6
KEY += "-----END OPENSSH PRIVATE KEY-----\n"


def write(folder: Path, size: int = SIZE) -> None:
    """Write an image layout with one image, called v1."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    layers = [_layer(blobs, entries) for entries in (_packages(size), _application(), _cleaning())]
    history = [
        {"created_by": "/bin/sh -c #(nop) ADD file:debian in / "},
        {"created_by": "COPY app /srv/app # buildkit"},
        {"created_by": "ENV DB_PASSWORD=hunter2-is-no-placeholder", "empty_layer": True},
        {"created_by": "RUN /bin/sh -c rm -rf /root/.ssh # buildkit"},
    ]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "created": "2026-01-01T00:00:00Z",
        "config": {
            "Env": ["PATH=/usr/bin:/bin", "DB_PASSWORD=hunter2-is-no-placeholder"],
            "Cmd": ["/bin/true"],
            "ExposedPorts": {"22/tcp": {}},
        },
        "rootfs": {"type": "layers", "diff_ids": [diff_id for _, diff_id in layers]},
        "history": history,
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{OCI}.manifest.v1+json",
        "config": _document(blobs, config, f"{OCI}.config.v1+json"),
        "layers": [descriptor for descriptor, _ in layers],
    }
    described = _document(blobs, manifest, f"{OCI}.manifest.v1+json") | {"annotations": {"org.opencontainers.image.ref.name": "v1"}}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [described]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


def _document(blobs: Path, value: object, media_type: str) -> dict[str, object]:
    content = json.dumps(value).encode()
    digits = hashlib.sha256(content).hexdigest()
    (blobs / digits).write_bytes(content)
    return {"mediaType": media_type, "digest": f"sha256:{digits}", "size": len(content)}


class _Digesting:
    """A file that knows the digest of what was written to it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def write(self, content: bytes) -> int:
        """Write, and remember."""
        self.digest.update(content)
        return self._file.write(content)


def _layer(blobs: Path, entries: Iterator[tuple[tarfile.TarInfo, Path | bytes]]) -> tuple[dict[str, object], str]:
    """Write a layer; return its descriptor, and the digest of what is in it."""
    scratch = blobs / "new"
    with scratch.open("wb") as file, gzip.GzipFile(fileobj=file, mode="wb", compresslevel=6, mtime=0, filename="") as packed:
        plain = _Digesting(cast("BinaryIO", packed))
        with tarfile.open(fileobj=cast("BinaryIO", plain), mode="w|", format=tarfile.PAX_FORMAT, bufsize=1 << 20) as tar:
            for info, content in entries:
                if isinstance(content, Path):
                    with content.open("rb") as source:
                        tar.addfile(info, source)
                else:
                    tar.addfile(info, io.BytesIO(content))
    with scratch.open("rb") as written:
        digits = hashlib.file_digest(written, "sha256").hexdigest()
    scratch.rename(blobs / digits)
    descriptor: dict[str, object] = {"mediaType": f"{OCI}.layer.v1.tar+gzip", "digest": f"sha256:{digits}"}
    return descriptor | {"size": (blobs / digits).stat().st_size}, f"sha256:{plain.digest.hexdigest()}"


def _packages(size: int) -> Iterator[tuple[tarfile.TarInfo, Path | bytes]]:
    """Yield the files of as many of this machine's packages as fit, and what dpkg knows of these."""
    info = Path("/var/lib/dpkg/info")
    status = Path("/var/lib/dpkg/status").read_text(encoding="utf-8")
    paragraphs = {paragraph.partition("\n")[0].removeprefix("Package: "): paragraph for paragraph in status.split("\n\n") if paragraph}
    seen: set[str] = set()
    left = size
    chosen = []
    for name, paragraph in sorted(paragraphs.items()):
        found = [path for end in ("", ":amd64", ":arm64") if (path := info / f"{name}{end}.list").exists()]
        if not found or left < 0:
            continue
        listed = found[0].read_text(encoding="utf-8").splitlines()
        if any(line.endswith(".jar") for line in listed):  # trivy would fetch a database of them, and there is no network
            continue
        chosen.append(paragraph)
        yield from (_file(path) for path in (found[0], found[0].with_suffix(".md5sums")) if path.exists())
        for line in listed:
            path = Path(line)
            if line in seen or line == "/." or not (path.is_symlink() or path.exists()):
                continue
            seen.add(line)
            made = _file(path)
            left -= made[0].size
            yield made
    yield _made("var/lib/dpkg/status", ("\n\n".join(chosen) + "\n\n").encode())
    yield _made("etc/os-release", b'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')
    yield _made("etc/debian_version", b"12.0\n")  # without it trivy reads no packages
    yield _made("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33::/var/www:/usr/sbin/nologin\n")


def _file(path: Path) -> tuple[tarfile.TarInfo, Path | bytes]:
    found = path.lstat()
    made = tarfile.TarInfo(str(path).lstrip("/"))
    made.mode, made.mtime = found.st_mode & 0o7777, int(found.st_mtime)
    if path.is_symlink():
        made.type, made.linkname = tarfile.SYMTYPE, str(path.readlink())
    elif path.is_dir():
        made.type = tarfile.DIRTYPE
    else:
        made.size = found.st_size
        return made, path
    return made, b""


def _made(name: str, content: bytes, mode: int = 0o644) -> tuple[tarfile.TarInfo, bytes]:
    made = tarfile.TarInfo(name)
    made.size, made.mode = len(content), mode
    return made, content


def _application() -> Iterator[tuple[tarfile.TarInfo, Path | bytes]]:
    yield _made("srv/app/main.py", b"print('hello')\n" * 100)
    yield _made("root/.ssh/id_ed25519", KEY.encode(), 0o600)
    for number in range(PACKAGES):
        folder = f"srv/app/node_modules/part-{number}"
        described = {"name": f"part-{number}", "version": f"1.{number}.0", "license": "MIT", "main": "index.js"}
        yield _made(f"{folder}/package.json", json.dumps(described, indent=2).encode())
        yield _made(f"{folder}/index.js", b"module.exports = (left, right) => left + right;\n" * 40)
        site = "usr/local/lib/python3.11/dist-packages"
        metadata = f"Metadata-Version: 2.1\nName: piece-{number}\nVersion: 2.{number}\nLicense: MIT\n\nWhat it does.\n"
        yield _made(f"{site}/piece_{number}-2.{number}.dist-info/METADATA", metadata.encode())
        yield _made(f"{site}/piece_{number}/__init__.py", b"def add(left, right):\n    return left + right\n" * 40)


def _cleaning() -> Iterator[tuple[tarfile.TarInfo, Path | bytes]]:
    yield _made("root/.ssh/.wh.id_ed25519", b"")


_COMPOSE = {
    "forge/compose.yaml": ("- DB_PASSWD=forge", "- POSTGRES_PASSWORD=forge"),
    "cloud/compose.yaml": ("- MYSQL_PASSWORD=owncloud", "- MYSQL_ROOT_PASSWORD=owncloud", "- MYSQL_PASSWORD=owncloud"),
    "whale/compose.yml": ("MYSQL_ROOT_PASSWORD: whalesong",),
    "whale-queue/compose.yml": ("MYSQL_ROOT_PASSWORD: whalesong",),
    "board/compose.yaml": ("- GF_SECURITY_ADMIN_PASSWORD=kibana",),
    "windows/compose.yaml": ("SA_PASSWORD: example_456",),
    "files/compose.yaml": ("- POSTGRES_PASSWORD=files", "- POSTGRES_PASSWORD=files"),
    "rust/compose.yaml": ("- PG_PASSWORD=mysecretpw", "- POSTGRES_PASSWORD=mysecretpw"),
    "blog/compose.yaml": ("- MYSQL_ROOT_PASSWORD=someblog", "- MYSQL_PASSWORD=blog", "- BLOG_DB_PASSWORD=blog"),
}


def passwords(folder: Path) -> set[tuple[str, int]]:
    """Write compose files with passwords as samples have them; return the file and the line of each."""
    found = set()
    for name, lines in _COMPOSE.items():
        written = ["services:"]
        for number, line in enumerate(lines):
            written += [f"  service{number}:", "    image: example/image:1.0", "    environment:", f"      {line}"]
            found.add((name, len(written)))
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(written) + "\n", encoding="utf-8")
    return found
