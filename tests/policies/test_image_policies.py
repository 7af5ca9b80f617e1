"""`images:` of a policy: what it may say, what extends what, and which images it is about."""

from pathlib import Path

import pytest
from signing import Signer

from hardener.errors import HardenError
from hardener.oci.reference import split
from hardener.policies import images
from hardener.policies.images import Images
from hardener.policies.load import load

SIGNER = Signer()
OTHER = Signer()
DIGEST = "@sha256:" + "1" * 64


def policy(folder: Path, body: str, name: str = "p", extends: str = "") -> Path:
    (folder / "cosign.pub").write_bytes(SIGNER.public)
    (folder / "keys").mkdir(exist_ok=True)
    (folder / "keys" / "b.pub").write_bytes(OTHER.public)
    path = folder / f"{name}.yaml"
    path.write_text(f"name: {name}\n" + (f"extends: {extends}\n" if extends else "") + body, encoding="utf-8")
    return path


def asked(path: Path) -> Images:
    found = load(str(path)).images
    assert found is not None
    return found


def keys_of(found: Images, name: str) -> list[str]:
    reference = split(name)
    return [gap.key for gap in images.gaps(found, reference.registry, reference.repository, has_digest=reference.digest is not None)]


@pytest.mark.parametrize(
    ("body", "line", "what", "how"),
    [
        ("images: [a]\n", "2:9", "images is a mapping", "require-signature"),
        ("images:\n  require-signatures: []\n", "3:3", "unknown key 'require-signatures'", "require-signature"),
        ("images:\n  require-digest: maybe\n", "3:19", "true or false", ""),
        ("images:\n  allowed-registries: []\n", "3:23", "is empty", ""),
        ("images:\n  allowed-registries: [[a]]\n", "3:24", "is a text", ""),
        ("images:\n  allowed-registries: [nginx]\n", "3:24", "'nginx' is no registry", "docker.io/library/NAME"),
        ("images:\n  allowed-registries: [ghcr.io/acme/web:1]\n", "3:24", "names an image", "no tag"),
        (f"images:\n  allowed-registries: ['ghcr.io/acme/web{DIGEST}']\n", "3:24", "names an image", "no tag"),
        ("images:\n  require-signature: {registry: ghcr.io, key: cosign.pub}\n", "3:22", "is a list", ""),
        ("images:\n  require-signature: []\n", "3:22", "is a list", ""),
        ("images:\n  require-signature: [{registry: ghcr.io}]\n", "3:23", "has no key", "`key:`"),
        ("images:\n  require-signature: [{key: cosign.pub}]\n", "3:23", "which images", "`registry:`"),
        ("images:\n  require-signature: [{registri: ghcr.io}]\n", "3:24", "unknown key 'registri'", "'registry'"),
        ("images:\n  require-signature: [{registry: ghcr.io, key: nothing.pub}]\n", "3:48", "cannot read the key", "beside the policy"),
        ("images:\n  require-signature: [{registry: ghcr.io, key: p.yaml}]\n", "", "not a public key", "cosign.pub"),
    ],
)
def test_what_a_policy_cannot_say_is_told_where_it_stands(tmp_path: Path, body: str, line: str, what: str, how: str) -> None:
    path = policy(tmp_path, body)
    with pytest.raises(HardenError) as caught:
        load(str(path))
    assert what in caught.value.what
    assert caught.value.where == f"{path}:{line}" if line else caught.value.where == str(path)
    assert how in caught.value.how


def test_keys_are_files_beside_the_policy_or_written_in_it(tmp_path: Path) -> None:
    inline = SIGNER.public.decode().replace("\n", "\n        ")
    body = f"""\
images:
  require-signature:
    - {{registry: "ghcr.io/acme/*", key: [cosign.pub, keys/b.pub]}}
    - registry: mirror.example.org
      signed-as: ghcr.io/acme/*
      key: |
        {inline}
"""
    path = policy(tmp_path, body)
    found = asked(path)
    assert [[key.pem.strip().encode() for key in rule.keys] for rule in found.signed] == [
        [SIGNER.public.strip(), OTHER.public.strip()],
        [SIGNER.public.strip()],
    ]
    assert [rule.signed_as for rule in found.signed] == [(), ("ghcr.io/acme/*",)]
    assert load(str(path)).files == (str(path), str(tmp_path / "cosign.pub"), str(tmp_path / "keys/b.pub"))
    assert Images.parse(found.dump()) == found


