"""`harden lint --secrets`: every file under a path, in every format, and never a credential on the screen."""

import json
import os
from pathlib import Path

import pytest
from cli_runner import Harden
from secret_samples import alnum, github, pem

from hardener.engine import secrets
from hardener.reports import FORMATS

PW = "Tr0ub" + "4dor-and-3"
GITHUB = github("gh" + "p")
KEY = pem()
BASE = ("lint", "--isolated", "--secrets")


def write(folder: Path, **files: object) -> None:
    for name, content in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else str(content).encode())


def test_it_finds_what_a_tree_holds(harden: Harden, tmp_path: Path) -> None:
    write(
        tmp_path,
        **{
            "app__.env": f"DEBUG=1\nDB_PASSWORD={PW}\n",
            "home__.npmrc": f"//r.corp/:_authToken={alnum(36)}\n",
            "home__server.key": KEY,
            "src__main.py": f"TOKEN = '{GITHUB}'\n",
            "node_modules__x__.env": f"DB_PASSWORD={PW}\n",
            ".git__config": f"[remote]\nurl = https://me:{PW}@h/x\n",
            ".gitignore": "build/\n",
            "build__.env": f"DB_PASSWORD={PW}\n",
            "data.bin": b"\0\1" + KEY.encode(),
            "Dockerfile": "FROM debian\n",
        },
    )
    os.makedirs(tmp_path / ".git" / "info")
    result = harden(*BASE, "--format", "concise", ".")
    assert [line.split(" ")[:3] for line in result.out.splitlines()[:-2]] == [
        ["app/.env:2:13:", "high", "HF301"],
        ["data.bin:1:1:", "critical", "HF302"],
        ["home/.npmrc:1:22:", "high", "HF303"],
        ["home/server.key:1:1:", "critical", "HF302"],
        ["src/main.py:1:10:", "high", "HF301"],
    ]
    assert result.code == 1
    assert "build/.env" in harden(*BASE, "--no-gitignore", "--format", "concise", ".").out


@pytest.mark.parametrize("form", FORMATS)
def test_no_format_shows_a_credential(harden: Harden, tmp_path: Path, form: str) -> None:
    write(
        tmp_path,
        **{"app__.env": f"A={GITHUB}\nDB_PASSWORD={PW}\nURL=postgres://me:{PW}x@h/\n", "a.key": KEY, "b.json": json.dumps({"k": KEY})},
    )
    result = harden(*BASE, "--format", form, ".")
    assert result.code == 1
    for secret in (GITHUB, PW, *KEY.split("\n")[1:-1], GITHUB[8:20], PW[5:]):
        assert secret not in result.out + result.err


def test_a_sarif_region_is_where_the_credential_stands(harden: Harden, tmp_path: Path) -> None:
    text = f"# é\nA={GITHUB}\n"
    write(tmp_path, **{".env": text})
    document = json.loads(harden(*BASE, "--format", "sarif", ".env").out)
    region = document["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]
    assert (region["startLine"], region["startColumn"], region["endColumn"]) == (2, 3, 3 + len(GITHUB))


@pytest.mark.parametrize("comment", ["# harden: ignore[HF301] a test", "// harden: ignore[credential-in-file] a test"])
def test_a_comment_accepts_one(harden: Harden, tmp_path: Path, comment: str) -> None:
    write(tmp_path, **{"src__a.js": f"const password = '{PW}'; {comment}\nconst token = '{GITHUB}';\n"})
    result = harden(*BASE, "--format", "json", ".")
    document = json.loads(result.out)
    assert [finding["line"] for finding in document["findings"]] == [2]
    assert result.code == 1


def test_a_baseline_accepts_what_is_there(harden: Harden, tmp_path: Path) -> None:
    write(tmp_path, **{"a.env": f"DB_PASSWORD={PW}\n"})
    assert harden(*BASE, "--write-baseline", "b.json", ".").code == 0
    assert PW not in (tmp_path / "b.json").read_text()
    assert harden(*BASE, "--baseline", "b.json", ".").code == 0
    write(tmp_path, **{"a.env": f"DB_PASSWORD={PW}\nDB_TOKEN={GITHUB}\n"})
    assert harden(*BASE, "--baseline", "b.json", ".").code == 1


def test_the_configuration_counts(harden: Harden, tmp_path: Path) -> None:
    write(tmp_path, **{"a.env": f"DB_PASSWORD={PW}\n", "b__c.env": f"DB_PASSWORD={PW}\n"})
    write(tmp_path, **{".harden.yaml": "severity: {HF301: low}\nexclude: [b]\n"})
    result = harden("lint", "--secrets", "--format", "json", ".")
    assert [(finding["path"], finding["severity"]) for finding in json.loads(result.out)["findings"]] == [("a.env", "low")]
    assert result.code == 0
    write(tmp_path, **{".harden.yaml": "ignore: [HF3]\n"})
    assert json.loads(harden("lint", "--secrets", "--format", "json", ".").out)["findings"] == []


def test_a_file_is_named_and_standard_input_is_read(harden: Harden, tmp_path: Path) -> None:
    write(tmp_path, **{".terraform__x.env": f"DB_PASSWORD={PW}\n"})
    assert harden(*BASE, ".terraform/x.env").code == 1
    result = harden(*BASE, "--format", "concise", "--stdin-filename", "a/.env", "-", stdin=f"DB_PASSWORD={PW}\n")
    assert result.out.startswith("a/.env:1:13: high HF301 ")


def test_what_is_no_file_is_told(harden: Harden, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    write(tmp_path, d__x="x")
    (tmp_path / "link").symlink_to("nowhere")
    assert harden(*BASE, ".").code == 0
    assert harden(*BASE, "pipe").code == 2
    assert harden(*BASE, "nothing").code == 2
    (tmp_path / "empty").mkdir()
    assert "there is no file in empty" in harden(*BASE, "empty").err
    assert "leave one of them out" in harden(*BASE, "-f", "compose.yaml").err


def test_a_file_that_has_become_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    from hardener.engine import targets

    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="no regular file"):
        targets.opened(str(tmp_path / "pipe"))


def test_a_large_file_is_searched_in_windows(harden: Harden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "WHOLE", 300_000)
    monkeypatch.setattr(secrets, "WINDOW", 200_000)
    lines = ["y" * 99] * 12_000
    for at in (10, 2990, 3010, 6000, 11_990):
        lines[at] = f"{github('gh' + 'p')}"
    write(tmp_path, **{"dump.log": "\n".join(lines)})
    found = json.loads(harden(*BASE, "--format", "json", ".").out)["findings"]
    assert [finding["line"] for finding in found] == [11, 2991, 3011, 6001, 11991]


def test_masked_text_is_as_long(tmp_path: Path) -> None:
    from hardener.rules.secrets.contents import inspect

    text = f"a\r\nDB_PASSWORD={PW}\r\n{KEY}\r\nend"
    hits = inspect("x.env", text.encode())
    masked = secrets.masked(text, hits)
    assert len(masked) == len(text)
    assert [len(line) for line in masked.split("\n")] == [len(line) for line in text.split("\n")]
    assert masked.startswith("a\r\nDB_PASSWORD=Tr0*****") and masked.endswith("\r\nend")
