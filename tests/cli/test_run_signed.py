"""`harden run` under a policy with `images:`: what is not allowed, pinned or signed does not start, and nothing of it is unpacked."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import signing
from layouts import OCI, Layout, entry, tar
from registries import TinyRegistry
from signing import Signer

from hardener.images import platforms

SIGNER = Signer()
MACHINE = str(platforms.machine().architecture)


class World:
    """A registry with an image, a policy, and a home for what is pulled and remembered."""

    def __init__(self, folder: Path, registry: TinyRegistry) -> None:
        self.folder = folder
        self.registry = registry
        self.asked: list[str] = []
        self.layout = Layout(folder / "layout")
        self.digest = ""
        SIGNER.write(folder / "cosign.pub")
        self.push(b"first\n")

    def push(self, content: bytes) -> str:
        """Make `acme/web:1` an image with some content; return its digest."""
        self.layout.manifests.clear()
        self.layout.add(self.layout.image(tar(entry("etc/motd", content)), architecture=MACHINE, config={"Cmd": ["/motd"]}), "v1")
        self.digest = self.registry.push(self.layout.path, "acme/web:1", "v1")
        return self.digest

    def sign(self, signer: Signer = SIGNER, reference: str = "") -> None:
        """Sign it."""
        signing.sign(self.layout, self.layout.manifests[0], signer, reference)
        tag = signing.cosign_tag(self.digest)
        self.registry.push(self.layout.path, f"acme/web:{tag}", tag)

    @property
    def name(self) -> str:
        return f"{self.registry.host}/acme/web:1"

    def policy(self, body: str) -> None:
        """Write the policy."""
        (self.folder / "p.yaml").write_text(f"name: p\nextends: default\nimages: {body}\n")

    def run(self, image: str = "", *options: str, without: str = "") -> subprocess.CompletedProcess[str]:
        """Run an image as far as it takes to see whether it may."""
        start = f"import sys; sys.modules[{without!r}] = None; from hardener.cli import start; start()"
        command = [sys.executable, "-c", start, "run", "--policy", "p.yaml", "--print-spec", *options, image or self.name]
        environment = {**os.environ, "HARDENER_ROOT": str(self.folder / "home")}
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)

    def harden(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command."""
        environment = {**os.environ, "HARDENER_ROOT": str(self.folder / "home")}
        return subprocess.run(
            [sys.executable, "-m", "hardener", *words], cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )

    @property
    def unpacked(self) -> list[str]:
        folder = self.folder / "home" / "cache" / "layers"
        return [name for name in os.listdir(folder) if not name.startswith(".")] if folder.exists() else []


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made: list[World] = []

    def note(request: BaseHTTPRequestHandler) -> bool:
        for one in made:
            one.asked.append(f"{request.command} {request.path}")
        return False

    os.chmod(tmp_path, 0o755)
    with TinyRegistry(trouble=note) as registry:
        made.append(World(tmp_path, registry))
        made[0].policy(f"{{require-signature: [{{registry: '{registry.host}/acme/*', key: cosign.pub}}]}}")
        made[0].asked.clear()
        yield made[0]


def test_what_is_signed_starts_and_is_looked_up_once(world: World) -> None:
    world.sign(reference=f"{world.registry.host}/acme/web")
    first = world.run()
    assert first.returncode == 0, first.stderr
    assert len(world.unpacked) == 1
    world.asked.clear()
    second = world.run(without="cryptography")  # what was found is remembered: neither network nor cryptography
    assert second.returncode == 0, second.stderr
    assert world.asked == []


def test_what_is_not_signed_does_not_start(world: World) -> None:
    result = world.run()
    assert result.returncode == 125
    assert "the policy p wants" in result.stderr
    assert "to be signed, and it is not: there is no signature" in result.stderr
    assert f"at: {world.folder}/p.yaml:3:30" in result.stderr
    assert world.unpacked == []


