"""Images in one file: what docker save, skopeo and others write, in any order, from a pipe, and what is made to do harm."""

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from layouts import Layout, entry, folder, link, tar

from hardener.errors import HardenError
from hardener.images import find, platforms, scan
from hardener.images.kept import Kept
from hardener.images.limits import LIMITS, Limits

MACHINE = str(platforms.machine().architecture)
LOWER, UPPER = tar(entry("etc/passwd", b"root"), entry("old", b"1")), tar(entry(".wh.old"), entry("new", b"2"))
Member = tuple[tarfile.TarInfo, bytes]


def config(*layers: bytes, **more: Any) -> bytes:
    diff_ids = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]
    return json.dumps({"os": "linux", "architecture": MACHINE, "rootfs": {"type": "layers", "diff_ids": diff_ids}, **more}).encode()


def saved(**more: Any) -> list[Member]:
    """An image as engines before version 25 save it, its members in the order of Docker 20.10: the manifest last."""
    content = config(LOWER, UPPER, config={"User": "app"})
    name = f"{hashlib.sha256(content).hexdigest()}.json"
    row = {"Config": name, "RepoTags": ["app:v1"], "Layers": ["aa/layer.tar", "bb/layer.tar"], **more}
    return [
        *[folder("aa"), entry("aa/VERSION", b"1.0"), entry("aa/json", b"{}"), entry("aa/layer.tar", LOWER)],
        *[folder("bb"), entry("bb/layer.tar", UPPER), entry(name, content)],
        *[entry("manifest.json", json.dumps([row]).encode()), entry("repositories", b"{}")],
    ]


def layout_members(made: Layout) -> list[Member]:
    files = [path for path in made.path.rglob("*") if path.is_file()]
    return [entry(path.relative_to(made.path).as_posix(), path.read_bytes()) for path in files]


def paths(image_name: str) -> list[str]:
    return [path for path, _ in scan.scan(find.find(image_name), [])]


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(members: list[Member], name: str = "image.tar") -> str:
        path = tmp_path / name
        path.write_bytes(tar(*members))
        return str(path)

    return write


@pytest.mark.parametrize("turned", [False, True], ids=["as docker does", "the other way round"])
@pytest.mark.parametrize("transport", ["", "docker-archive:"])
def test_what_docker_saves(write: Any, turned: bool, transport: str) -> None:
    path = write(saved()[:: -1 if turned else 1])
    for name in ("", ":app:v1", ":docker.io/library/app:v1"):
        image = find.find(f"{transport}{path}{name}")
        assert image.name == f"{transport}{path}{name}"
        assert image.defaults.user == "app"
        assert [layer.descriptor.size for layer in image.layers] == [len(LOWER), len(UPPER)]
        kept = Kept(lambda entry: True)
        view = scan.scan(image, [kept])
        assert [path for path, _ in view] == ["etc", "etc/passwd", "new"]
        assert kept.text(view, "etc/passwd") == b"root"


def test_layers_that_are_links_or_compressed(write: Any) -> None:
    members = [one for one in saved() if one[0].name not in ("aa/layer.tar", "bb/layer.tar")]
    members += [entry("bb/layer.tar", gzip.compress(UPPER, mtime=0)), link("aa/layer.tar", "../cc/layer.tar"), entry("cc/layer.tar", LOWER)]
    image = find.find(write(members))
    assert [layer.descriptor.media_type.rpartition(".")[2] for layer in image.layers] == ["tar", "gzip"]
    assert [path for path, _ in scan.scan(image, [])] == ["etc", "etc/passwd", "new"]


def test_an_image_layout_in_a_tar_and_what_newer_engines_save(write: Any, tmp_path: Path) -> None:
    made = Layout(tmp_path / "layout")
    made.add(made.image(LOWER, UPPER, architecture=MACHINE), "v1")
    path = write(layout_members(made))
    for name in (path, f"oci-archive:{path}", f"{path}:v1", f"oci-archive:{path}:v1"):
        assert paths(name) == ["etc", "etc/passwd", "new"]
    digest = find.find(path).manifest.config.digest.partition(":")[2]
    row = {"Config": f"blobs/sha256/{digest}", "RepoTags": ["app:v1"], "Layers": []}
    both = write([*layout_members(made), entry("manifest.json", json.dumps([row]).encode())], "both.tar")
    for name in (both, f"docker-archive:{both}", f"oci-archive:{both}", f"{both}:v1"):
        assert paths(name) == ["etc", "etc/passwd", "new"]
    row["Config"] = f"blobs/sha256/{'0' * 64}"
    two = write([*layout_members(made), entry("manifest.json", json.dumps([row]).encode())], "two.tar")
    with pytest.raises(HardenError, match=r"index\.json and manifest\.json are about different images"):
        find.find(two)


