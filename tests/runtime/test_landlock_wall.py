"""Landlock as a wall of its own: it holds where a mount would not, and lets through what programs do."""

import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from forked import forked
from launching import PYTHON, Result, config, launch

from hardener.errors import HardenError
from hardener.linux import landlock as kernel
from hardener.oci.runtime import Spec
from hardener.runtime import landlock, mounts

SH = ("/bin/sh", "-c")
needs_it = pytest.mark.skipif(kernel.version() < landlock.RENAMES_SINCE, reason="kernel: Landlock is missing, or too old")
needs_scopes = pytest.mark.skipif(kernel.version() < kernel.SCOPES_SINCE, reason="kernel: Landlock is missing, or too old for scopes")


def writable(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Bind /srv (writable) and /ro (read-only)."""
    for name, mode in (("srv", "rw"), ("ro", "ro")):
        (folder / name).mkdir()
        (folder / name).chmod(0o777)
        bind = {"destination": f"/{name}", "type": "bind", "source": str(folder / name), "options": ["rbind", mode]}
        document["mounts"].append(bind)
    return document


def without_readonly_mounts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let mounts be writable although they should not be: as if something had taken that wall down."""
    real = mounts._set_flags

    def lax(tree: int, entry: mounts.Entry) -> None:
        attributes = entry.options.attributes
        entry.options.attributes = 0
        real(tree, entry)
        entry.options.attributes = attributes

    monkeypatch.setattr(mounts, "_set_flags", lax)


@needs_it
def test_it_holds_where_a_mount_does_not(root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_readonly_mounts(monkeypatch)
    script = "echo x >/ro/file; mkdir /ro/folder; echo x >/srv/file && mkdir /srv/folder && cat /srv/file"
    result = launch(writable(config(root, *SH, script), folder), folder)
    assert result.out == "x\n"
    assert list((folder / "ro").iterdir()) == []
    assert result.err.count("Permission denied") == 2
    shutil_free = [path.name for path in (folder / "srv").iterdir()]
    assert sorted(shutil_free) == ["file", "folder"]


@needs_it
def test_without_it_such_a_mount_is_written_to(root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_readonly_mounts(monkeypatch)
    document = writable(config(root, *SH, "echo x >/ro/file", annotations={"dev.hardener.landlock": "off"}), folder)
    assert launch(document, folder).code == 0
    assert (folder / "ro" / "file").exists()


USES = """
set -e
mkdir /srv/a /srv/b; echo x >/srv/a/f; mv /srv/a/f /srv/b/f; ln /srv/b/f /srv/a/g; mv /srv/a /srv/b/a
: >/srv/b/f; ln -s f /srv/b/s; mkfifo /srv/b/p; rm -r /srv/b
echo x >/tmp/f; echo 500 >/proc/self/oom_score_adj; echo name >/proc/self/comm
echo x >/dev/null; echo out >>/dev/stdout; echo err >>/dev/stderr; echo fd >>/proc/self/fd/1
(echo pipe | cat); sleep 5 & kill $!
"""


@needs_it
def test_what_programs_do_still_works(root: Path, folder: Path) -> None:
    document = writable(config(root, *SH, USES), folder)

    def open_to_all() -> None:
        for path in folder.glob("*.0"):
            path.chmod(0o666)

    result = launch(document, folder, before=open_to_all)
    assert (result.code, result.out, result.err) == (0, "out\nfd\npipe\n", "err\n")


@needs_it
def test_sockets_and_shared_memory_still_work(root: Path, folder: Path) -> None:
    code = """
import os, socket, multiprocessing.shared_memory as m
for family, address in ((socket.AF_UNIX, "/tmp/s"), (socket.AF_UNIX, "\\0abstract"), (socket.AF_INET, ("127.0.0.1", 0))):
    server = socket.socket(family); server.bind(address); server.listen()
    client = socket.socket(family); client.connect(server.getsockname()); server.accept()[0].send(b"x"); assert client.recv(1) == b"x"
block = m.SharedMemory(create=True, size=4096); block.buf[0] = 1; block.close(); block.unlink()
pid = os.fork()
if pid == 0:
    os.execv("/bin/true", ["true"])
assert os.waitpid(pid, 0)[1] == 0
print("done")
"""
    result = launch(config(root, f"{sys.base_prefix}/bin/python3", "-I", "-c", code), folder)
    assert result.out == "done\n", result


def host(root: Path, folder: Path, code: str, *kept: str, **changes: Any) -> Result:
    kinds = [kind for kind in ("user", "mount", "pid", "network", "ipc", "uts", "cgroup") if kind not in kept]
    namespaces = [{"type": kind} for kind in kinds]
    document = config(root, f"{PYTHON}/bin/python3", "-I", "-S", "-c", code, linux__namespaces=namespaces, **changes)
    return launch(document, folder)


@needs_scopes
def test_abstract_sockets_of_this_machine_are_out_of_reach(root: Path, folder: Path) -> None:
    name = f"harden-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0{name}")
        server.listen()
        code = f"import _socket; _socket.socket(1).connect(b'\\0{name}'); print('reached')"
        assert "Operation not permitted" in host(root, folder, code, "network").err
        off = {"dev.hardener.landlock": "off"}
        assert host(root, folder, code, "network", annotations=off).out == "reached\n"


def lines(**changes: Any) -> list[str]:
    spec = Spec.parse(config("/root", "prog", **changes))
    return landlock.plan(spec, mounts.plan(spec, "/bundle")).lines()


def test_when_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "version", lambda: 6)
    assert lines() == ["writing beneath /dev/pts /dev/shm /dev/mqueue /tmp"]
    assert lines(annotations={"dev.hardener.landlock": "off"}) == ["off: not wanted"]
    assert lines(process__noNewPrivileges=False) == ["off: no_new_privs is off"]
    assert lines(process__capabilities={"bounding": ["CAP_SYS_ADMIN"]}) == ["off: the container may mount (CAP_SYS_ADMIN)"]
    namespaces = [{"type": kind} for kind in ("user", "mount", "uts")]
    assert lines(linux__namespaces=namespaces)[1] == "abstract sockets and signals of the container alone"
    assert lines(root__readonly=False)[0].startswith("writing beneath / ")
    with pytest.raises(HardenError, match="'maybe' is nothing that Landlock can be"):
        lines(annotations={"dev.hardener.landlock": "maybe"})
    for version, message in ((0, "this kernel has none"), (1, "forbid to rename")):
        monkeypatch.setattr(kernel, "version", lambda version=version: version)
        assert message in lines()[0]
        with pytest.raises(HardenError, match=f"there can be no Landlock: .*{message}"):
            lines(annotations={"dev.hardener.landlock": "required"})


@needs_it
def test_streams_that_are_closed_or_in_memory() -> None:
    spec = Spec.parse(config("/root", "prog"))
    spec.mounts[0].destination = "/no/such/place"
    plan = landlock.plan(spec, mounts.plan(spec, "/"))

    def child() -> bool:
        os.close(0)
        os.dup2(os.memfd_create("stream"), 1)
        landlock.prepare(plan)
        return plan.ruleset > 2

    assert forked(child)
