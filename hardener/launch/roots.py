"""What a container sees as its root: a folder, the layers of an image, or this machine itself with what is private hidden."""

from __future__ import annotations

import posix

from hardener.errors import HardenError, suggest
from hardener.launch import private
from hardener.launch.base import QUIET
from hardener.linux import mounting
from hardener.oci.runtime import Mount
from hardener.runtime import users

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from hardener.launch.request import Request
    from hardener.runtime.places import Places

HOST: Final = "host"


class Root:
    """The root of a container, before any flag: folders (lowest first), and what an image says of its program."""

    __slots__ = (
        *("command", "entrypoint", "environment", "layers", "map_root", "masked", "mounts", "stop_signal", "user", "volumes"),
        "working_directory",
    )

    def __init__(self, *layers: str) -> None:
        self.layers = layers
        self.map_root = True
        self.mounts: tuple[Mount, ...] = ()
        self.masked: tuple[str, ...] = ()
        self.entrypoint: tuple[str, ...] = ()
        self.command: tuple[str, ...] = ()
        self.environment: tuple[str, ...] = ()
        self.user = ""
        self.working_directory = "/"
        self.stop_signal = ""
        self.volumes: tuple[str, ...] = ()

    def database(self, path: str) -> str:
        """Return the text of a file like /etc/passwd, from the highest layer that has one; '' when none has."""
        for layer in reversed(self.layers):
            try:
                root_fd = mounting.open_path(layer)
            except FileNotFoundError:
                raise HardenError("the root filesystem does not exist", where=layer, how="give --rootfs a folder that is there") from None
            try:
                if text := users.database(root_fd, path):
                    return text
            finally:
                posix.close(root_fd)
        return ""


def find(request: Request, places: Places) -> Root:
    """Return the root that a request names."""
    if request.rootfs:
        return Root(request.root)
    if request.root == HOST:
        return _host()
    return _image(request, places)


def _host() -> Root:
    root = Root("/")
    # The root user inside must not be the owner of what root alone may read on this machine.
    root.map_root = False
    folders, files = private.find()
    root.mounts = (
        *[Mount(destination=path, type="tmpfs", source="hidden", options=(*QUIET, "ro", "mode=755", "size=1m")) for path in folders],
        *[
            Mount(destination=path, type="bind", source=path, options=("rbind", "ro", "nosuid", "nodev"))
            for path in ("/usr",)
            if _is_mount(path)
        ],
    )
    root.masked = tuple(files)
    return root


def _is_mount(path: str) -> bool:
    return posix.stat(path).st_dev != posix.stat("/").st_dev


def _image(request: Request, places: Places) -> Root:
    how = suggest(request.root, [HOST]) or "harden run --rootfs DIR for a folder; `host` is this machine's own root"
    raise HardenError(f"{request.root!r} is not a root filesystem", where="harden run", how=how)
