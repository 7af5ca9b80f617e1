"""`harden image secrets`: what is planted is found, in its layer and under its instruction, and no report shows it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cli_runner import Harden
from image_specs import Spec
from layouts import Layout, entry, folder, tar
from secret_samples import TOKENS, alnum, github, hexa, jwt, pem

from hardener.reports import FORMATS

GITHUB = github("gh" + "p")
OTHER = github("gh" + "s")
NPM = github("np" + "m")
PW = "kR7vQ2x" + "Lm9wT"
KEY = pem()
LINES = KEY.replace("\n", "\\n")
TEXT = f"""\
FROM debian
ENV DB_PASSWORD={PW}
LABEL build.token={OTHER}
COPY id_rsa /root/.ssh/id_rsa
  /root/.ssh/id_rsa 0600 = {LINES}\\n
RUN npm ci
  with NPM_TOKEN={NPM}
  /root/.npmrc = //r.corp/:_authToken={NPM}\\n
RUN rm /root/.npmrc
  - /root/.npmrc
  /root/.ssh/id_rsa = x\\n
COPY app /app
  /app/deep/er/.env = A=1\\nDB_PASSWORD={PW}\\n
CMD ["app", "--api-token", "{GITHUB}"]
"""
FOUND = {("HI301", 3), ("HI303", 4), ("HI311", 5), ("HI302", 6), ("HI312", 6), ("HI310", 8), ("HI304", 9)}  # rule and line of the history


def findings(harden: Harden, *args: str) -> list[dict[str, Any]]:
    document = json.loads(harden("image", "secrets", "--isolated", "--format", "json", *args).out)
    assert document["errors"] == []
    found: list[dict[str, Any]] = document["findings"]
    return found


def test_each_is_found_where_it_was_put(harden: Harden, tmp_path: Path) -> None:
    Spec(TEXT).write(tmp_path / "image")
    found = findings(harden, "oci:image:latest")
    assert {(finding["rule"], finding["line"]) for finding in found} == FOUND
    messages = {finding["rule"]: finding["message"] for finding in found}
    assert messages["HI312"].startswith("/root/.npmrc:1 of layer 3 has a credential of npm (npm_… (40 characters)): npm keeps it there; ")
    assert messages["HI312"].endswith("layer 4 deletes the file, which does not help: who pulls the image gets layer 3")
    assert "layer 4 overwrites the file, which does not help" in messages["HI311"]
    assert messages["HI310"].startswith("/app/deep/er/.env:2 of layer 5 has a password")


def test_the_text_goes_layer_by_layer(harden: Harden, tmp_path: Path) -> None:
    Spec(TEXT).write(tmp_path / "image")
    result = harden("image", "secrets", "--isolated", "oci:image:latest")
    assert result.code == 1
    heads = [line.strip().partition("  ") for line in result.out.splitlines() if line.startswith("  ") and ", sha256:" in line]
    assert [(head.partition(",")[0], instruction) for head, _, instruction in heads] == [
        ("layer 2 of 5", "COPY id_rsa /root/.ssh/id_rsa"),
        ("layer 3 of 5", "RUN npm ci"),
        ("layer 5 of 5", "COPY app /app"),
    ]
    assert "7 credentials: 1 critical, 6 high; rotate them, and build again without them" in result.out


@pytest.mark.parametrize("command", ["secrets", "lint"])
@pytest.mark.parametrize("form", FORMATS)
def test_no_format_shows_a_credential(harden: Harden, tmp_path: Path, form: str, command: str) -> None:
    Spec(TEXT).write(tmp_path / "image")
    result = harden("image", command, "--isolated", "--format", form, "oci:image:latest")
    assert result.code == 1
    for secret in (GITHUB, OTHER, NPM, PW, *KEY.split("\n")[1:-1]):
        assert secret not in result.out + result.err


PLACES = ("env", "argument", "label", "deleted", "overwritten", "entrypoint", "cmd", "nested", "big", "utf-16", "run")


@pytest.mark.parametrize(("kind", "token"), TOKENS[::4], ids=[f"{kind}-{at}" for at, (kind, _) in enumerate(TOKENS[::4])])
def test_a_token_is_found_in_every_place(harden: Harden, tmp_path: Path, kind: str, token: str) -> None:
    text = f"a\nkey {token}\n"
    words = json.dumps(["app", "--x", token])
    layout = Layout(tmp_path / "image")
    layers = [
        tar(folder("d"), entry("d/deleted", text.encode()), entry("d/overwritten", text.encode())),
        tar(entry("d/.wh.deleted"), entry("d/overwritten", b"nothing")),
        tar(entry("n/e/s/t/e/d.log", text.encode()), entry("n/utf16.txt", b"\xff\xfe" + text.encode("utf-16-le"))),
        tar(entry("n/big.log", b"y\n" * 2_080_000 + f" {token} ".encode() + b"z\n" * 3_000_000)),
    ]
    steps = [
        {"created_by": "COPY d /d # buildkit"},
        {"created_by": f"RUN |1 VALUE={token} /bin/sh -c true # buildkit"},
        {"created_by": "COPY n /n # buildkit"},
        {"created_by": f"RUN /bin/sh -c echo '{token}' # buildkit"},
        {"created_by": f"ENV VALUE={token}", "empty_layer": True},
        {"created_by": f"LABEL value={token}", "empty_layer": True},
        {"created_by": f"ENTRYPOINT {words}", "empty_layer": True},
        {"created_by": f"CMD {words}", "empty_layer": True},
    ]
    config = {
        "Env": [f"VALUE={token}"],
        "Labels": {"value": token},
        "Entrypoint": ["app", "--x", token],
        "Cmd": ["app", "--x", token],
    }
    layout.add(layout.image(*layers, config=config, described={"history": steps}), "latest")
    found = [finding for finding in findings(harden, "oci:image:latest") if finding["message"]]
    seen = {(finding["rule"], finding["line"], finding["message"].partition(" ")[0].partition(":")[0]) for finding in found}
    expected = {
        ("HI301", 5, "VALUE"),
        ("HI302", 2, "the"),
        ("HI302", 4, "the"),
        ("HI303", 6, "the"),
        ("HI304", 7, "ENTRYPOINT"),
        ("HI304", 8, "CMD"),
    }
    topic = "HI313" if kind == "password-hash" else "HI310"
    expected |= {(topic, 1, "/d/deleted"), (topic, 1, "/d/overwritten"), (topic, 3, "/n/e/s/t/e/d.log"), (topic, 3, "/n/utf16.txt")}
    expected |= {(topic, 4, "/n/big.log")}
    assert {item for item in seen if item[0] != "HI302"} >= {item for item in expected if item[0] != "HI302"}
    assert {line for rule, line, _ in seen if rule == "HI302"} >= {2, 4}


SILENT = [
    f"integrity: sha512-{alnum(86)}==",
    hexa(40),
    "550e8400-e29b-41d4-a716-446655440000",
    "AK" + "IAIOSFODNN7EXAMPLE",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "API_TOKEN=changeme",
    "password: ${DB_PASSWORD}",
    "gh" + "p_" + "x" * 36,
    jwt(payload='{"sub":"1234567890","name":"John Doe","iat":1516239022}'),
]


def test_what_only_looks_like_one_is_silent(harden: Harden, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "image")
    text = "\n".join(SILENT).encode()
    layout.add(layout.image(tar(entry("a.conf", text), entry("b.txt", text), entry("c.py", text))), "latest")
    assert findings(harden, "oci:image:latest") == []


def test_a_wrong_checksum_is_told_as_low(harden: Harden, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "image")
    wrong = GITHUB[:-1] + ("a" if GITHUB[-1] != "a" else "b")
    layout.add(layout.image(tar(entry("a.conf", f"token = {wrong}\n".encode()))), "latest")
    assert [finding["severity"] for finding in findings(harden, "oci:image:latest")] == ["low"]
    assert harden("image", "secrets", "--isolated", "oci:image:latest").code == 0


@pytest.mark.parametrize("tampered", [False, True])
def test_files_of_packages_are_left_out_while_they_are_as_they_came(harden: Harden, tmp_path: Path, tampered: bool) -> None:
    library = b"\x7fELF\0" + KEY.encode() + bytes(100)
    sums = f"{hashlib.md5(library).hexdigest()}  usr/lib/libgnutls.so.30\n".encode()
    status = b"Package: libgnutls30\nStatus: install ok installed\nVersion: 3.7.9\nArchitecture: amd64\n\n"
    layout = Layout(tmp_path / "image")
    layer = tar(
        entry("var/lib/dpkg/status", status),
        entry("var/lib/dpkg/info/libgnutls30.md5sums", sums),
        entry("var/lib/dpkg/info/libgnutls30.list", b"/usr/lib/libgnutls.so.30\n"),
        entry("usr/lib/libgnutls.so.30", library + b"!" * tampered),
    )
    layout.add(layout.image(layer), "latest")
    assert [finding["rule"] for finding in findings(harden, "oci:image:latest")] == ["HI311"] * tampered


def test_several_images_and_what_is_accepted(harden: Harden, tmp_path: Path) -> None:
    Spec("FROM debian\nCOPY . /\n  /a.txt = x\\n").write(tmp_path / "clean")
    Spec(TEXT).write(tmp_path / "image")
    result = harden("image", "secrets", "--isolated", "oci:clean:latest")
    assert (result.code, result.out) == (0, "clean: 1 image, all layers searched, no credentials\n")
    assert harden("image", "secrets", "--isolated", "--fail-on", "never", "oci:clean:latest", "oci:image:latest").code == 0
    assert harden("image", "secrets", "--isolated", "--ignore", "HI3", "oci:image:latest").code == 0
    assert harden("image", "secrets", "--isolated", "--write-baseline", "b.json", "oci:image:latest").code == 0
    assert PW not in (tmp_path / "b.json").read_text()
    assert harden("image", "secrets", "--isolated", "--baseline", "b.json", "oci:image:latest").code == 0
    assert harden("image", "secrets", "--isolated", "oci:nowhere:latest").code == 2
