"""Small images that can be run, in a layout: busybox below, and what a test asks for above."""

from pathlib import Path
from typing import Any

from layouts import Layout, entry, folder, link, tar

from hardener.images import platforms

BUSYBOX = Path("/bin/busybox")
PROGRAMS = ("sh", "cat", "ls", "id", "sleep", "true", "touch")
ARCHITECTURE = str(platforms.machine().architecture)
OTHER = "arm64" if ARCHITECTURE != "arm64" else "amd64"


def busybox() -> bytes:
    """Return a layer with busybox."""
    links = [link(f"bin/{name}", "busybox") for name in PROGRAMS]
    passwd = entry("etc/passwd", b"root:x:0:0::/:/bin/sh\nweb:x:5:6::/srv:/bin/sh\n")
    return tar(folder("bin"), entry("bin/busybox", BUSYBOX.read_bytes(), mode=0o755), *links, folder("etc"), passwd, folder("srv"))


def says(words: str) -> bytes:
    """Return a layer with a file that says something: what `cat /etc/says` prints."""
    return tar(entry("etc/says", f"{words}\n".encode()))


def layout(path: Path, **images: str) -> Layout:
    """Return a layout with images by their names, each of which says its words when it is run."""
    made = Layout(path)
    config: dict[str, Any] = {"Cmd": ["/bin/cat", "/etc/says"], "Env": ["PATH=/bin"]}
    for name, words in images.items():
        made.add(made.image(busybox(), says(words), architecture=ARCHITECTURE, config=config), name)
    return made
