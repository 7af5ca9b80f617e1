"""The root of layers, and what becomes of what is written to it."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from launching import Running, config, launch

from hardener.linux import calls, consts, mounting
from hardener.oci.runtime import Spec
from hardener.runtime import layers, mounts
from hardener.runtime.job import Rootfs

SH = ("/bin/sh", "-c")


def layer(folder: Path, name: str, **files: str) -> str:
    path = folder / name
    path.mkdir()
    for file, text in files.items():
        target = path / file.replace("__", "/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return str(path)


def over(folder: Path, script: str, *below: str, **rootfs: Any) -> Any:
    held = {name: ["CAP_CHOWN", "CAP_FOWNER"] for name in ("bounding", "effective", "permitted")}
    document = config("/nowhere", *SH, script, root__readonly=not ("upper" in rootfs or "keep" in rootfs), process__capabilities=held)
    return launch(document, folder, rootfs=Rootfs(layers=below, **rootfs))


def test_layers_lie_over_one_another(folder: Path) -> None:
    names = [layer(folder, name, **{name.strip(":,\\ "): name, "etc__who": name}) for name in ("a:b", "b,c", "c\\d", "top")]
    result = over(folder, "cat /etc/who; stat -c %u /etc/who; ls -A / | grep -c .; echo x >/etc/new; touch /new", *names)
    assert result.out.startswith("top0\n"), result
    assert result.err.count("Read-only file system") == 2
    assert {path.name for path in (folder / "top").iterdir()} == {"top", "etc"}


def test_as_many_layers_as_the_kernel_takes(folder: Path) -> None:
    names = [layer(folder, f"layer{number}", **{f"file{number}": ""}) for number in range(300)]
    assert over(folder, "ls -A / | grep -c ^file", *names).out == "300\n"
    assert "has 501 layers" in over(folder, "true", *["/x"] * 501).error


def test_a_whiteout_of_an_overlay_hides(folder: Path) -> None:
    low, high = layer(folder, "low", gone="", stays=""), layer(folder, "high")
    os.mknod(f"{high}/gone", 0o020000, 0)
    assert over(folder, "cd /; ls gone stays", low, high).out == "stays\n"


def test_what_is_written_is_gone(folder: Path) -> None:
    low = layer(folder, "low", file="old")
    script = "echo new >/file; echo x >/more; cat /file; dd if=/dev/zero of=/big bs=64k count=40 2>&1"
    result = over(folder, script, low, upper="1m")
    assert result.out.startswith("new\n")
    assert "No space left" in result.out
    assert (folder / "low" / "file").read_text() == "old"
    assert [path.name for path in (folder / "low").iterdir()] == ["file"]


def test_what_is_written_is_kept(folder: Path) -> None:
    low = layer(folder, "low", file="old", other="other")
    kept = folder / "kept"
    result = over(folder, "echo new >/file; rm /other; mkdir /d; chown 7:8 /d; chmod 1755 /", low, keep=str(kept))
    assert (result.code, result.error) == (0, ""), result
    assert (kept / "upper" / "file").read_text() == "new\n"
    found = (kept / "upper" / "d").stat()
    assert (found.st_uid, found.st_gid, kept.stat().st_mode & 0o777) == (7, 8, 0o700)  # not ids of this machine's containers
    result = over(folder, "cat /file; ls /other; stat -c %u:%g /d; stat -c %a /", low, keep=str(kept))
    assert (result.out, "/other" in result.err) == ("new\n7:8\n1755\n", True)


def test_a_folder_that_cannot_take_what_is_kept(folder: Path) -> None:
    low = layer(folder, "low")
    (folder / "open").mkdir(mode=0o755)
    (folder / "file").write_text("")
    for name, message in (
        ("open", "others could reach what is kept"),
        ("no/where", "cannot be kept: No such file"),
        ("file", "cannot be kept: Not a directory"),
    ):
        assert message in over(folder, "true", low, keep=str(folder / name)).error
    assert "both be kept and be dropped" in over(folder, "true", low, keep="/x", upper="1m").error


def test_one_container_at_a_time_writes_to_what_is_kept(folder: Path) -> None:
    low, kept = layer(folder, "low"), str(folder / "kept")
    document = config("/nowhere", *SH, "echo up; exec sleep 60", root__readonly=False)
    running = Running(document, folder, rootfs=Rootfs(layers=(low,), keep=kept))
    running.until("up")
    assert "another container is writing to it" in over(folder, "true", low, keep=kept).error
    os.kill(running.pid, 15)
    assert running.end() == 143
    assert over(folder, "true", low, keep=kept).code == 0


@pytest.mark.parametrize("fstype", ["ext4", "tmpfs"])
def test_layers_of_an_ordinary_user(folder: Path, fstype: str) -> None:
    low, high = layer(folder, "low", file="low", old="x"), layer(folder, "high", file="high")
    subprocess.run(["chown", "-R", "4321:4321", low, high], check=True)
    maps = [{"containerID": 0, "hostID": 4321, "size": 1}]
    script = "cat /file; stat -c %u /file; echo new >/old; cat /old"
    document = config(
        "/nowhere", *SH, script, linux__uidMappings=maps, linux__gidMappings=maps, linux__resources=None, root__readonly=False
    )
    document["mounts"] = [mount for mount in document["mounts"] if mount["destination"] in ("/proc", "/usr", "/bin", "/lib", "/lib64")]
    rootfs = Rootfs(layers=(low, high), **({"upper": "1m"} if fstype == "tmpfs" else {"keep": str(folder / "kept")}))
    result = launch(document, folder, rootfs=rootfs, uid=4321)
    assert result.out == "high0\nnew\n", result
    if fstype == "ext4":
        assert (folder / "kept" / "upper" / "old").read_text() == "new\n"


# --- mounts that begin with what the image has -----------------------------------------------------------------------------------


def image(folder: Path) -> str:
    low = Path(layer(folder, "low", data__file="content", data__deep__more="more"))
    (low / "data" / "link").symlink_to("/etc/shadow")
    (low / "data" / "out").symlink_to("../../../../etc")
    os.mkfifo(low / "data" / "pipe")
    os.mknod(low / "data" / "disk", 0o060600, os.makedev(8, 0))
    os.chown(low / "data" / "deep", 33, 34)
    (low / "data" / "deep").chmod(0o2755)
    (low / "data").chmod(0o711)
    return str(low)


LOOK = "cd /data; stat -c '%a %u:%g' . deep; cat file deep/more; readlink link out; ls | tr '\\n' ' '; echo y >new && echo; cat new"
SEEN = "711 0:0\n2755 33:34\ncontentmore/etc/shadow\n../../../../etc\ndeep file link out \ny\n"


def mounted(folder: Path, script: str, low: str, mount: Mapping[str, object], **rootfs: Any) -> Any:
    document = config("/nowhere", *SH, script)
    document["mounts"].append({"destination": "/data", **mount})
    return launch(document, folder, rootfs=Rootfs(layers=(low,), **rootfs))


def test_a_tmpfs_begins_with_what_the_image_has(folder: Path) -> None:
    low = image(folder)
    tmpfs = {"type": "tmpfs", "options": ["nosuid", "nodev", "size=1m", "tmpcopyup"]}
    result = mounted(folder, LOOK, low, tmpfs)
    assert result.out == SEEN, result
    assert not (Path(low) / "data" / "new").exists()
    plain = {"type": "tmpfs", "options": ["size=1m", "mode=700", "ro"]}
    result = mounted(folder, "stat -c %a /data; cat /data/file; touch /data/x", low, plain, copy_up=("/data/",))
    assert result.out == "700\ncontent"
    assert "Read-only" in result.err


def test_what_does_not_fit_into_a_tmpfs(folder: Path) -> None:
    low = image(folder)
    (Path(low) / "data" / "file").write_bytes(bytes(100_000))
    result = mounted(folder, "true", low, {"type": "tmpfs", "options": ["size=64k", "tmpcopyup"]})
    assert (result.code, "what the image has in /data does not fit" in result.error) == (125, True)


@pytest.mark.parametrize("readonly", [False, True])
def test_an_empty_volume_is_filled(folder: Path, readonly: bool) -> None:
    low = image(folder)
    volume = folder / "volume"
    volume.mkdir()
    bind = {"type": "bind", "source": str(volume), "options": ["rbind", "ro" if readonly else "rw"]}
    result = mounted(folder, LOOK, low, bind, copy_up=("/data",))
    assert result.out == (SEEN if not readonly else SEEN.removesuffix("\ny\n")), result
    assert (volume / "deep").stat().st_uid == 33
    assert mounted(folder, "cat /data/file", low, bind, copy_up=("/data",)).out == "content"
    (volume / "file").write_text("mine")
    assert mounted(folder, "cat /data/file", low, bind, copy_up=("/data",)).out == "mine"


@pytest.mark.parametrize(
    ("mount", "copied", "message"),
    [
        ({"type": "tmpfs"}, "/other", "nothing is mounted on /other"),
        ({"type": "mqueue"}, "/data", "a mount of mqueue cannot begin with"),
        ({"type": "overlay", "options": ["lowerdir=a"]}, "", "an overlay is made of lowerdir="),
        ({"type": "overlay", "options": ["lowerdir=/a", "upperdir=/b"]}, "", "an overlay is made of lowerdir="),
        ({"type": "overlay", "options": ["lowerdir=/no/where"]}, "", "the image of /data does not exist"),
    ],
)
def test_a_mount_that_cannot_be_filled(folder: Path, mount: Mapping[str, object], copied: str, message: str) -> None:
    assert message in mounted(folder, "true", layer(folder, "low"), mount, copy_up=(copied,) if copied else ()).error


# --- images as mounts -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [("one",), ("low", "top"), ("a:b", "b,c", "one")])
def test_an_image_is_mounted(folder: Path, names: tuple[str, ...]) -> None:
    below = [layer(folder, name, file=name) for name in names]
    options = ["ro", "lowerdir=" + ":".join(name.replace(":", "\\:") for name in reversed(below))]
    result = mounted(
        folder, "cat /data/file; stat -c %u /data/file; touch /data/x", layer(folder, "root"), {"type": "overlay", "options": options}
    )
    assert result.out == f"{names[-1]}0\n", result
    assert "Read-only" in result.err


# --- plans, and kernels that can do less ------------------------------------------------------------------------------------------


def test_a_root_is_described() -> None:
    def lines(readonly: bool = False, **rootfs: Any) -> list[str]:
        spec = Spec.parse(config("/root", "true", root__readonly=readonly))
        return mounts.plan(spec, "/", Rootfs(**rootfs)).lines()[:2]

    assert lines(True)[0] == "root /root (read-only)"
    assert lines(upper="64m")[0] == "root /root (writable, writes go to 64m of memory)"
    assert lines(keep="/kept")[0] == "root /root (writable, writes are kept in /kept)"
    assert lines(True, layers=("/low", "/top")) == ["root /top (read-only)", "over /low"]
    spec = Spec.parse(config("/root", "true"))
    spec.mounts[0].destination, spec.mounts[0].type = "/data", "tmpfs"
    assert "/data tmpfs, filled from the image" in mounts.plan(spec, "/", Rootfs(copy_up=("/data",))).lines()


@pytest.mark.parametrize(("release", "old"), [("5.18.0-1-amd64", True), ("5.19.0", False), ("6.1.0-56-amd64", False), ("4.19", True)])
def test_kernels_that_put_no_overlay_over_mapped_ids(monkeypatch: pytest.MonkeyPatch, release: str, old: bool) -> None:
    monkeypatch.setattr(layers, "posix", SimpleNamespace(uname=lambda: SimpleNamespace(release=release)))
    assert layers.is_old() is old


def test_on_such_a_kernel_the_files_belong_to_nobody(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "is_old", lambda: True)
    result = over(folder, "cat /file; stat -c %u /file", layer(folder, "low", file="low"), layer(folder, "high"))
    assert result.out == "low65534\n"
    assert result.notices[0].startswith("the files of /")


def test_a_filesystem_that_cannot_map_ids_keeps_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = mounting.set_attributes

    def refusing(fd: int, **options: Any) -> None:
        if options.get("user_fd") is not None and "keep" in options["name"]:
            raise OSError(22, "mount_setattr: Invalid argument")
        real(fd, **options)

    monkeypatch.setattr(mounting, "set_attributes", refusing)
    result = over(folder, "true", layer(folder, "low"), keep=str(folder / "kept"))
    assert "what is written cannot be kept there" in result.error


@pytest.mark.parametrize(("mode", "said"), [("ro", "Read-only file system"), ("rw", "")])
def test_what_is_mounted_below_a_volume_is_as_the_volume(root: Path, folder: Path, mode: str, said: str) -> None:
    (folder / "srv" / "sub").mkdir(parents=True)

    def mount_below() -> None:
        calls.unshare(consts.CLONE_NEWNS)
        mounting.mount("", "/", "", consts.MS_REC | consts.MS_PRIVATE)
        mounting.mount("sub", str(folder / "srv" / "sub"), "tmpfs", 0, "mode=777")

    document = config(root, *SH, "touch /srv/sub/x; grep -o ' /srv/sub .*nosuid,nodev' /proc/self/mountinfo | grep -c .")
    document["mounts"].append({"destination": "/srv", "type": "bind", "source": str(folder / "srv"), "options": ["rbind", mode]})
    result = launch(document, folder, before=mount_below)
    assert (result.out, said in result.err, bool(result.err)) == ("1\n", True, bool(said)), result