def test_what_extends_a_policy_only_adds(tmp_path: Path) -> None:
    policy(
        tmp_path,
        "images: {require-digest: true, allowed-registries: ['*.example.org'], require-signature: [{registry: '*', key: cosign.pub}]}\n",
        "base",
    )
    own = policy(
        tmp_path,
        "images: {allowed-registries: [a.example.org, ghcr.io], require-signature: [{registry: a.example.org, key: keys/b.pub}]}\n",
        "own",
        "base.yaml",
    )
    found = asked(own)
    assert keys_of(found, f"a.example.org/web{DIGEST}") == []
    assert keys_of(found, f"b.example.org/web{DIGEST}") == ["allowed-registries"]
    assert keys_of(found, f"ghcr.io/web{DIGEST}") == ["allowed-registries"]
    assert keys_of(found, "a.example.org/web") == ["require-digest"]
    assert [rule.where for rule in images.rules(found, split("a.example.org/web"))] == [
        f"{tmp_path}/base.yaml:2:91",
        f"{tmp_path}/own.yaml:3:76",
    ]


def test_a_policy_cannot_ask_for_less_than_what_it_extends(tmp_path: Path) -> None:
    policy(tmp_path, "images: {require-digest: true}\n", "base")
    with pytest.raises(HardenError, match="asks for less"):
        load(str(policy(tmp_path, "images: {require-digest: false}\n", "own", "base.yaml")))


@pytest.mark.parametrize(
    ("pattern", "image", "about"),
    [
        ("ghcr.io/acme/*", "ghcr.io/acme/web:1", True),
        ("ghcr.io/acme/*", "ghcr.io/acme/deep/web", True),
        ("ghcr.io/acme", "ghcr.io/acme/web", True),
        ("ghcr.io", "ghcr.io/other/web", True),
        ("ghcr.io/acme/*", "GHCR.IO/acme/web", True),  # the same machine answers
        ("ghcr.io/acme/*", "ghcr.io:443/acme/web", True),
        ("docker.io/library/*", "nginx", True),
        ("docker.io/library/*", "registry-1.docker.io/library/nginx", True),
        ("*", "anything.example.org/x", True),
        ("ghcr.io/acme/*", "ghcr.io/acme-evil/web", False),
        ("ghcr.io/acme/*", "evil.example.org/ghcr.io/acme/web", False),
        ("ghcr.io/acme/*", "ghcr.io:8443/acme/web", False),
        ("docker.io/library/*", "acme/nginx", False),
    ],
)
def test_which_images_an_entry_is_about(tmp_path: Path, pattern: str, image: str, about: bool) -> None:
    found = asked(policy(tmp_path, f"images: {{require-signature: [{{registry: '{pattern}', key: cosign.pub}}]}}\n"))
    assert bool(images.rules(found, split(image))) is about


def test_an_image_in_files_needs_an_entry_of_its_own(tmp_path: Path) -> None:
    signed = "{registry: 'ghcr.io/acme/*', key: cosign.pub}"
    strict = asked(policy(tmp_path, f"images: {{require-signature: [{signed}], allowed-registries: [ghcr.io]}}\n"))
    assert [gap.key for gap in images.file_gaps(strict, "oci:/srv/web")] == ["allowed-registries", "require-signature"]
    files = "{registry: 'oci:/srv/*', key: cosign.pub}"
    open_to_files = asked(policy(tmp_path, f"images: {{require-signature: [{signed}, {files}], require-digest: true}}\n"))
    assert images.file_gaps(open_to_files, "oci:/srv/web") == ()
    assert [gap.key for gap in images.file_gaps(open_to_files, "oci:/tmp/web")] == ["require-signature"]
    assert len(images.file_rules(open_to_files, "oci:/srv/web")) == 1
