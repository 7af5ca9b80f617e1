"""`images:` of a policy held to what is written: Dockerfiles, compose files and run lines."""

import json
from pathlib import Path

import pytest
from cli_runner import Harden
from signing import Signer

DIGEST = "@sha256:" + "1" * 64
POLICY = """\
name: p
images:
  allowed-registries: [docker.io, "ghcr.io/acme/*"]
  require-digest: true
  require-signature: [{registry: "ghcr.io/acme/*", key: cosign.pub}]
"""


@pytest.fixture(autouse=True)
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "p.yaml").write_text(POLICY)
    Signer().write(tmp_path / "cosign.pub")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        ("Dockerfile", f"FROM debian:12{DIGEST}\n", []),
        ("Dockerfile", "FROM debian:12\n", ["images.require-digest 1:6"]),
        ("Dockerfile", "FROM scratch\nCOPY a /a\n", []),
        ("Dockerfile", f"FROM debian{DIGEST} AS build\nFROM build\n", []),
        (
            "Dockerfile",
            f"ARG TAG\nFROM ghcr.io/acme/base:$TAG\nCOPY --from=quay.io/x/y{DIGEST} /a /a\n",
            ["images.allowed-registries 3:13"],
        ),
        ("Dockerfile", "ARG TAG\nFROM ghcr.io/other/base:$TAG\n", ["images.allowed-registries 2:6"]),
        ("Dockerfile", "ARG BASE\nFROM $BASE\n", []),  # what is unknown is not wrong
        ("Dockerfile", "# harden: ignore-file\nFROM debian:12\n", ["images.require-digest 2:6"]),  # no comment takes it away
        ("compose.yaml", f"services:\n  a: {{image: 'ghcr.io/acme/web{DIGEST}'}}\n", []),
        ("compose.yaml", "services:\n  a: {image: ghcr.io/acme/web:1}\n", ["images.require-digest 2:14"]),
        ("compose.yaml", "services:\n  a:\n    image: ghcr.io/acme/web:${TAG}\n", []),
        ("compose.yaml", "services:\n  a: {image: 'quay.io/web:${TAG}'}\n", ["images.allowed-registries 2:14"]),
        ("compose.yaml", "services:\n  a: {image: acme/web, build: {context: ., dockerfile_inline: FROM scratch}}\n", []),
        ("run.sh", "docker run quay.io/acme/tool:1\n", ["images.allowed-registries 1:12", "images.require-digest 1:12"]),
    ],
)
def test_each_name_is_held_to_the_policy(harden: Harden, tmp_path: Path, file: str, text: str, found: list[str]) -> None:
    (tmp_path / file).write_text(text)
    result = harden("gate", "--no-shellcheck", "--policy", "p.yaml", "--format", "json", file)
    document = json.loads(result.out)
    said = [
        f"{violation['key']} {finding['line']}:{finding['column']}"
        for violation in document["violations"]
        for finding in violation["findings"]
    ]
    assert sorted(said) == sorted(found)
    assert result.code == (1 if found else 0)
    linted = harden("lint", "--no-shellcheck", "--policy", "p.yaml", "--show", "high", "--format", "concise", file)
    assert [line for line in linted.out.splitlines() if "images." in line or "policy-images" in line] != [] or not found


def test_the_gate_says_what_is_asked_and_where(harden: Harden, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM quay.io/x/y:1\n")
    result = harden("gate", "--no-shellcheck", "--policy", "p.yaml", "Dockerfile")
    assert result.code == 1
    assert "p.yaml:3:3: images.allowed-registries" in result.out
    assert "quay.io/x/y:1 comes from quay.io/x/y; the policy p wants images from docker.io, ghcr.io/acme/* only" in result.out
    assert "p.yaml:4:3: images.require-digest" in result.out
    assert "whether images are signed, `harden run` and `harden image verify` check" in result.out


def test_a_policy_explains_its_images(harden: Harden) -> None:
    text = harden("gate", "--policy", "p.yaml", "--explain-policy").out
    assert "images.require-signature" in text
    assert "ghcr.io/acme/*: cosign.pub" in text.replace(f"{Path.cwd()}/", "")
    document = json.loads(harden("gate", "--policy", "p.yaml", "--explain-policy", "--format", "json").out)
    assert [key["key"] for key in document["images"]] == ["images.allowed-registries", "images.require-digest", "images.require-signature"]
    assert document["images"][1]["demands"] == [{"asks": "true", "where": "p.yaml:4:3", "notes": []}]


def test_a_configuration_says_that_a_policy_asks_for_it(harden: Harden, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM debian:12\n")
    result = harden("lint", "--no-shellcheck", "--policy", "p.yaml", "--format", "json", "Dockerfile")
    (found,) = [finding for finding in json.loads(result.out)["findings"] if finding["rule"] == "images.require-digest"]
    assert found["severity"] == "high"
