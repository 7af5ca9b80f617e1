"""`harden image verify`, as a user sees it: images and signatures in registries and in layouts."""

import json
import sys
import tarfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import signing
from cli_runner import Harden
from layouts import OCI, Layout, entry, tar
from registries import DebianRegistry, TinyRegistry, reply
from signing import Signer

SIGNER = Signer()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARDENER_ROOT", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    SIGNER.write(tmp_path / "cosign.pub")
    Signer().write(tmp_path / "other.pub")
    return tmp_path / "home"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "layout")
    made.add(made.image(tar(entry("etc/motd", b"welcome\n"))), "v1")
    return made


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DebianRegistry]:
    with DebianRegistry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


def remembered(home: Path) -> list[str]:
    folder = home / "data" / "images" / "verified"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_signature_under_cosigns_tag_of_a_real_registry_holds(harden: Harden, debian: DebianRegistry, layout: Layout, home: Path) -> None:
    digest = debian.push(layout.path, "acme/web:1", "v1")
    signing.sign(layout, layout.manifests[0], SIGNER, f"{debian.host}/acme/web")
    tag = signing.cosign_tag(digest)
    debian.push(layout.path, f"acme/web:{tag}", tag)
    result = harden("image", "verify", "--key", "cosign.pub", f"{debian.host}/acme/web:1")
    assert result.err == ""
    assert result.code == 0
    assert f"manifest  {digest}  linux/amd64" in result.out
    assert "verified  cosign signature of the manifest in cosign's tag" in result.out
    assert f"signed as {debian.host}/acme/web" in result.out
    assert result.out.splitlines()[-1] == f"verified: {debian.host}/acme/web@{digest} (no transparency log was checked)"
    (name,) = remembered(home)
    assert name.startswith(digest.replace(":", "-"))


def test_a_bundle_behind_the_tag_for_referrers_of_a_real_registry_holds(harden: Harden, debian: DebianRegistry, layout: Layout) -> None:
    digest = debian.push(layout.path, "acme/fallback:1", "v1")
    referrer = signing.sign_with_bundle(layout, layout.manifests[0], SIGNER)
    tag = digest.replace(":", "-")
    layout.add(
        layout.document({"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": [referrer]}, f"{OCI}.index.v1+json"), tag
    )
    debian.push(layout.path, f"acme/fallback:{tag}", tag)
    result = harden("image", "verify", "--key", "cosign.pub", "--format", "json", f"{debian.host}/acme/fallback:1")
    said = json.loads(result.out)
    assert result.code == 0
    assert (said["verified"], said["digest"], said["transparency_log"]) == (True, digest, "not checked")
    assert [(one["kind"], one["found_in"], one["valid"]) for one in said["signatures"]] == [
        ("sigstore bundle", "the tag that stands in for the registry's list", True)
    ]


def test_a_bundle_in_the_list_of_referrers_holds(harden: Harden, layout: Layout) -> None:
    with TinyRegistry() as registry:
        digest = registry.push(layout.path, "web:1", "v1")
        signing.sign_with_bundle(layout, layout.manifests[0], SIGNER)
        layout.manifests[-1] |= {"annotations": {"org.opencontainers.image.ref.name": "bundle"}}
        layout.write()
        registry.push(layout.path, "web:bundle", "bundle")
        result = harden("image", "verify", "--key", "other.pub", "--key", "cosign.pub", f"{registry.host}/web:1")
        assert result.code == 0
        assert "sigstore bundle of the manifest in the registry's list of referrers" in result.out
        assert "it names no repository" in result.out
        assert f"web@{digest}" in result.out


def test_the_digest_to_pin_is_the_signed_one_of_the_index(harden: Harden, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "many")
    image = {**layout.image(b""), "platform": {"os": "linux", "architecture": "amd64"}}
    index = layout.document({"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": [image]}, f"{OCI}.index.v1+json")
    layout.add(index, "v1")
    signing.sign(layout, index, SIGNER)
    result = harden("image", "verify", "--key", "cosign.pub", "--platform", "linux/amd64", "oci:many:v1")
    assert result.code == 0
    assert f"index     {index['digest']}" in result.out
    assert "cosign signature of the index in the same layout" in result.out
    assert f"verified: {index['digest']} " in result.out


def test_an_image_without_a_signature_is_not_verified(harden: Harden, layout: Layout, home: Path) -> None:
    result = harden("image", "verify", "--key", "cosign.pub", str(layout.path))
    assert result.code == 1
    assert result.out.endswith("not verified: there is no signature\n")
    assert remembered(home) == []


def test_what_does_not_hold_is_told_and_not_remembered(harden: Harden, layout: Layout, home: Path) -> None:
    signing.sign(layout, layout.manifests[0], Signer())
    notes = {"dev.sigstore.cosign/certificate": "-----BEGIN CERTIFICATE-----"}
    layer = signing.simple_layer(layout, Signer(), signing.compact(signing.payload(layout.manifests[0]["digest"])), **notes)
    layout.add(signing.simple_manifest(layout, layer), f"more:{signing.cosign_tag(layout.manifests[0]['digest'])}")
    result = harden("image", "verify", "--key", "cosign.pub", f"{layout.path}:v1")
    assert result.code == 1
    assert "refused   cosign signature in the same layout: none of the keys has made it" in result.out
    assert "that needs a certificate identity, which is not supported" in result.out
    assert result.out.endswith("not verified: none of the signatures holds\n")
    assert remembered(home) == []


