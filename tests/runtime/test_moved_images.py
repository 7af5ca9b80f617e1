"""Images that come and go as archives: what was saved is what is loaded, here and by others."""

import json
import os
import shutil
import stat
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engines import DockerDaemon
from layouts import OCI, Layout, entry, tar
from lives import Lives
from stored import ARCHITECTURE, BUSYBOX, OTHER, busybox, layout, says

pytestmark = pytest.mark.skipif(not BUSYBOX.exists(), reason="needs busybox-static: an image of one file")
NAME = "example.org/app:v1"


@pytest.fixture
def full(harden: Lives, folder: Path) -> Lives:
    """Return the program with two images in its store, which share a layer."""
    made = layout(folder / "layout", **{NAME: "one", "example.org/app:v2": "two"})
    harden.do("load", "-i", str(made.path))
    return harden


@pytest.fixture
def elsewhere(folder: Path) -> Iterator[Lives]:
    """Return the program with another store, which is empty."""
    lives = Lives(folder / "elsewhere")
    yield lives
    lives.end()


def rows(harden: Lives) -> dict[str, str]:
    """Return the digests of images by their names."""
    found = [json.loads(line) for line in harden.do("images", "--format", "json").splitlines()]
    return {f"{row['Repository']}:{row['Tag']}": row["Digest"] for row in found}


