"""Containers of the layers of an image layout, as root and as an ordinary user."""

import os
from pathlib import Path

import pytest
from forked import forked
from launching import config, launch
from layouts import Layout, entry, tar
from layouts import folder as directory

from hardener.images import layout, platforms
from hardener.launch import unpacked
from hardener.linux import calls, consts
from hardener.runtime.job import Rootfs

BELOW = tar(directory("etc"), entry("etc/gone"), entry("etc/who", b"below\n", uid=33, gid=33), directory("old"), entry("old/file"))
ABOVE = tar(
    entry("etc/.wh.gone"), entry("etc/who", b"above\n", uid=33, gid=33), directory("old"), entry("old/.wh..wh..opq"), entry("old/new")
)
LOOK = "cat /etc/who; stat -c %u:%g /etc/who; ls /etc /old; touch /etc/new"


@pytest.mark.parametrize("uid", [0, 4321])
def test_a_container_of_layers(folder: Path, uid: int) -> None:
    made = Layout(folder / "layout")
    made.add(made.image(BELOW, ABOVE, architecture=str(platforms.machine().architecture)))
    cache = folder / "cache"
    cache.mkdir(0o700)
    os.chown(cache, uid, uid)

    def unpack() -> tuple[str, ...]:
        if uid:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            calls.prctl(consts.PR_SET_DUMPABLE, 1)
        return unpacked.layers(layout.read(str(made.path)), str(cache))

    layers = forked(unpack)
    assert forked(unpack) == layers
    document = config("/nowhere", "/bin/sh", "-c", LOOK)
    if uid:
        maps = [{"containerID": 0, "hostID": uid, "size": 1}]
        document["linux"].update(uidMappings=maps, gidMappings=maps, resources={})
        document["mounts"] = [mount for mount in document["mounts"] if mount["destination"] in ("/proc", "/usr", "/bin", "/lib", "/lib64")]
    result = launch(document, folder, rootfs=Rootfs(layers=layers), uid=uid)
    owner = "0:0" if uid else "33:33"
    assert result.out == f"above\n{owner}\n/etc:\nwho\n\n/old:\nnew\n", result
    assert "Read-only file system" in result.err
