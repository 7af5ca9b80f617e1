"""Images come from registries: Debian's, open, with passwords over TLS, and with tokens; and a tiny one with the referrers API."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from layouts import OCI, Layout, entry, tar
from registries import MANIFEST, DebianRegistry, TinyRegistry

from hardener.errors import HardenError
from hardener.images import find
from hardener.images.registry import ACCEPT, Registry, RegistryOptions, digest, digest_of
from hardener.images.retrying import Patience
from hardener.oci.image import Descriptor, Manifest
from hardener.oci.reference import split

CONTENT = tar(entry("etc/motd", b"welcome\n"))
USERS = {"alice": "s3cret:with:colons"}


def options(**more: Any) -> RegistryOptions:
    return RegistryOptions(**{"environment": {}, "patience": Patience(pause_s=0.01), "stall_s": 5.0, "certificates": (), **more})


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    made = Layout(tmp_path_factory.mktemp("layout") / "layout")
    made.add(made.image(CONTENT, config={"User": "app"}), "v1")
    return made


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, layout: Layout) -> Iterator[DebianRegistry]:
    with DebianRegistry(tmp_path_factory.mktemp("plain")) as registry:
        registry.push(layout.path, "app:v1")
        yield registry


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory, layout: Layout) -> Iterator[DebianRegistry]:
    with DebianRegistry(tmp_path_factory.mktemp("locked"), tls=True, users=USERS) as registry:
        registry.push(layout.path, "team/app:v1")
        yield registry


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory, layout: Layout) -> Iterator[DebianRegistry]:
    with DebianRegistry(tmp_path_factory.mktemp("tokens"), users=USERS, token=True) as registry:
        registry.push(layout.path, "team/app:v1")
        yield registry


def whole(registry: Registry, repository: str, tag: str) -> tuple[str, list[bytes]]:
    """Return the digest of an image, and its blobs, each held against its digest."""
    found = registry.head(repository, tag)
    content, media_type = registry.manifest(repository, found.digest)
    assert (digest_of(content), media_type, len(content)) == (found.digest, found.media_type, found.size)
    manifest = Manifest.parse(json.loads(content))
    blobs = []
    for part in (manifest.config, *manifest.layers):
        with registry.open_blob(repository, part) as stream:
            blobs.append(stream.read())
        assert digest_of(blobs[-1]) == part.digest
    return found.digest, blobs


def test_an_image_of_an_open_registry(plain: DebianRegistry, layout: Layout) -> None:
    found, blobs = whole(Registry(plain.host, options()), "app", "v1")
    assert found == layout.manifests[0]["digest"]
    assert json.loads(blobs[0])["config"]["User"] == "app"
    assert digest(split(f"{plain.host}/app:v1"), options()) == found
    assert digest(split(f"{plain.host}/app@{found}")) == found


def test_images_are_found_by_their_names(plain: DebianRegistry, layout: Layout) -> None:
    name = f"{plain.host}/app:v1"
    for text in (name, f"docker://{name}", f"{plain.host}/app@{layout.manifests[0]['digest']}"):
        image = find.find(text, platform="linux/amd64", options=options())
        assert (image.name, image.digest, image.defaults.user) == (text, layout.manifests[0]["digest"], "app")
        assert image.reference is not None
        assert image.reference.repository == "app"
        with image.source.open(image.layers[0].descriptor) as stream:
            assert digest_of(stream.read()) == image.layers[0].descriptor.digest
        assert image.source.path(image.layers[0].descriptor) == ""
    for text in ("./nowhere", "docker://Upper"):
        with pytest.raises(HardenError, match=r"there is no image|names are lower-case"):
            find.find(text, options=options())


def test_what_is_not_there_is_said_by_name(plain: DebianRegistry) -> None:
    registry = Registry(plain.host, options())
    with pytest.raises(HardenError, match="does not have it: MANIFEST_UNKNOWN: manifest unknown") as error:
        registry.manifest("app", "v2")
    assert error.value.where == f"{plain.host}/app:v2"
    with pytest.raises(HardenError, match="does not have it"):
        registry.head("nothing/here", "v1")


def test_a_password_opens_a_registry_with_a_certificate_of_its_own(locked: DebianRegistry, layout: Layout) -> None:
    user = next(iter(USERS.items()))
    found, _ = whole(Registry(locked.host, options(creds=user, ca=locked.ca)), "team/app", "v1")
    assert found == layout.manifests[0]["digest"]
    with pytest.raises(HardenError, match="wants a login") as error:
        Registry(locked.host, options(ca=locked.ca)).head("team/app", "v1")
    assert "--creds USER" in error.value.how
    with pytest.raises(HardenError, match="does not let this login in"):
        Registry(locked.host, options(creds=("alice", "guess"), ca=locked.ca)).head("team/app", "v1")


def test_a_token_opens_a_registry(tokens: DebianRegistry, layout: Layout) -> None:
    for creds in (None, next(iter(USERS.items()))):
        assert whole(Registry(tokens.host, options(creds=creds)), "team/app", "v1")[0] == layout.manifests[0]["digest"]
    with pytest.raises(HardenError, match="does not let this login in"):
        Registry(tokens.host, options(creds=("alice", "guess"))).head("team/app", "v1")
    assert tokens.tokens is not None
    tokens.tokens.anonymous = False
    try:
        with pytest.raises(HardenError, match="lets nobody in without a login"):
            Registry(tokens.host, options()).head("team/app", "v1")
    finally:
        tokens.tokens.anonymous = True


def test_one_token_serves_a_whole_image(tokens: DebianRegistry) -> None:
    assert tokens.tokens is not None
    before = len(tokens.tokens.seen)
    whole(Registry(tokens.host, options()), "team/app", "v1")
    assert len(tokens.tokens.seen) == before + 1
    assert "scope=repository%3Ateam%2Fapp%3Apull" in tokens.tokens.seen[-1][1]


def test_all_types_are_asked_for(layout: Layout) -> None:
    with TinyRegistry() as registry:
        registry.push(layout.path, "app:v1")
        whole(Registry(registry.host, options()), "app", "v1")
        assert {headers["accept"] for _, path, headers in registry.seen if "manifests" in path and "accept" in headers} == {ACCEPT}


def test_what_refers_to_an_image(layout: Layout) -> None:
    for has_api in (True, False):
        with TinyRegistry(referrers=has_api) as registry:
            subject = registry.push(layout.path, "app:v1")
            empty = registry.blob(b"{}")
            signed: dict[str, Any] = {"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "test/signature", "config": empty}
            signed |= {"layers": [], "subject": {"mediaType": MANIFEST, "digest": subject, "size": 1}}
            name = registry.put("app", signed, MANIFEST)
            client = Registry(registry.host, options())
            if not has_api:
                assert (client.listed("app", subject), client.tagged("app", subject)) == ([], [])
                described = {"mediaType": MANIFEST, "digest": name, "size": 1, "artifactType": "test/signature"}
                index = {"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": [described]}
                registry.put("app", index, f"{OCI}.index.v1+json", subject.replace(":", "-"))
            found = client.listed("app", subject) if has_api else client.tagged("app", subject)
            assert [(one.digest, one.extra["artifactType"]) for one in found] == [(name, "test/signature")]


def test_a_blob_from_the_middle(plain: DebianRegistry, layout: Layout) -> None:
    registry = Registry(plain.host, options())
    content, _ = registry.manifest("app", "v1")
    part = Descriptor.parse(json.loads(content)["layers"][0])
    expected = (Path(layout.path) / "blobs" / "sha256" / part.digest.partition(":")[2]).read_bytes()
    for offset in (0, 1, part.size - 1, part.size):
        with registry.open_blob("app", part, offset) as stream:
            assert stream.read() == expected[offset:]