def skopeo(*words: str) -> Any:
    """Run skopeo; return the JSON that it prints, if any."""
    if shutil.which("skopeo") is None:
        pytest.skip("skopeo is not installed")
    done = subprocess.run(["skopeo", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.startswith("{") else None


def diff_ids(archive: Path, number: int = 0) -> list[str]:
    with tarfile.open(archive) as members:

        def document(name: str) -> Any:
            file = members.extractfile(name)
            assert file is not None
            return json.loads(file.read())

        found: list[str] = document(document("manifest.json")[number]["Config"])["rootfs"]["diff_ids"]
        return found


# --- round trips ----------------------------------------------------------------------------------------------------------------


def test_an_oci_archive_keeps_digests(full: Lives, elsewhere: Lives, folder: Path) -> None:
    archive = folder / "two.tar"
    full.do("save", "--format", "oci-archive", "-o", str(archive), NAME, "example.org/app:v2")
    assert elsewhere.do("load", "-i", str(archive)) == f"Loaded image: {NAME}\nLoaded image: example.org/app:v2\n"
    assert rows(elsewhere) == rows(full)
    assert elsewhere.do("run", NAME) == "one\n"
    again = folder / "again.tar"
    elsewhere.do("save", "--format", "oci-archive", "-o", str(again), NAME, "example.org/app:v2")
    assert again.read_bytes() == archive.read_bytes()


def test_a_layout_in_a_folder_keeps_digests(full: Lives, elsewhere: Lives, folder: Path) -> None:
    target = folder / "saved"
    full.do("save", "--format", "oci", "-o", str(target), NAME)
    assert elsewhere.do("load", "-i", str(target)) == f"Loaded image: {NAME}\n"
    assert rows(elsewhere) == {NAME: rows(full)[NAME]}
    assert full.do("run", str(target)) == "one\n"
    taken = full("save", "--format", "oci", "-o", str(target), NAME)
    assert (taken.returncode, "see whether it is there already" in taken.stderr) == (2, True), taken
    assert [path.name for path in folder.glob("*.tmp")] == []
    assert "name it: -o DIR" in full("save", "--format", "oci", NAME).stderr


@pytest.mark.parametrize("pack", [None, "gzip", "zstd"])
def test_a_docker_archive_keeps_what_is_in_the_layers(full: Lives, elsewhere: Lives, folder: Path, pack: str | None) -> None:
    archive = folder / "saved.tar"
    full.do("save", "-o", str(archive), "example.org/app:v2", NAME)
    assert archive.stat().st_mode & 0o777 == 0o600
    given = archive
    if pack:
        subprocess.run([pack, "-q", "-f", "-k", str(archive)], check=True)
        given = next(path for path in folder.glob("saved.tar.*"))
    assert elsewhere.do("load", "-i", str(given)) == f"Loaded image: example.org/app:v2\nLoaded image: {NAME}\n"
    assert elsewhere.do("run", NAME) == "one\n"
    again = folder / "again.tar"
    elsewhere.do("save", "-o", str(again), "example.org/app:v2", NAME)
    assert again.read_bytes() == archive.read_bytes()
    assert diff_ids(archive, 1) == diff_ids(again, 1)


def test_a_pipe_is_as_good_as_a_file(full: Lives, elsewhere: Lives) -> None:
    with full.open("save", NAME, text=False) as sender:
        with elsewhere.open("load", stdin=sender.stdout) as receiver:
            out, err = receiver.communicate(timeout=60)
        sender.communicate(timeout=60)
    assert (sender.returncode, receiver.returncode, out, err) == (0, 0, f"Loaded image: {NAME}\n", "")


def test_an_image_without_a_name_is_loaded_by_its_digest(full: Lives, elsewhere: Lives, folder: Path) -> None:
    digest = rows(full)[NAME]
    archive = folder / "saved.tar"
    full.do("save", "--format", "oci-archive", "-o", str(archive), digest[7:19])
    assert elsewhere.do("load", "-i", str(archive)) == f"Loaded image ID: {digest}\n"
    assert elsewhere.do("run", digest[:19]) == "one\n"
    elsewhere.do("tag", digest[7:19], NAME)
    assert rows(elsewhere) == {NAME: digest}


def test_of_an_index_all_platforms_are_saved_or_one(harden: Lives, elsewhere: Lives, folder: Path) -> None:
    made = Layout(folder / "many")
    manifests = [made.image(says(name), architecture=name) for name in (ARCHITECTURE, OTHER)]
    for manifest, name in zip(manifests, (ARCHITECTURE, OTHER), strict=True):
        manifest["platform"] = {"os": "linux", "architecture": name}
    attested = {**made.document({}, f"{OCI}.manifest.v1+json"), "platform": {"os": "unknown", "architecture": "unknown"}}
    index = {"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": [*manifests, attested]}
    made.add(made.document(index, f"{OCI}.index.v1+json"), NAME)
    harden.do("load", "-i", str(made.path))
    archive = folder / "all.tar"
    harden.do("save", "--format", "oci-archive", "-o", str(archive), NAME)
    elsewhere.do("load", "-i", str(archive))
    assert rows(elsewhere) == rows(harden)
    listed = [json.loads(line)["Platform"] for line in elsewhere.do("images", "--format", "json").splitlines()]
    assert sorted(listed) == sorted([f"linux/{ARCHITECTURE}", f"linux/{OTHER}"])
    elsewhere.do("rmi", NAME)
    elsewhere.do("load", "-i", str(archive), "--platform", f"linux/{OTHER}")
    assert rows(elsewhere) == {NAME: manifests[1]["digest"]}
    docker = folder / "docker.tar"
    harden.do("save", "--platform", f"linux/{OTHER}", "-o", str(docker), NAME)
    elsewhere.do("load", "-i", str(docker))
    assert [json.loads(line)["Platform"] for line in elsewhere.do("images", "--format", "json", "example.org/app").splitlines()] == [
        f"linux/{OTHER}"
    ]


# --- what is refused ------------------------------------------------------------------------------------------------------------


def test_a_store_that_was_damaged_is_not_saved(full: Lives, folder: Path) -> None:
    store = full.folder / "data" / "images" / "blobs" / "sha256"
    layer = max(store.iterdir(), key=lambda path: path.stat().st_size)
    layer.write_bytes(layer.read_bytes()[:-1] + b"x")
    for form in ("docker-archive", "oci-archive", "oci"):
        done = full("save", "--format", form, "-o", str(folder / "saved"), NAME)
        assert (done.returncode, "this is not what its digest and size say" in done.stderr) == (2, True), done
    assert sorted(path.name for path in folder.iterdir() if path.name.startswith("saved")) == []


def _archive(path: Path, **members: bytes) -> None:
    path.write_bytes(tar(*[entry(name.replace("__", "/").replace("_json", ".json"), content) for name, content in members.items()]))


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({}, "it has neither index.json nor manifest.json"),
        ({"manifest_json": b"[]"}, "there is no image in it"),
        ({"manifest_json": b'[{"Config": "../../etc/passwd", "Layers": []}]'}, "the archive has no file"),
        ({"manifest_json": b"{"}, "this is not JSON"),
        ({"index_json": b'{"manifests": []}'}, "there is no image in it"),
        ({"index_json": b"[]"}, "must be an object"),
    ],
)
def test_what_is_no_archive_of_images_is_refused(harden: Lives, folder: Path, members: dict[str, bytes], why: str) -> None:
    _archive(folder / "bad.tar", **members)
    done = harden("load", "-i", str(folder / "bad.tar"))
    assert (done.returncode, why in done.stderr) == (2, True), done


@pytest.mark.parametrize("name", ["../../x:v1", "upper/Case:v1", "a/b@sha256:" + "0" * 64, "a b/c", "-x/y z"])
def test_a_name_that_is_none_is_refused(harden: Lives, folder: Path, name: str) -> None:
    made = Layout(folder / "layout")
    made.add(made.image(says("one"), architecture=ARCHITECTURE), name)
    done = harden("load", "-i", str(made.path))
    assert (done.returncode, "the archive calls an image" in done.stderr) == (2, True), done
    assert rows(harden) == {}


