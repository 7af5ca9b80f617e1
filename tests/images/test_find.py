"""Images by the names that people type: what lies here, then the store, then a registry."""

from pathlib import Path

import pytest
from layouts import Layout, entry, tar

from hardener.errors import HardenError
from hardener.images import find, platforms, registry
from hardener.oci.image import Descriptor

MACHINE = str(platforms.machine().architecture)
OTHER = "arm64" if MACHINE == "amd64" else "amd64"


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.chdir(tmp_path)
    return Layout(tmp_path / "layout")


@pytest.mark.parametrize("name", ["layout", "layout:v1", "oci:layout", "oci:layout:v1", "./layout:v1"])
def test_image_layouts(made: Layout, name: str) -> None:
    made.add(made.image(tar(entry("a")), architecture=MACHINE), "v1")
    image = find.find(name)
    assert (image.name, image.reference, len(image.layers)) == (name, None, 1)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("oci:nowhere", "this is no image layout"),
        ("oci:", "this is no image layout"),
        ("oci-archive:nowhere", "there is no such file"),
        ("./nowhere", "there is no image './nowhere'"),
        ("/nowhere", "there is no image '/nowhere'"),
        ("Nginx", "there is no image 'Nginx'"),
        ("docker://Nginx", "this is no name of an image"),
        ("oci-archiv:x/Y", "did you mean 'oci-archive'"),
        ("", "there is no image ''"),
        ("nowhere.tar", "an image that is called so would be docker://nowhere.tar"),
        ("docker-deamon:app", "did you mean 'docker-daemon'? An image would be docker://docker-deamon:app"),
        ("https://nowhere.example/app", "without http:// or https://"),
        ("./", "this folder is no image layout"),
        ("docker-archive:.", "this is a folder, not an archive"),
    ],
)
def test_names_of_nothing(made: Layout, name: str, message: str) -> None:
    assert made.path.exists()
    with pytest.raises(HardenError) as error:
        find.find(name)
    assert message in str(error.value)


def test_the_store_comes_before_the_registry(made: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Layout(tmp_path / "data" / "images")
    store.add(store.image(architecture=MACHINE, config={"User": "stored"}), "docker.io/library/app:v1")
    (store.path / "index.json").chmod(0o600)
    made.add(made.image(architecture=OTHER, config={"User": "fetched"}))

    class Remote:
        """A registry that has one image."""

        where = "registry"

        def __init__(self) -> None:
            [self.row] = made.manifests

        def top(self) -> Descriptor:
            return Descriptor.parse(self.row)

        def read(self, descriptor: Descriptor) -> bytes:
            return (made.path / "blobs" / "sha256" / descriptor.digest.partition(":")[2]).read_bytes()

        def path(self, _: Descriptor) -> str:
            return ""

    monkeypatch.setattr(registry, "source", lambda *_: Remote())
    data = str(tmp_path / "data")
    for name in ("app:v1", "docker.io/library/app:v1"):
        image = find.find(name, data=data)
        assert image.defaults.user == "stored"
        assert image.reference is not None
        assert (image.reference.repository, image.reference.tag) == ("library/app", "v1")
    for image in (
        find.find("app:v1"),
        find.find("app:v2", data=data),
        find.find("docker://app:v1", data=data),
        find.find("app:v1", data=data, platform=OTHER),
        find.find("docker:27", data=data),
    ):
        assert image.defaults.user == "fetched"
    with pytest.raises(HardenError, match=f"there is no image for linux/{MACHINE}"):
        find.find("app:v2", data=data, platform=MACHINE)