def test_a_copy_has_the_name_that_it_was_signed_as(harden: Harden, layout: Layout) -> None:
    with TinyRegistry(referrers=False) as registry:
        digest = registry.push(layout.path, "copy:1", "v1")
        signing.sign(layout, layout.manifests[0], SIGNER, "registry.example.org/acme/web")
        tag = signing.cosign_tag(digest)
        registry.push(layout.path, f"copy:{tag}", tag)
        name = f"{registry.host}/copy:1"
        refused = harden("image", "verify", "--key", "cosign.pub", name)
        assert refused.code == 1
        assert "signed as registry.example.org/acme/web: another repository than the one that was asked for" in refused.out
        assert harden("image", "verify", "--key", "cosign.pub", "--signed-as", "registry.example.org/acme/*", name).code == 0
        assert harden("image", "verify", "--key", "cosign.pub", "--signed-as", "registry.example.org/other/*", name).code == 1


def test_an_answer_that_cannot_be_had_is_no_answer(harden: Harden, layout: Layout) -> None:
    def trouble(request: BaseHTTPRequestHandler) -> bool:
        if "/referrers/" not in request.path:
            return False
        reply(request, 403, b"{}")
        return True

    with TinyRegistry(trouble=trouble) as registry:
        digest = registry.push(layout.path, "web:1", "v1")
        signing.sign(layout, layout.manifests[0], SIGNER)
        tag = signing.cosign_tag(digest)
        registry.push(layout.path, f"web:{tag}", tag)
        result = harden("image", "verify", "--key", "cosign.pub", f"{registry.host}/web:1")
        assert result.code == 2
        assert result.out == ""


def test_a_referrer_that_is_gone_hides_no_other(harden: Harden, layout: Layout) -> None:
    with TinyRegistry(referrers=False) as registry:
        digest = registry.push(layout.path, "web:1", "v1")
        gone = {"mediaType": f"{OCI}.manifest.v1+json", "digest": "sha256:" + "1" * 64, "size": 7, "artifactType": signing.BUNDLE}
        registry.put("web", {"schemaVersion": 2, "manifests": [gone]}, f"{OCI}.index.v1+json", digest.replace(":", "-"))
        signing.sign(layout, layout.manifests[0], SIGNER)
        tag = signing.cosign_tag(digest)
        registry.push(layout.path, f"web:{tag}", tag)
        assert harden("image", "verify", "--key", "cosign.pub", f"{registry.host}/web:1").code == 0


def test_a_stored_image_is_verified_in_its_registry(harden: Harden, layout: Layout) -> None:
    with TinyRegistry(referrers=False) as registry:
        digest = registry.push(layout.path, "web:1", "v1")
        name = f"{registry.host}/web:1"
        assert harden("pull", "-q", "--platform", "linux/amd64", name).code == 0
        signing.sign(layout, layout.manifests[0], SIGNER)
        tag = signing.cosign_tag(digest)
        registry.push(layout.path, f"web:{tag}", tag)
        assert harden("image", "verify", "--key", "cosign.pub", name).code == 0
        unnamed = harden("image", "verify", "--key", "cosign.pub", digest.removeprefix("sha256:")[:16])
        assert unnamed.code == 1
        assert "what it comes from keeps no signatures: name its registry" in unnamed.out


def test_signatures_are_found_in_an_archive(harden: Harden, layout: Layout, tmp_path: Path) -> None:
    signing.sign_with_bundle(layout, layout.manifests[0], SIGNER)
    with tarfile.open(tmp_path / "web.tar", "w") as archive:
        archive.add(layout.path, arcname=".")
    result = harden("image", "verify", "--key", "cosign.pub", "oci-archive:web.tar:v1")
    assert result.code == 0
    assert layout.manifests[0]["digest"] in result.out.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["layout"], "there is no key to verify with"),
        (["--key", "nothing.pub", "layout"], "cannot read the key"),
        (["--key", "layout/index.json", "layout"], "not a public key"),
        (["--key", "cosign.pub", "./nothing"], "nothing"),
    ],
)
def test_what_cannot_be_read_is_no_verdict(harden: Harden, layout: Layout, words: list[str], said: str) -> None:
    result = harden("image", "verify", *words)
    assert result.code == 2
    assert said in result.err


def test_without_the_extra_it_is_named(harden: Harden, layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    result = harden("image", "verify", "--key", "cosign.pub", "layout")
    assert result.code == 2
    assert "pip install 'hardener[verify]'" in result.err


def test_no_name_in_a_signature_drives_the_terminal(harden: Harden, layout: Layout) -> None:
    content = signing.payload(layout.manifests[0]["digest"], "a\x1b[2Jb")
    layer = signing.simple_layer(layout, SIGNER, json.dumps(content, ensure_ascii=False).replace("\x1b", "\\u001b").encode())
    layout.add(signing.simple_manifest(layout, layer), signing.cosign_tag(layout.manifests[0]["digest"]))
    for format_ in ("text", "json"):
        result = harden("image", "verify", "--key", "cosign.pub", "--format", format_, "layout:v1")
        assert result.code == 1
        assert "\x1b" not in result.out
