"""Every command for images on the images of a sample project, from Debian's registry: as the README shows it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from registries import DebianRegistry

SAMPLE = Path(__file__).parents[2] / "sample-projects" / "image-layers"
REF_NAME = "org.opencontainers.image.ref.name"


class World:
    """A registry with both images of the sample project; the fixed one is signed."""

    def __init__(self, folder: Path, registry: DebianRegistry) -> None:
        self.folder = folder
        self.host = registry.host
        self.python("layout.py", "images")
        self.python("sign.py", "images", "fixed", "cosign")
        index = json.loads((folder / "images" / "index.json").read_text())
        names = [one["annotations"][REF_NAME] for one in index["manifests"]]
        self.digests = {name: registry.push(folder / "images", f"status:{name}", name) for name in names}
        (folder / "p.yaml").write_text(
            "name: ours\nextends: default\nimages:\n"
            f"  allowed-registries: ['{self.host}/status']\n"
            f"  require-signature: [{{registry: '{self.host}', key: cosign.pub}}]\n"
        )

    def python(self, script: str, *words: str) -> None:
        subprocess.run([sys.executable, "-B", str(SAMPLE / script), *words], cwd=self.folder, check=True)

    def harden(self, *words: str) -> subprocess.CompletedProcess[str]:
        given = [word.replace("REGISTRY", self.host) for word in words]
        return subprocess.run([sys.executable, "-m", "hardener", *given], cwd=self.folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with DebianRegistry(tmp_path_factory.mktemp("registry")) as registry:
        yield World(tmp_path_factory.mktemp("images"), registry)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("image secrets REGISTRY/status:naive", 1, "srv/app/.env"),
        ("image secrets REGISTRY/status:fixed", 0, ""),
        ("image lint REGISTRY/status:naive", 1, "HI101"),
        ("image lint REGISTRY/status:fixed", 0, ""),
        ("image layers REGISTRY/status:naive", 0, "RUN rm /srv/app/.env"),
        ("image diff REGISTRY/status:naive REGISTRY/status:fixed", 0, "User 10001:10001"),
        ("image sbom REGISTRY/status:fixed", 0, '"CycloneDX"'),
        ("image verify --key cosign.pub REGISTRY/status:fixed", 0, "verified: REGISTRY/status@sha256:"),
        ("image verify --key cosign.pub REGISTRY/status:naive", 1, "there is no signature"),
        ("run REGISTRY/status:fixed", 0, "I am 10001, and I see status.sh\nand I cannot write there"),
        ("run --policy p.yaml REGISTRY/status:fixed", 0, "I am 10001"),
        ("run --policy p.yaml REGISTRY/status:naive", 125, ""),
        ("run --policy p.yaml debian:12", 125, ""),
    ],
)
def test_a_command_does_what_the_readme_says(world: World, words: str, code: int, said: str) -> None:
    result = world.harden(*words.split())
    assert result.returncode == code, result.stdout + result.stderr
    assert said.replace("REGISTRY", world.host) in result.stdout


def test_what_was_pulled_is_listed_and_started(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARDENER_ROOT", str(tmp_path / "home"))
    pulled = world.harden("pull", "REGISTRY/status:fixed")
    assert pulled.stdout.startswith(f"Digest: {world.digests['fixed']}\nStatus: Downloaded newer image"), pulled.stderr
    assert f"{world.host}/status" in world.harden("images").stdout
    assert world.harden("run", "--pull", "never", "REGISTRY/status:fixed").returncode == 0