def test_names_that_containerd_writes(write: Any, tmp_path: Path) -> None:
    made = Layout(tmp_path / "layout")
    for user in ("one", "two"):
        descriptor = made.image(architecture=MACHINE, config={"User": user})
        descriptor["annotations"] = {
            "io.containerd.image.name": f"docker.io/library/{user}:v1",
            "org.opencontainers.image.ref.name": "v1",
        }
        made.manifests.append(descriptor)
    made.write()
    path = write(layout_members(made))
    assert find.find(f"{path}:two:v1").defaults.user == "two"


def test_several_images_in_one_archive(write: Any) -> None:
    members = saved()
    rows = json.loads(members[-2][1])
    rows.append({**rows[0], "RepoTags": ["other:v2"]})
    members[-2] = entry("manifest.json", json.dumps(rows).encode())
    path = write(members)
    assert find.find(f"{path}:other:v2").defaults.user == "app"
    with pytest.raises(HardenError, match="the archive has 2 images") as error:
        find.find(path)
    assert f"name one: {path}:app:v1 (app:v1, other:v2)" in error.value.how
    with pytest.raises(HardenError, match="the archive has no image 'app:v3'"):
        find.find(f"{path}:app:v3")


def test_from_a_pipe_and_compressed(write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Path(write(saved()))
    packed = tmp_path / "image.tar.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert paths(str(packed)) == ["etc", "etc/passwd", "new"]
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cp", str(plain), str(pipe)]):
        assert paths(f"docker-archive:{pipe}") == ["etc", "etc/passwd", "new"]
    before = os.dup(0)
    try:
        for name in ("-", "docker-archive:-", "docker-archive:-:app:v1"):
            reading = os.open(plain, os.O_RDONLY)
            os.dup2(reading, 0)
            os.close(reading)
            assert paths(name) == ["etc", "etc/passwd", "new"]
    finally:
        os.dup2(before, 0)
        os.close(before)
    monkeypatch.setattr(LIMITS, "total", 1000)
    with pytest.raises(HardenError, match="the archive is larger than"):
        find.find(str(packed))


@pytest.mark.peer
@pytest.mark.skipif(shutil.which("skopeo") is None, reason="needs skopeo")
def test_what_skopeo_writes(tmp_path: Path) -> None:
    made = Layout(tmp_path / "layout")
    made.add(made.image(LOWER, UPPER, architecture=MACHINE), "v1")
    for transport, name in (("oci-archive", "oci.tar:v1"), ("docker-archive", "docker.tar:app:v1")):
        target = f"{transport}:{tmp_path}/{name}"
        command = ["skopeo", "--insecure-policy", "copy", "-q", f"oci:{made.path}:v1", target]
        subprocess.run(command, check=True, capture_output=True)
        assert paths(target) == ["etc", "etc/passwd", "new"]
        assert paths(f"{tmp_path}/{name.partition(':')[0]}") == ["etc", "etc/passwd", "new"]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([*saved(), entry("manifest.json", b"[]")], r"'manifest.json' is in the archive twice"),
        ([*saved(), link("aa/layer.tar", "x")], "'aa/layer.tar' is in the archive twice"),
        (saved(Layers=["../aa/layer.tar", "bb/layer.tar"]), r"the archive has no file '../aa/layer.tar'"),
        (saved(Layers=["/etc/passwd", "bb/layer.tar"]), "the archive has no file '/etc/passwd'"),
        (saved(Layers=["aa/layer.tar"]), "1 layers, but 2 digests"),
        (saved(Layers=["aa/layer.tar"] * 3), "3 layers, but 2 digests"),
        (saved(Layers="aa/layer.tar"), "this is no list of images"),
        (saved(Config=None), "this is no list of images"),
        (saved(Config="aa/json"), "rootfs is missing"),
        (saved(Config="nowhere.json"), r"the archive has no file 'nowhere.json'"),
        ([*saved(Layers=["x", "bb/layer.tar"]), link("x", "../../etc/passwd")], "'x' leads out of the archive"),
        ([*saved(Layers=["x", "bb/layer.tar"]), link("x", "/etc/passwd")], "the archive has no file 'x'"),
        ([*saved(Layers=["x", "bb/layer.tar"]), link("x", "x")], "the archive has no file 'x'"),
        ([*saved(Layers=["x", "bb/layer.tar"]), entry("x", type=tarfile.CHRTYPE)], "the archive has no file 'x'"),
        ([*saved(Config="0" * 64 + ".json"), entry("0" * 64 + ".json", config(LOWER, UPPER))], "is not what its name says"),
        ([*saved(Config="x"), entry("x", b"[" * 100_000)], "nested too deeply"),
        ([*saved(Config="x"), entry("x", b" " * (9 << 20))], "is larger than 8388608 bytes"),
        ([entry("../manifest.json", b"[]")], "would lie outside"),
        ([entry("x")], r"it has no index.json or manifest.json"),
        ([], r"it has no index.json or manifest.json"),
    ],
)
def test_archives_that_are_refused(write: Any, members: list[Member], message: str) -> None:
    with pytest.raises(HardenError, match=message):
        find.find(write(members))


