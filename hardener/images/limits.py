"""How much of an image is believed: what a real one never reaches, and what one made to do harm would go beyond."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


class Limits:
    """The most of everything; whatever is beyond it is refused with an error that says so.

    `document`, `total`, `free`: bytes. `ratio`: how many times its own size may come out of a compressed layer, beyond `free` bytes.
    `headers`: bytes of names and attributes of one entry of a tar. `name`, `part`: bytes of a path, and of one name in it. `depth`:
    names in a path. `nesting`: of JSON. `indexes`: of indexes in indexes. `manifests`: in one index. `window`: log2 of the bytes that a
    decompressor of zstd may remember. `memory`: bytes for the paths of an image, estimated: for some 800,000 files.
    """

    __slots__ = (
        *(
            "depth",
            "document",
            "entries",
            "free",
            "headers",
            "indexes",
            "layers",
            "manifests",
            "name",
            "nesting",
            "part",
            "memory",
            "ratio",
        ),
        *("total", "window"),
    )

    def __init__(
        self,
        *,
        document: int = 8 << 20,  # registries take 4 MiB
        nesting: int = 64,
        indexes: int = 4,
        manifests: int = 10_000,
        layers: int = 500,  # as many as an overlay takes
        entries: int = 2_000_000,
        total: int = 64 << 30,
        ratio: int = 200,  # real layers shrink to a third, hardly ever to a hundredth; zeros to a thousandth
        free: int = 256 << 20,
        headers: int = 1 << 20,
        name: int = 4096,
        part: int = 255,
        depth: int = 256,
        window: int = 26,
        memory: int = 84 << 20,
    ) -> None:
        self.document = document
        self.nesting = nesting
        self.indexes = indexes
        self.manifests = manifests
        self.layers = layers
        self.entries = entries
        self.total = total
        self.ratio = ratio
        self.free = free
        self.headers = headers
        self.name = name
        self.part = part
        self.depth = depth
        self.window = window
        self.memory = memory


LIMITS: Final = Limits()
