"""Images are found by name and platform, and nothing about them is believed."""

import os
from pathlib import Path
from typing import Any

import pytest
from layouts import OCI, Layout, entry, tar

from hardener.errors import HardenError
from hardener.images import layout, platforms
from hardener.oci.image import Platform, names

HERE = platforms.machine()
OTHER = "arm64" if HERE.architecture == "amd64" else "amd64"


@pytest.fixture
def made(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


def ours(made: Layout, *layers: bytes, **more: Any) -> dict[str, Any]:
    return made.image(*layers, architecture=str(HERE.architecture), **more)


def test_what_an_image_says_of_itself(made: Layout) -> None:
    config: dict[str, Any] = {
        "User": "app:app",
        "Env": ["A=1"],
        "Entrypoint": ["/entry"],
        "Cmd": None,
        "WorkingDir": "/srv",
        "Labels": {"a": "b"},
        "StopSignal": "SIGQUIT",
        "Volumes": {"/data": {}},
        "ExposedPorts": {"80/tcp": {}},
    }
    made.add(ours(made, tar(entry("a")), config=config), "1.0")
    image = layout.read(str(made.path))
    found = image.defaults
    assert (found.user, found.env, found.entrypoint, found.cmd, found.working_dir) == ("app:app", ("A=1",), ("/entry",), (), "/srv")
    assert (found.labels, found.stop_signal, names(found.volumes), names(found.exposed_ports)) == (
        {"a": "b"},
        "SIGQUIT",
        ("/data",),
        ("80/tcp",),
    )
    assert len(image.layers) == 1
    assert layout.is_layout(str(made.path))
    assert not layout.is_layout("/nowhere")


def test_an_image_is_chosen_by_name_and_platform(made: Layout) -> None:
    one, two = ours(made, config={"User": "one"}), ours(made, config={"User": "two"})
    foreign = made.image(architecture=OTHER, config={"User": "foreign"})
    attestation = made.document(
        {"config": {}, "layers": []}, f"{OCI}.manifest.v1+json", platform={"os": "unknown", "architecture": "unknown"}
    )
    inner = [{**two, "platform": HERE.dump()}, {**foreign, "platform": {"os": "linux", "architecture": OTHER}}, attestation]
    made.add(one, "one")
    made.add(made.document({"manifests": inner}, f"{OCI}.index.v1+json"), "registry.example/two:v2")
    where = str(made.path)
    assert layout.read(where, "one").defaults.user == "one"
    for name in ("v2", "registry.example/two:v2"):
        assert layout.read(where, name).defaults.user == "two"
    with pytest.raises(HardenError, match="several images") as error:
        layout.read(where)
    assert f"name one: {where}:one (one, registry.example/two:v2)" in error.value.how
    with pytest.raises(HardenError, match="the layout has no image 'oen'"):
        layout.read(where, "oen")
    with pytest.raises(HardenError, match=f"there is no image for linux/{OTHER}"):
        layout.read(where, "one", f"linux/{OTHER}")
    assert layout.read(where, "v2", OTHER).defaults.user == "foreign"


def test_the_only_image_is_taken_whatever_it_is_for(made: Layout) -> None:
    made.add(made.image(architecture=OTHER))
    image = layout.read(str(made.path))
    assert image.platform.architecture == OTHER
    with pytest.raises(HardenError, match=f"the image is for linux/{OTHER}, and this machine is") as error:
        platforms.check_runs_here(image.platform)
    assert "binfmt_misc" in error.value.how


@pytest.mark.parametrize(
    ("text", "shown"),
    [("linux/amd64", "linux/amd64"), ("aarch64", "linux/arm64"), ("linux/arm/v7", "linux/arm/v7"), ("armhf", "linux/arm/v7")],
)
def test_platforms_as_they_are_written(text: str, shown: str) -> None:
    assert platforms.show(platforms.parse(text)) == shown


@pytest.mark.parametrize("text", ["windows/amd64", "linux", "a/b/c/d", "linux/", ""])
def test_a_platform_that_is_none(text: str) -> None:
    with pytest.raises(HardenError, match=r"is not a platform|do not run here"):
        platforms.parse(text)


def test_a_variant_that_is_not_said_is_no_difference() -> None:
    def arm(variant: str | None) -> Platform:
        return Platform(os="linux", architecture="arm", variant=variant)

    assert platforms.matches(arm("v7"), arm(None))
    assert platforms.matches(arm(None), arm("v6"))
    assert not platforms.matches(arm("v7"), arm("v6"))


def damage(made: Layout, what: str) -> None:
    layer = tar(entry("a"))
    good = ours(made, layer)
    blobs = made.path / "blobs" / "sha256"
    changed: dict[str, Any] = {}
    match what:
        case "version":
            (made.path / "oci-layout").write_text('{"imageLayoutVersion": "2.0.0"}')
        case "digest":
            changed = {"digest": "sha256:../../../../etc/passwd"}
        case "missing":
            changed = {"digest": f"sha256:{'0' * 64}"}
        case "size":
            changed = {"size": good["size"] - 1}
        case "content":
            path = blobs / good["digest"].removeprefix("sha256:")
            path.write_bytes(path.read_bytes().replace(b'"schemaVersion": 2', b'"schemaVersion": 3'))
        case "type":
            changed = {"mediaType": "text/plain"}
        case "schema 1":
            changed = {"mediaType": "application/vnd.docker.distribution.manifest.v1+prettyjws"}
        case "two meanings":
            changed = ours(made, layer, manifests=[])
        case "another type":
            changed = ours(made, layer, mediaType=f"{OCI}.index.v1+json")
        case "artifact":
            changed = made.document(
                {"config": made.document({}, "application/vnd.cncf.helm.config.v1+json"), "layers": []}, f"{OCI}.manifest.v1+json"
            )
        case "layers":
            changed = ours(made, layer, layers=[])
        case "foreign":
            changed = ours(made, layer, layers=[made.blob(layer, f"{OCI}.layer.nondistributable.v1.tar")])
        case "layer type":
            changed = ours(made, layer, layers=[made.blob(layer, "application/zip")])
        case "many":
            changed = ours(made, *[b""] * 501)
        case "deep":
            changed = good
            for _ in range(6):
                changed = made.document({"manifests": [changed]}, f"{OCI}.index.v1+json")
        case "json":
            changed = made.blob(b"[" * 100_000, f"{OCI}.manifest.v1+json")
        case "binary":
            changed = made.blob(b"\xff\xfe", f"{OCI}.manifest.v1+json")
        case "large":
            changed = made.blob(b" " * (9 << 20), f"{OCI}.manifest.v1+json")
        case "list":
            changed = made.document([], f"{OCI}.manifest.v1+json")
        case "pipe":
            (made.path / "index.json").unlink()
            os.mkfifo(made.path / "index.json")
            return
        case "device":
            (made.path / "index.json").unlink()
            (made.path / "index.json").symlink_to("/dev/zero")
            return
        case "empty":
            made.write()
            return
    made.add({**good, **changed})


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("version", "image layouts of version '2.0.0' are unknown"),
        ("digest", "is not a digest"),
        ("missing", "it cannot be read: No such file"),
        ("size", "not what its digest and size say"),
        ("content", "not what its digest and size say"),
        ("type", "unknown type of manifest 'text/plain'"),
        ("schema 1", "schema 1 are not read"),
        ("two meanings", "says that it is something else"),
        ("another type", "says that it is something else"),
        ("artifact", "no image of a container but 'application/vnd.cncf.helm"),
        ("layers", "0 layers, but 1 digests"),
        ("foreign", "a layer lies at a foreign address"),
        ("layer type", "unknown type of layer 'application/zip'"),
        ("many", "the image has 501 layers"),
        ("deep", "nested too deeply"),
        ("json", "this JSON is nested too deeply"),
        ("binary", "this is not JSON"),
        ("large", "this is larger than"),
        ("list", "the document must be an object"),
        ("pipe", "this is not a regular file"),
        ("device", "this is not a regular file"),
        ("empty", "there is no image for"),
    ],
)
def test_a_layout_that_is_refused(made: Layout, what: str, message: str) -> None:
    damage(made, what)
    with pytest.raises(HardenError, match=message):
        layout.read(str(made.path))


def test_what_a_hostile_layout_points_at_is_not_shown(made: Layout, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("root:$6$secret")
    (made.path / "index.json").unlink()
    (made.path / "index.json").symlink_to(secret)
    with pytest.raises(HardenError) as error:
        layout.read(str(made.path))
    assert "secret" not in str(error.value).replace(str(secret), "")
