"""What a container sees as its root: a folder, the layers of an image, or this machine itself with what is private hidden."""

from __future__ import annotations

import posix

from hardener import launch
from hardener.errors import HardenError
from hardener.launch import private
from hardener.launch.base import QUIET
from hardener.linux import mounting
from hardener.oci.runtime import Mount
from hardener.runtime import users

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from hardener.launch.provenance import Provenance
    from hardener.launch.request import Request
    from hardener.oci.image import Defaults
    from hardener.runtime.places import Places

HOST: Final = "host"


class Root:
    """The root of a container, before any flag: folders (lowest first), and what an image says of its program."""

    __slots__ = (
        *("command", "entrypoint", "environment", "health", "image_digest", "labels", "layers", "map_root", "masked", "mounts"),
        *("shell", "stop_signal", "user", "volumes", "working_directory"),
    )

    def __init__(self, *layers: str) -> None:
        self.layers = layers
        self.image_digest = ""  # of an image of the store: of its index, where it has one
        self.map_root = True
        self.mounts: tuple[Mount, ...] = ()
        self.masked: tuple[str, ...] = ()
        self.entrypoint: tuple[str, ...] = ()
        self.command: tuple[str, ...] = ()
        self.environment: tuple[str, ...] = ()
        self.labels: dict[str, str] = {}
        self.user = ""
        self.working_directory = "/"
        self.stop_signal = ""
        self.health: object = None  # as the image writes it
        self.shell: tuple[str, ...] = ()
        self.volumes: tuple[str, ...] = ()

    def database(self, path: str) -> str:
        """Return the text of a file like /etc/passwd, from the highest layer that has one; '' when none has."""
        for layer in reversed(self.layers):
            try:
                root_fd = mounting.open_path(layer)
            except FileNotFoundError:
                raise HardenError("the root filesystem does not exist", where=layer, how="give --rootfs a folder that is there") from None
            try:
                if _is_removed(layer, path):
                    return ""
                if text := users.database(root_fd, path):
                    return text
            finally:
                posix.close(root_fd)
        return ""


def _is_removed(layer: str, path: str) -> bool:
    """Tell whether a layer has a whiteout for a path: a device 0:0. Source: docs.kernel.org/filesystems/overlayfs.html."""
    try:
        found = posix.lstat(f"{layer}{path}")
    except OSError:
        return False
    return found.st_mode & 0o170000 == 0o020000 and found.st_rdev == 0


def find(request: Request, places: Places, provenance: Provenance | None = None) -> Root:
    """Return the root that a request names; `provenance` is what a policy asks of images."""
    if request.platform and (request.rootfs or request.root == HOST):
        _check_platform(request.platform)
    if request.rootfs:
        return Root(request.root)
    if request.root == HOST:
        return _host()
    return _image(request, places, provenance)


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


def _image(request: Request, places: Places, provenance: Provenance | None) -> Root:
    from hardener.launch import images

    found = images.find(request.root, places, platform=request.platform or "", pull=request.pull, provenance=provenance)
    made = Root(*found.layers)
    made.image_digest = found.digest
    _default(made, found.defaults)
    made.mounts = _name_files(request.network, made)
    return made


def _default(root: Root, said: Defaults) -> None:
    from hardener.oci.image import names

    root.entrypoint, root.command, root.environment = said.entrypoint, said.cmd, said.env
    root.user, root.working_directory, root.stop_signal = said.user or "", said.working_dir or "/", said.stop_signal or ""
    root.labels = dict(said.labels or {})
    root.volumes = names(said.volumes)
    root.health, root.shell = said.healthcheck, said.shell


def _name_files(network: str | None, root: Root) -> tuple[Mount, ...]:
    """Return what gives machines their names inside, which images leave to whoever runs them: without it there is no localhost."""
    if network == "host":
        sources = {path: path for path in ("/etc/hosts", "/etc/resolv.conf") if posix.access(path, posix.F_OK)}
    else:
        sources = {} if root.database("/etc/hosts").strip() else {"/etc/hosts": f"{launch.__path__[0]}/hosts"}
    return tuple(
        [Mount(destination=path, type="bind", source=source, options=("bind", "ro", "noidmap", *QUIET)) for path, source in sources.items()]
    )


def _check_platform(platform: str) -> None:
    """Refuse programs of another kind of machine than this one, where the root says nothing of what it is for."""
    from hardener.images import platforms

    wanted = platforms.parse(platform)
    if not platforms.matches(wanted, platforms.machine()):
        platforms.check_runs_here(wanted)
