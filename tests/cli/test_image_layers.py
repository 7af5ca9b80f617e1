"""`harden image layers` and `harden image diff` as a user sees them."""

import json
from pathlib import Path

import pytest
from image_specs import Spec

from hardener import cli

BASE = """\
FROM debian
RUN fetch
  /opt/big 0644 3MB
  /opt/tool 0755 20KB
RUN rm /opt/big && upgrade
  - /opt/big
  /opt/tool 0755 30KB
USER 1000
CMD ["tool"]
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)


def image(text: str, folder: str) -> str:
    Spec(text).write(Path(folder))
    return f"oci:{folder}:latest"


def test_layers(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["image", "layers", image(BASE, "one"), "--files"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["#", "SIZE", "UNPACKED", "WASTED", "ADDED", "CHANGED", "DELETED", "MADE", "BY"]
    rows = [line.split() for line in lines[1:-1]]
    assert rows[0][0] == "1"
    assert "(base)" in rows[0]
    (fetched,) = [row for row in rows if row[-2:] == ["RUN", "fetch"]]
    assert fetched[3:] == ["3.2", "MB", "3.2", "MB", "2", "0", "0", "RUN", "fetch"]
    assert ["3.1", "MB", "/opt/big", "deleted", "by", "layer", "3"] in rows
    assert ["20", "kB", "/opt/tool", "overwritten", "by", "layer", "3"] in rows
    (removed,) = [row for row in rows if row[-1] == "upgrade"]
    assert removed[-9:] == ["-", "0", "1", "1", "RUN", "rm", "/opt/big", "&&", "upgrade"]
    assert lines[-1].startswith("3 layers, ")


def test_one_layer_is_no_layers(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["image", "layers", image("FROM scratch\nRUN make\n  /tool 3MB\n", "single")]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("1 layer, ")


def test_a_page_on_images_speaks_of_images(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["image", "lint", image("FROM scratch\nRUN make\n  /tool 4755 3MB\n", "page"), "--format", "html"])
    out = capsys.readouterr().out
    assert " of 1 image, " in out
    assert "All images" in out


def test_layers_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["image", "layers", image(BASE, "one"), "--format", "json", "--files"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [layer["base"] for layer in found["layers"]] == [True, False, False]
    layer = found["layers"][1]
    assert (layer["index"], layer["instruction"], layer["added"], layer["wasted"]) == (2, "RUN fetch", 2, layer["bytes"])
    assert layer["files"][0] == {"path": "/opt/big", "size": 3 << 20, "fate": {"layer": 3, "how": "deleted"}}
    assert found["layers"][2]["files"] == [{"path": "/opt/tool", "size": 30 << 10, "fate": None}]


def test_names_drive_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    name = image('FROM scratch\nCOPY . /\n  /a\x1b[2Jb 1KB\nCMD ["\\u001b[2J"]\n', "one")
    for words in (["layers", name, "--files"], ["diff", name, image("FROM scratch\nCOPY . /\n  /c 1KB\n", "two")]):
        assert cli.main(["image", *words]) == 0
        assert "\x1b" not in capsys.readouterr().out


def test_names_that_are_no_text(capsys: pytest.CaptureFixture[str]) -> None:
    from layouts import Layout, entry, tar

    layout = Layout(Path("one"))
    layout.add(layout.image(tar(entry("a\udcffb", b"x"))), "latest")
    other = image("FROM scratch\nCOPY . /\n  /c 1KB\n", "two")
    for words in (["layers", "oci:one:latest", "--files"], ["diff", "oci:one:latest", other]):
        assert cli.main(["image", *words]) == 0
        assert cli.main(["image", *words, "--format", "json"]) == 0
        assert "a" in capsys.readouterr().out


NEXT = (
    BASE.replace(
        "30KB", "30KB\n  /etc/shadow 0644 0:42 = root:*:19000:0:99999:7:::\\\\nwww-data:*:19000:0:99999:7:::\\\\n".replace("\\\\", "\\")
    )
    .replace("USER 1000", "USER 0\nENV A=b")
    .replace("/opt/tool 0755 20KB", "/opt/tool 0755 20KB\n  /opt/new -> tool")
)


def test_diff(capsys: pytest.CaptureFixture[str]) -> None:
    one, two = image(BASE, "one"), image(NEXT, "two")
    assert cli.main(["image", "diff", one, two]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("--- oci:one:latest (sha256:")
    assert lines[1].startswith("+++ oci:two:latest (sha256:")
    assert lines[2:] == [
        *["+ Env A b", "- User 1000", "+ User 0"],
        *["files: 1 added, 1 changed, 0 deleted", "~ -0640 0:42 56 → -0644 0:42 56  /etc/shadow", "+ l0777 0:0 0  /opt/new"],
    ]
    assert cli.main(["image", "diff", "--exit-code", one, two]) == 1


def test_no_difference(capsys: pytest.CaptureFixture[str]) -> None:
    one, two = image(BASE, "one"), image(f"CREATED 2026-11-20\n{BASE}", "two")
    assert cli.main(["image", "diff", "--exit-code", one, two]) == 0
    assert capsys.readouterr().out.splitlines()[2:] == ["no difference in configuration, packages and files"]


@pytest.mark.parametrize("size", ["20KB", "20MB"])
def test_content_is_compared(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Also of what comes in windows."""
    from layouts import Layout, entry, tar

    content = bytearray(int(size[:2]) << (20 if "M" in size else 10))
    for folder in ("one", "two"):
        layout = Layout(Path(folder))
        layout.add(layout.image(tar(entry("a", bytes(content)))), "latest")
        content[-5] = 1
    assert cli.main(["image", "diff", "--exit-code", "oci:one:latest", "oci:two:latest"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == f"~ -0644 0:0 {len(content)} (content)  /a"


def status(version: str) -> str:
    text = f"Package: tool\\nStatus: install ok installed\\nArchitecture: amd64\\nVersion: {version}\\n\\n"
    return f"FROM debian\nRUN apt-get install tool\n  /var/lib/dpkg/status = {text}\n"


def test_packages(capsys: pytest.CaptureFixture[str]) -> None:
    one, two, three = image(status("1.0"), "one"), image(status("1.1"), "two"), image("FROM debian\n", "three")
    assert cli.main(["image", "diff", one, two]) == 0
    assert "~ deb tool 1.0 → 1.1" in capsys.readouterr().out.splitlines()
    assert cli.main(["image", "diff", two, three, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["packages"] == [{"kind": "deb", "name": "tool", "old": ["1.1"], "new": []}]
    assert [(file["path"], file["new"]) for file in found["files"]][:1] == [("/var/lib/dpkg", None)] or found["files"]
    assert {file["path"]: file["new"] for file in found["files"]}["/var/lib/dpkg/status"] is None
