"""Mounts by descriptor, on the real kernel, in mount namespaces of their own."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from forked import forked

from hardener.linux import calls, consts, mounting, procfs

T = TypeVar("T")


def apart(function: Callable[[], T]) -> T:
    """Run in a child with a mount namespace of its own."""

    def child() -> T:
        calls.unshare(consts.CLONE_NEWNS)
        mounting.mount("", "/", "", consts.MS_REC | consts.MS_PRIVATE)
        return function()

    return forked(child)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("outside")
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc" / "name").write_text("inside")
    (root / "out").symlink_to("../secret")
    (root / "absolute").symlink_to("/etc/name")
    (root / "loop").symlink_to("loop")
    (root / "magic").symlink_to("/proc/self/root")
    return root


def read_in(root: Path, path: str) -> str:
    root_fd = os.open(root, mounting.O_PATH)
    try:
        fd = mounting.open_in(root_fd, path, os.O_RDONLY)
        with os.fdopen(fd) as file:
            return file.read()
    finally:
        os.close(root_fd)


@pytest.mark.parametrize("path", ["etc/name", "/etc/name", "../../etc/name", "absolute"])
def test_a_path_is_opened_inside_its_root(root: Path, path: str) -> None:
    assert read_in(root, path) == "inside"


@pytest.mark.parametrize(("path", "reason"), [("out", "No such file"), ("loop", "Too many levels"), ("etc/name/x", "Not a directory")])
def test_a_path_that_leads_nowhere_is_named(root: Path, path: str, reason: str) -> None:
    with pytest.raises(OSError, match=rf"openat2\({path}\): {reason}"):
        read_in(root, path)


def test_a_filesystem_is_made_and_attached(tmp_path: Path) -> None:
    def child() -> tuple[str, tuple[str, ...]]:
        tree = mounting.new_filesystem("tmpfs", "scratch", ("size=64k", "mode=700"), attributes=consts.MOUNT_ATTR_NODEV)
        mounting.attach(tree, mounting.open_path(str(tmp_path)), name="scratch")
        found = procfs.parse_mounts(procfs.read("/proc/self/mountinfo"))[-1]
        mounting.unmount(str(tmp_path), consts.MNT_DETACH)
        return found.point, found.options

    point, options = apart(child)
    assert point == str(tmp_path)
    assert "nodev" in options


@pytest.mark.parametrize(
    ("fstype", "options", "message"),
    [
        ("tmpfs", ("siz=1",), r"fsconfig\(tmpfs: siz=1\) \[e tmpfs: Unknown parameter 'siz'\]: Invalid argument"),
        ("nosuchfs", (), r"fsopen\(nosuchfs\): No such device"),
        ("overlay", (), r"fsconfig\(overlay: create\): Invalid argument"),
        ("tmpfs", ("noswap=1",), r"fsconfig\(tmpfs: noswap=1\)"),
        ("tmpfs", ("bare",), r"fsconfig\(tmpfs: bare\)"),
    ],
)
def test_a_filesystem_says_why_not(fstype: str, options: tuple[str, ...], message: str) -> None:
    with pytest.raises(OSError, match=message):
        mounting.new_filesystem(fstype, fstype, options)


def test_a_tree_is_made_read_only(root: Path) -> None:
    def child() -> int:
        tree = mounting.clone_tree(consts.AT_FDCWD, str(root), recursive=True)
        mounting.set_attributes(tree, add=consts.MOUNT_ATTR_RDONLY, recursive=True, name="root")
        try:
            os.open("new", os.O_CREAT | os.O_WRONLY, dir_fd=tree)
        except OSError as error:
            return error.errno or 0
        return 0

    assert apart(child) == 30  # EROFS


def test_the_owner_of_files_is_mapped(root: Path) -> None:
    def child() -> tuple[int, int]:
        pid, _ = calls.clone(consts.CLONE_NEWUSER)
        if pid == 0:
            os.read(hold[0], 1)
            os._exit(0)
        procfs.write(f"/proc/{pid}/uid_map", "0 100000 65536")
        procfs.write(f"/proc/{pid}/gid_map", "0 100000 65536")
        user_fd = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY)
        tree = mounting.clone_tree(os.open(root, mounting.O_PATH))
        mounting.set_attributes(tree, user_fd=user_fd, name="root")
        os.write(hold[1], b"x")
        os.waitpid(pid, 0)
        found = os.stat("etc", dir_fd=tree)
        return found.st_uid, found.st_gid

    hold = os.pipe()
    owner = os.stat(root / "etc")
    assert apart(child) == (owner.st_uid + 100000, owner.st_gid + 100000)


def test_the_root_is_changed(root: Path) -> None:
    def child() -> list[str]:
        tree = mounting.clone_tree(consts.AT_FDCWD, str(root))
        mounting.attach(tree, mounting.open_path("/"), name="root")
        os.fchdir(tree)
        mounting.pivot_root(".", ".")
        mounting.unmount(".", consts.MNT_DETACH)
        os.chdir("/")
        return sorted(os.listdir("/"))

    def uncovered() -> list[str]:
        calls.unshare(consts.CLONE_NEWNS)
        mounting.mount("", "/", "", consts.MS_REC | consts.MS_PRIVATE)
        return child()

    assert forked(uncovered) == ["absolute", "etc", "loop", "magic", "out"]


@pytest.mark.parametrize("path", ["/proc/self", "/tmp"])
def test_a_filesystem_is_told_by_its_number(path: str) -> None:
    fd = mounting.open_path(path)
    assert (mounting.filesystem_type(fd) == consts.PROC_SUPER_MAGIC) == (path == "/proc/self")
    os.close(fd)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mounting.mount("a", "/nonexistent", "tmpfs", 0, "size=1"), r"mount\(tmpfs on /nonexistent\): No such file"),
        (lambda: mounting.unmount("/nonexistent"), r"umount2\(/nonexistent\): No such file"),
        (lambda: mounting.open_path("/nonexistent"), r"open\(/nonexistent\): No such file"),
        (lambda: mounting.clone_tree(consts.AT_FDCWD, "/nonexistent"), r"open_tree\(/nonexistent\): No such file"),
        (lambda: mounting.attach(-1, -1, name="x on y"), r"move_mount\(x on y\): Bad file"),
        (lambda: mounting.set_attributes(-1, add=1, name="x"), r"mount_setattr\(x\): Bad file"),
        (lambda: mounting.pivot_root("/nonexistent", "/"), r"pivot_root\(/nonexistent, /\): No such file"),
        (lambda: mounting.filesystem_type(-1), r"fstatfs: Bad file"),
    ],
)
def test_a_call_that_fails_names_its_object(call: Callable[[], object], message: str) -> None:
    with pytest.raises(OSError, match=message):
        call()
