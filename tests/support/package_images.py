"""Images of a few files, and what is installed in them."""

from collections.abc import Mapping
from pathlib import Path

from layouts import Layout, entry, link, tar

from hardener.images import layout
from hardener.images.packages.model import Owned, Package
from hardener.images.packages.scanner import PackageScanner
from hardener.images.scan import scan
from hardener.images.view import View


class Scanned:
    """What a scanner found in an image of layers: files by path; `path*` is a program; None deletes; `=PATH` is a hard link."""

    def __init__(self, folder: Path, *layers: Mapping[str, bytes | str | None]) -> None:
        made = Layout(folder / "layout")
        made.add(made.image(*(_layer(files) for files in layers)))
        self.scanner = PackageScanner()
        self.image = layout.read(str(made.path))
        self.view: View = scan(self.image, [self.scanner])

    @property
    def packages(self) -> tuple[Package, ...]:
        """All packages."""
        return self.scanner.packages(self.view)

    @property
    def owned(self) -> Owned:
        """What packages own."""
        return self.scanner.owned(self.view)

    @property
    def names(self) -> list[str]:
        """Kind, name and version of each."""
        return [f"{one.kind} {one.name} {one.version}" for one in self.packages]

    def one(self, name: str) -> Package:
        """Return the only one of a name."""
        (found,) = [one for one in self.packages if one.name == name]
        return found


def _layer(files: Mapping[str, bytes | str | None]) -> bytes:
    entries = []
    for path, content in files.items():
        if content is None:
            folder, _, name = path.rpartition("/")
            entries.append(entry(f"{folder}/.wh.{name}" if folder else f".wh.{name}"))
        elif isinstance(content, str) and content.startswith("="):
            entries.append(link(path, content[1:], hard=True))
        else:
            mode = 0o755 if path.endswith("*") else 0o644
            entries.append(entry(path.rstrip("*"), content.encode() if isinstance(content, str) else content, mode=mode))
    return tar(*entries)
