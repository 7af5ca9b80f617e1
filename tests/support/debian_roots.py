"""Roots made of Debian's packages: what a program and all it depends on unpack to, as its image would be.

The package manager finds and checks the packages, as if nothing were installed; they are unpacked, never installed: no script of a package
runs. What was built once is kept in a folder beside the temporary ones, whose name says what is in it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

CACHE = Path(tempfile.gettempdir()) / f"harden-programs-{os.getuid()}"
# Every root gets them: a shell and clients for what the program serves.
CLIENTS = "busybox-static"
# What the scripts of the packages would have made. The numbers are Debian's own where it has fixed ones.
FILES = {
    "etc/passwd": """\
root:x:0:0:root:/root:/bin/sh
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
postgres:x:70:70:PostgreSQL:/var/lib/postgresql:/bin/sh
redis:x:71:71:redis:/var/lib/redis:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
""",
    "etc/group": "root:x:0:\nwww-data:x:33:\npostgres:x:70:\nredis:x:71:\nnogroup:x:65534:\n",
    "etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
}
LINKS = {
    "bin/sh": "busybox",
    "var/run": "/run",
    "etc/nginx/sites-enabled/default": "/etc/nginx/sites-available/default",
    "var/www": "/usr/share/nginx",
}
EXCLUDED = [f"--exclude=./usr/share/{name}" for name in ("doc", "locale", "man")]
MERGED = ("bin", "sbin", "lib", "lib64")


def build(*packages: str) -> Path:
    """Return the root with these packages, made now or earlier; skip the test where there is no package manager of Debian's."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        pytest.skip("needs apt-get and dpkg-deb: roots are made of Debian's packages")
    CACHE.mkdir(mode=0o755, exist_ok=True)
    assert (CACHE.stat().st_uid, CACHE.is_symlink()) == (os.getuid(), False), f"{CACHE} is not ours"
    names = [CLIENTS, *packages]
    recipe = Path(__file__).read_bytes() + " ".join(names).encode()
    root = CACHE / f"{packages[-1] if packages else CLIENTS}-{hashlib.sha256(recipe).hexdigest()[:12]}"
    with open(CACHE / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.is_dir():
            with tempfile.TemporaryDirectory(dir=CACHE) as folder:
                made = Path(folder) / "root"
                _unpack(_download(names, Path(folder)), made)
                _complete(made)
                made.rename(root)
    return root


def _download(names: list[str], folder: Path) -> list[Path]:
    archives = folder / "archives"
    (archives / "partial").mkdir(parents=True)
    (folder / "installed").touch()
    options = {
        "Dir::State::status": folder / "installed",
        "Dir::Cache::archives": archives,
        "Debug::NoLocking": 1,
        "APT::Sandbox::User": "root",
    }
    command = ["apt-get", "-q", "-y", "--no-install-recommends", "--download-only"]
    command += [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    done = _run(*command, "install", *names)
    if done.returncode and not os.getuid():
        _run("apt-get", "-q", "update")
        done = _run(*command, "install", *names)
    if done.returncode:
        pytest.skip(f"apt-get cannot download {' '.join(names)}: {done.stdout[-500:]}")
    return sorted(archives.glob("*.deb"))


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def _unpack(packages: list[Path], root: Path) -> None:
    root.mkdir(mode=0o755)
    for name in MERGED:
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    for package in packages:
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as archive:
            unpack = ["tar", "-x", "--keep-directory-symlink", "--no-same-owner", "-C", str(root), *EXCLUDED]
            subprocess.run(unpack, stdin=archive.stdout, check=True)
        assert archive.returncode == 0, package


def _complete(root: Path) -> None:
    for name in ("proc", "sys", "dev", "tmp", "run", "root", "etc", "var"):
        (root / name).mkdir(exist_ok=True)
    for link, target in LINKS.items():
        if (root / link).parent.is_dir() and not (root / link).is_symlink():
            (root / link).symlink_to(target)
    for name, text in FILES.items():
        (root / name).write_text(text)
