"""What images leave to whoever runs them: the names of machines."""

import subprocess
import sys
import tarfile
from pathlib import Path

import debian_roots
import pytest
from layouts import Layout, entry, folder, tar

HARDEN = str(Path(sys.executable).with_name("harden"))
SERVE = "busybox httpd -p 127.0.0.1:8080 -h /etc && busybox wget -q -O - http://localhost:8080/motd"


def image(path: Path, *more: tuple[tarfile.TarInfo, bytes]) -> str:
    """Return an image with busybox in it."""
    path.mkdir()
    busybox = (debian_roots.build() / "bin" / "busybox").resolve().read_bytes()
    layer = tar(folder("bin"), entry("bin/busybox", busybox, mode=0o755), folder("etc"), entry("etc/motd", b"it serves\n"), *more)
    layout = Layout(path)
    layout.add(layout.image(layer, config={"Env": ["PATH=/bin"]}))
    return str(path)


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([HARDEN, "run", *words], capture_output=True, text=True, timeout=60, check=False)


def test_localhost_has_a_name(tmp_path: Path) -> None:
    done = run(image(tmp_path / "image"), "busybox", "sh", "-c", SERVE)
    assert done.stdout == "it serves\n", done.stderr


def test_an_image_may_name_machines_itself(tmp_path: Path) -> None:
    made = image(tmp_path / "image", entry("etc/hosts", b"127.0.0.1 localhost mine\n"))
    assert run(made, "busybox", "cat", "/etc/hosts").stdout == "127.0.0.1 localhost mine\n"


def test_a_user_has_the_last_word(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("127.0.0.1 other\n")
    done = run("-v", f"{tmp_path}/hosts:/etc/hosts:ro", image(tmp_path / "image"), "busybox", "cat", "/etc/hosts")
    assert done.stdout == "127.0.0.1 other\n", done.stderr


@pytest.mark.parametrize("path", ["/etc/hosts", "/etc/resolv.conf"])
def test_on_this_machines_network_its_names_count(tmp_path: Path, path: str) -> None:
    if not Path(path).exists():
        pytest.skip(f"kernel: this machine has no {path}")
    done = run("--network", "host", image(tmp_path / "image"), "busybox", "cat", path)
    assert done.stdout == Path(path).read_text(encoding="utf-8"), done.stderr
