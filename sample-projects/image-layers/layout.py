"""Write two images as an OCI image layout: naive, with a secret in a layer that a later one deletes, and fixed.

No builder, no network: the lowest layer is this machine's shell with three tools and the libraries they need. The token is made up anew
each time, with a checksum that fits, as a real one would have.
"""

import gzip
import hashlib
import io
import json
import pathlib
import platform
import secrets
import shutil
import string
import subprocess
import sys
import tarfile
import zlib

HERE = pathlib.Path(__file__).parent
OCI = "application/vnd.oci.image"
PROGRAMS = ("sh", "cat", "id", "ls")
BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase


def main() -> None:
    """Write the layout into the folder that is named."""
    folder = pathlib.Path(sys.argv[1])
    base = shell()
    naive = layer({"srv/app/status.sh": status(), "srv/app/.env": f"GITHUB_TOKEN={token()}\n".encode()})
    gone = layer({"srv/app/.wh..env": b""})
    fixed = layer({"srv/app/status.sh": status()})
    cmd = ["sh", "/srv/app/status.sh"]
    lowest = f"/bin/sh -c #(nop) ADD file:{hashlib.sha256(base).hexdigest()} in / "
    add(
        folder,
        "naive",
        [
            (base, lowest),
            (naive, "COPY . /srv/app # buildkit"),
            (gone, "RUN /bin/sh -c rm /srv/app/.env # buildkit"),
        ],
        {"Cmd": cmd},
    )
    add(
        folder,
        "fixed",
        [(base, lowest), (fixed, "COPY app /srv/app # buildkit")],
        {"Cmd": cmd, "User": "10001:10001", "Healthcheck": {"Test": ["CMD", "sh", "-c", "true"]}},
    )


def status() -> bytes:
    """Return the program of the image."""
    return (HERE / "app" / "status.sh").read_bytes()


def token() -> str:
    """Return what looks like a token of GitHub: 30 characters, and their checksum in six."""
    body = "".join(secrets.choice(BASE62) for _ in range(30))
    number, check = zlib.crc32(body.encode()), ""
    while number:
        number, digit = divmod(number, 62)
        check = BASE62[digit] + check
    return f"ghp_{body}{check:0>6}"


def shell() -> bytes:
    """Return a layer with the programs, the libraries that they need, and the accounts."""
    files = {"etc/passwd": b"root:x:0:0:root:/root:/bin/sh\napp:x:10001:10001::/:/bin/sh\n", "etc/group": b"root:x:0:\napp:x:10001:\n"}
    for name in PROGRAMS:
        path = shutil.which(name)
        if path is None:
            sys.exit(f"there is no {name} on this machine")
        files[f"bin/{name}"] = pathlib.Path(path).read_bytes()
        listed = subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout
        for word in listed.split():
            if word.startswith("/"):
                files[word.lstrip("/")] = pathlib.Path(word).read_bytes()
    return layer(files)


def layer(files: dict[str, bytes]) -> bytes:
    """Return a tar of files, the same for the same files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        folders = {str(above) for name in files for above in pathlib.PurePath(name).parents} - {"."}
        for name in sorted(folders):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755 if name.startswith(("bin/", "lib", "usr/")) else 0o644
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def add(folder: pathlib.Path, name: str, layers: list[tuple[bytes, str]], config: dict[str, object]) -> None:
    """Add an image to the layout."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    described = {
        "os": "linux",
        "architecture": machine,
        "config": {"Env": ["PATH=/bin"], **config},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(tar).hexdigest()}" for tar, _ in layers]},
        "history": [{"created_by": step} for _, step in layers] + [{"created_by": "CMD", "empty_layer": True}],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{OCI}.manifest.v1+json",
        "config": blob(folder, json.dumps(described).encode(), f"{OCI}.config.v1+json"),
        "layers": [blob(folder, gzip.compress(tar, 1, mtime=0), f"{OCI}.layer.v1.tar+gzip") for tar, _ in layers],
    }
    attach(folder, blob(folder, json.dumps(manifest).encode(), f"{OCI}.manifest.v1+json"), name)


def blob(folder: pathlib.Path, content: bytes, media_type: str) -> dict[str, object]:
    """Write a blob; return its descriptor."""
    digits = hashlib.sha256(content).hexdigest()
    path = folder / "blobs" / "sha256" / digits
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return {"mediaType": media_type, "digest": f"sha256:{digits}", "size": len(content)}


def attach(folder: pathlib.Path, descriptor: dict[str, object], name: str) -> None:
    """Give a manifest its name in the layout."""
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    path = folder / "index.json"
    index = json.loads(path.read_text()) if path.exists() else {"schemaVersion": 2, "manifests": []}
    index["manifests"].append({**descriptor, "annotations": {"org.opencontainers.image.ref.name": name}})
    path.write_text(json.dumps(index))


if __name__ == "__main__":
    main()