def test_a_layer_of_an_archive_that_is_another(write: Any) -> None:
    members = [entry("aa/layer.tar", UPPER) if info.name == "aa/layer.tar" else (info, content) for info, content in saved()]
    with pytest.raises(HardenError, match="this is not what its digest and size say"):
        scan.scan(find.find(write(members)), [])


def test_archives_that_are_none(tmp_path: Path, write: Any) -> None:
    with pytest.raises(HardenError, match="there is no such file"):
        find.find("docker-archive:/nowhere")
    with pytest.raises(HardenError, match="this is neither a file nor a pipe"):
        find.find("docker-archive:/dev/null")
    with pytest.raises(HardenError, match=r"it has no index.json"):
        find.find(f"oci-archive:{write(saved())}")
    text = tmp_path / "text"
    text.write_text("no tar at all" * 100)
    with pytest.raises(HardenError, match="the archive is no tar"):
        find.find(str(text))
    cut = tmp_path / "cut"
    cut.write_bytes(Path(write(saved())).read_bytes()[:5000])
    with pytest.raises(HardenError, match=r"unexpected end of data|no index.json"):
        scan.scan(find.find(str(cut)), [])


def test_a_large_member_is_not_read_to_get_past_it(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    with path.open("wb") as file:
        out = io.BytesIO()
        info = tarfile.TarInfo("large")
        info.size = 8 << 30
        out.write(info.tobuf(tarfile.GNU_FORMAT))
        file.write(out.getvalue())
        file.seek(8 << 30, os.SEEK_CUR)
        file.write(tar(*saved()))
    assert paths(str(path)) == ["etc", "etc/passwd", "new"]


def test_a_folder_as_an_image(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc" / "passwd").write_text("root:x:0:0::/root:/bin/sh\n")
    (root / "etc" / "again").hardlink_to(root / "etc" / "passwd")
    (root / "sh").symlink_to("/etc/passwd")
    (root / "large").write_bytes(b"x" * (9 << 20))
    os.mkfifo(root / "pipe")
    os.setxattr(root / "etc" / "passwd", "user.a", b"b")
    kept = Kept(lambda entry: entry.name.startswith("etc/"))
    image = find.find(f"rootfs:{root}")
    view = scan.scan(image, [kept])
    assert [(path, found.entry.kind) for path, found in view] == [
        ("etc", "folder"),
        ("etc/again", "file"),
        ("etc/passwd", "hardlink"),
        ("large", "file"),
        ("pipe", "fifo"),
        ("sh", "symlink"),
    ]
    assert kept.text(view, "sh") == kept.text(view, "etc/again") == b"root:x:0:0::/root:/bin/sh\n"
    again = view.find("etc/again")
    assert again is not None
    assert again.entry.xattrs == {"user.a": b"b"}
    assert any("nothing verifies" in note for note in view.notes)
    with pytest.raises(HardenError, match="this is no folder"):
        find.find("rootfs:/nowhere")
    with pytest.raises(HardenError, match="a folder has no layers to copy"):
        image.source.open(image.layers[0].descriptor)


def test_a_folder_that_changes_or_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "file").write_text("content")
    image = find.find(f"rootfs:{root}")
    real = os.stat

    def failing(number: int) -> Any:
        def stat(path: Any, **more: Any) -> os.stat_result:
            if path == "file":
                raise OSError(number, os.strerror(number))
            return real(path, **more)

        return stat

    monkeypatch.setattr(os, "stat", failing(13))
    assert any("may not be read" in note for note in scan.scan(image, []).notes)
    monkeypatch.setattr(os, "stat", failing(2))
    assert len(scan.scan(image, [])) == 0
    monkeypatch.setattr(os, "stat", failing(5))
    with pytest.raises(HardenError, match="'file' cannot be read: Input/output error"):
        scan.scan(image, [])
    monkeypatch.setattr(os, "stat", real)
    monkeypatch.setattr(os, "read", lambda *_: b"")
    with pytest.raises(HardenError, match="becomes shorter while it is read"):
        scan.scan(image, [Kept(lambda entry: True)])
    with pytest.raises(HardenError, match="more than 0 entries"):
        scan.scan(image, [], Limits(entries=0))
