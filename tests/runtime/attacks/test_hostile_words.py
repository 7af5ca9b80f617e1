"""What we print quotes names that others chose. It must not drive a terminal, nor look like our own words."""

import subprocess
import sys
from pathlib import Path

import pytest
from launching import config, launch

ESCAPE = "\x1b]0;owned\x07\x1b[2J"
FORGED = "x\nharden: error: all is well\r\x9b31m"


def harden(*args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hardener", "run", *args]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("text", [ESCAPE, FORGED])
@pytest.mark.parametrize(
    "words",
    [
        *(["host", "{}"], ["--rootfs", "/{}", "true"], ["--{}", "host"]),
        *([flag, value, "host", "true"] for flag, value in (
            *(("-w", "/{}"), ("-u", "{}"), ("-v", "/{}:/x"), ("-v", "/tmp:/x:{}"), ("--name", "{}"), ("-e", "{}=x"), ("--cap-add", "{}")),
            *(("--network", "{}"), ("-m", "{}"), ("--policy", "{}"), ("--hostname", "{}")),
        )),
    ],
)  # fmt: skip
def test_a_message_is_tame(words: list[str], text: str) -> None:
    result = harden(*(word.format(text) for word in words))
    lines = result.stderr.split("\n")
    assert all(line.isprintable() for line in lines), result.stderr
    assert not [line for line in lines if line.startswith("harden: error: all is well")]
    assert result.stdout == ""
    assert "bug in hardener" not in result.stderr


@pytest.mark.parametrize(
    "changes",
    [
        {"process__env": ["A=b\0c"]},
        {"process__args": ["/bin/echo", "a\0b"]},
        {"process__args": ["/bin/e\0cho"]},
        {"process__cwd": "/a\0b"},
        {"hostname": "a\0b"},
        {"hostname": "a" * 65},
        {"root__path": "/a\0b"},
        {"linux__maskedPaths": ["/proc/a\0b"]},
        {"linux__cgroupsPath": "/harden/a\0b"},
        {"linux__cgroupsPath": "/harden/../../x"},
        {"linux__sysctl": {"net.a\0b": "1"}},
        {"mounts": [{"destination": "/a\0b", "type": "tmpfs"}]},
        {"mounts": [{"destination": "/a", "type": "bind", "source": "/a\0b", "options": ["bind"]}]},
        {"mounts": [{"destination": "/a", "type": "tmpfs", "options": ["size=1\0"]}]},
        {"process__env": ["=x"]},
        {"process__args": [""]},
        {"process__user": {"uid": 4294967295, "gid": 0}},
        {"process__user": {"uid": -1, "gid": 0}},
    ],
)
def test_a_hostile_configuration_is_refused_in_one_message(root: Path, folder: Path, changes: dict[str, object]) -> None:
    result = launch(config(root, "true", **changes), folder)
    assert result.code in (2, 125), result
    assert result.error
    assert "ValueError" not in result.error
    assert "Traceback" not in result.error