@pytest.mark.parametrize(
    ("signer", "reference", "problem"),
    [(Signer(), "", "none of the keys has made it"), (SIGNER, "evil.example.org/acme/web", "another repository")],
)
def test_what_is_signed_otherwise_does_not_start(world: World, signer: Signer, reference: str, problem: str) -> None:
    world.sign(signer, reference)
    result = world.run()
    assert result.returncode == 125
    assert problem in result.stderr
    assert world.unpacked == []


def test_a_signature_of_what_the_tag_was_does_not_cover_what_it_is(world: World) -> None:
    world.sign()
    assert world.run().returncode == 0
    world.push(b"second\n")
    assert world.run().returncode == 0  # what is here is what was signed
    result = world.run("", "--pull", "always")
    assert result.returncode == 125
    assert "there is no signature" in result.stderr
    assert len(world.unpacked) == 1


def test_without_a_network_a_stored_image_starts_only_when_it_was_verified(world: World) -> None:
    world.sign()
    world.harden("pull", world.name)
    world.registry.__exit__(None, None, None)
    refused = world.run()
    assert refused.returncode == 125
    assert world.unpacked == []


def test_verifying_by_hand_lets_it_start_later(world: World) -> None:
    world.sign()
    world.harden("pull", world.name)
    assert world.harden("image", "verify", "--key", "cosign.pub", world.name).returncode == 0
    world.asked.clear()
    assert world.run().returncode == 0
    assert world.asked == []


def test_without_cryptography_nothing_starts(world: World) -> None:
    world.sign()
    result = world.run(without="cryptography")
    assert result.returncode == 125
    assert "pip install 'hardener[verify]'" in result.stderr
    assert world.unpacked == []


def test_a_group_of_its_own_makes_no_difference(world: World) -> None:
    world.sign()
    before = os.umask(0o002)
    try:
        assert world.run().returncode == 0
    finally:
        os.umask(before)


def test_what_others_can_write_is_not_believed(world: World) -> None:
    world.sign()
    assert world.run().returncode == 0
    (record,) = (world.folder / "home/data/images/verified").iterdir()
    record.chmod(0o666)
    result = world.run(without="cryptography")
    assert result.returncode == 125


def test_a_folder_that_others_can_write_is_not_believed(world: World) -> None:
    world.sign()
    assert world.run().returncode == 0
    (world.folder / "home/data/images/verified").chmod(0o777)
    result = world.run(without="cryptography")
    assert result.returncode == 125
    assert "others" in result.stderr


def test_another_key_than_the_one_that_was_remembered_is_asked_for(world: World) -> None:
    world.sign()
    assert world.run().returncode == 0
    Signer().write(world.folder / "cosign.pub")
    result = world.run()
    assert result.returncode == 125
    assert "none of the keys has made it" in result.stderr


def test_every_entry_that_is_about_it_has_to_hold(world: World) -> None:
    Signer().write(world.folder / "other.pub")
    host = world.registry.host
    world.policy(f"{{require-signature: [{{registry: '*', key: cosign.pub}}, {{registry: '{host}', key: other.pub}}]}}")
    world.sign()
    result = world.run()
    assert result.returncode == 125
    assert "none of the keys has made it" in result.stderr
    world.policy(f"{{require-signature: [{{registry: '*', key: cosign.pub}}, {{registry: '{host}', key: [other.pub, cosign.pub]}}]}}")
    assert world.run().returncode == 0


def test_an_index_that_is_signed_covers_the_image_for_this_machine(world: World) -> None:
    image: dict[str, Any] = {**world.layout.manifests[0], "platform": {"os": "linux", "architecture": MACHINE}}
    image.pop("annotations")
    index = world.layout.document({"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": [image]}, f"{OCI}.index.v1+json")
    world.layout.manifests.clear()
    world.layout.add(index, "v1")
    world.digest = world.registry.push(world.layout.path, "acme/web:1", "v1")
    world.sign()
    result = world.run()
    assert result.returncode == 0, result.stderr
    assert world.run(without="cryptography").returncode == 0