def test_nothing_takes_the_place_of_a_device(full: Lives, folder: Path) -> None:
    null = folder / "null"
    os.mknod(null, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    full.do("save", "-o", str(null), NAME)
    done = full("save", "--format", "oci", "-o", str(null), NAME)
    assert (done.returncode, "Not a directory" in done.stderr) == (2, True)
    assert stat.S_ISCHR(null.stat().st_mode)
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    with (folder / "written").open("w+b") as written:
        with subprocess.Popen(["cat", str(pipe)], stdout=written):
            full.do("save", "-o", str(pipe), NAME)
        written.seek(0)
        with tarfile.open(fileobj=written) as archive:
            assert "manifest.json" in archive.getnames()
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_save_wants_an_image_and_a_place(full: Lives, folder: Path) -> None:
    assert "there is no image 'nothing' here" in full("save", "nothing").stderr
    done = full("save", "-o", str(folder / "no" / "where"), NAME)
    assert (done.returncode, "No such file or directory" in done.stderr) == (2, True)
    assert full("load", "-i", str(folder / "nowhere")).returncode == 2
    assert "is no image layout" in full("load", "-i", str(folder)).stderr


# --- others ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.peer
def test_skopeo_reads_the_store_and_what_is_saved(full: Lives, folder: Path) -> None:
    digest = rows(full)[NAME]
    store = full.folder / "data" / "images"
    assert skopeo("inspect", f"oci:{store}:{NAME}")["Digest"] == digest
    skopeo("copy", "-q", f"oci:{store}:{NAME}", f"oci:{folder}/copied:v1")
    assert full.do("run", f"{folder}/copied:v1") == "one\n"
    for form in ("docker-archive", "oci-archive"):
        full.do("save", "--format", form, "-o", str(folder / form), NAME)
        read = skopeo("inspect", "--config", f"{form}:{folder / form}")
        assert read["config"]["Cmd"] == ["/bin/cat", "/etc/says"]
        skopeo("copy", "-q", f"{form}:{folder / form}", f"dir:{folder}/{form}.dir")  # it verifies each layer


@pytest.mark.peer
def test_archives_of_skopeo_are_loaded(full: Lives, elsewhere: Lives, folder: Path) -> None:
    source = f"oci:{folder}/layout:{NAME}"
    skopeo("copy", "-q", source, f"docker-archive:{folder}/docker.tar:example.org/other:v1")
    skopeo("copy", "-q", source, f"oci-archive:{folder}/oci.tar:example.org/another:v1")
    skopeo("copy", "-q", "--dest-compress-format", "zstd", source, f"oci:{folder}/packed:example.org/packed:v1")
    for path, name in (("docker.tar", "other"), ("oci.tar", "another"), ("packed", "packed")):
        assert elsewhere.do("load", "-i", str(folder / path)) == f"Loaded image: example.org/{name}:v1\n"
        assert elsewhere.do("run", f"example.org/{name}:v1") == "one\n"
    elsewhere.do("save", "-o", str(folder / "plain.tar"), "example.org/packed:v1")
    full.do("save", "-o", str(folder / "first.tar"), NAME)
    assert diff_ids(folder / "plain.tar") == diff_ids(folder / "first.tar")


@pytest.mark.peer
def test_docker_loads_what_is_saved_and_the_other_way_round(full: Lives, elsewhere: Lives) -> None:
    with tempfile.TemporaryDirectory(prefix="engine-") as place, DockerDaemon(Path(place)) as engine:
        ours, theirs = Path(place) / "ours.tar", Path(place) / "theirs.tar"
        full.do("save", "-o", str(ours), NAME)
        loaded = engine.docker("load", content=ours.read_bytes())
        assert f"Loaded image: {NAME}" in loaded.stdout.decode(), loaded
        (inspected,) = json.loads(engine.docker("inspect", NAME).stdout)
        assert inspected["Config"]["Cmd"] == ["/bin/cat", "/etc/says"]
        assert inspected["RootFS"]["Layers"] == diff_ids(ours)
        engine.docker("tag", NAME, "example.org/theirs:v1")
        theirs.write_bytes(engine.docker("save", "example.org/theirs:v1").stdout)
        assert elsewhere.do("load", "-i", str(theirs)) == "Loaded image: example.org/theirs:v1\n"
    assert elsewhere.do("run", "example.org/theirs:v1") == "one\n"


def test_layers_that_two_images_share_are_saved_once(full: Lives, folder: Path) -> None:
    full.do("save", "-o", str(folder / "both.tar"), NAME, "example.org/app:v2")
    with tarfile.open(folder / "both.tar") as members:
        names = members.getnames()
    assert len(names) == len(set(names)) == 3 + 2 + 1  # layers, configurations, manifest.json
    assert len(busybox()) < (folder / "both.tar").stat().st_size < 2 * len(busybox())