def test_what_is_not_allowed_is_not_even_fetched(world: World) -> None:
    world.policy("{allowed-registries: [ghcr.io/acme/*]}")
    result = world.run()
    assert result.returncode == 125
    assert "the policy p refuses it" in result.stderr
    assert "images from ghcr.io/acme/* only" in result.stderr
    assert world.asked == []


def test_a_tag_is_no_digest(world: World) -> None:
    world.policy("{require-digest: true}")
    result = world.run()
    assert result.returncode == 125
    assert "has no digest" in result.stderr
    assert world.asked == []
    assert world.run(f"{world.registry.host}/acme/web@{world.digest}").returncode == 0


def test_the_beginning_of_a_digest_does_not_say_where_an_image_is_from(world: World) -> None:
    world.harden("pull", world.name)
    result = world.run(world.digest.removeprefix("sha256:")[:12])
    assert result.returncode == 125
    assert "has to know where an image is from" in result.stderr


@pytest.mark.parametrize("pattern", ["oci:*", "*"])
def test_a_layout_starts_when_an_entry_is_about_it_and_it_is_signed(world: World, pattern: str) -> None:
    refused = world.run("./layout:v1")
    assert refused.returncode == 125
    assert "which no entry is about" in refused.stderr
    world.policy(f"{{require-signature: [{{registry: '{pattern}', key: cosign.pub}}]}}")
    unsigned = world.run("./layout:v1")
    assert unsigned.returncode == 125
    assert "there is no signature" in unsigned.stderr
    assert world.unpacked == []
    signing.sign_with_bundle(world.layout, world.layout.manifests[0], SIGNER)
    assert world.run("./layout:v1").returncode == 0
    assert world.run("./layout:v1", without="cryptography").returncode == 0


def test_images_that_are_mounted_are_images(world: World) -> None:
    world.policy("{allowed-registries: [ghcr.io/acme/*]}")
    result = world.run("host", "--entrypoint", "true", "--mount", f"type=image,source={world.name},target=/mnt")
    assert result.returncode == 125
    assert "images from ghcr.io/acme/* only" in result.stderr
    assert world.asked == []


def test_what_is_no_image_is_not_asked_for_a_signature(world: World) -> None:
    assert world.run("host", "--entrypoint", "true", without="cryptography").returncode == 0


def test_a_digest_counts_as_from_where_its_image_is_from(world: World) -> None:
    world.policy(f"{{allowed-registries: ['{world.registry.host}/acme/*']}}")
    other = Layout(world.folder / "other")
    other.add(other.image(tar(entry("x")), architecture=MACHINE, config={"Cmd": ["/x"]}), "evil:1")
    assert world.harden("load", "-i", str(other.path)).returncode == 0
    name = f"{world.registry.host}/acme/web@{other.manifests[0]['digest']}"
    refused = world.run(name)
    assert (refused.returncode, "the registry does not have it" in refused.stderr) == (125, True), refused
    refused = world.run(name, "--pull", "never")
    assert (refused.returncode, "there is no image" in refused.stderr) == (125, True), refused
    world.registry.push(other.path, "acme/web:2", "evil:1")  # and now it is from there
    assert world.run(name).returncode == 0
    asked = len(world.asked)
    assert world.run(name).returncode == 0
    assert len(world.asked) == asked


def test_what_an_index_calls_a_digest_is_not_that_digest(world: World) -> None:
    assert world.harden("pull", world.name).returncode == 0
    index = world.folder / "home" / "data" / "images" / "index.json"
    rows = json.loads(index.read_text())
    wanted = f"{world.registry.host}/acme/web@sha256:{'0' * 64}"
    rows["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"] = wanted
    index.write_text(json.dumps(rows))
    world.policy("{require-digest: true}")
    refused = world.run(wanted)
    assert (refused.returncode, "the registry does not have it" in refused.stderr) == (125, True), refused
