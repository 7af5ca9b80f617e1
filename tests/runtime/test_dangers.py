"""How much a hostile process can do under the policies that ship, to the last attempt: nothing of what dangers.py tries."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from dangers_seen import NOTHING, SCRIPT, given
from launching import PYTHON, config, launch

HARDEN = str(Path(sys.executable).with_name("harden"))
ALL_CAPABILITIES = [
    "CAP_SYS_ADMIN",
    "CAP_SYS_PTRACE",
    "CAP_SYS_CHROOT",
    "CAP_MKNOD",
    "CAP_CHOWN",
    "CAP_SETUID",
    "CAP_SETGID",
    "CAP_NET_RAW",
]


def under(*flags: str) -> Any:
    """Return the count under `harden run` on this machine's root, with a descriptor left open that leads to its secrets."""
    python = "/usr/bin/python3"
    if not Path(python).exists():
        pytest.skip(f"needs {python}")
    secret = os.open("/etc", os.O_RDONLY)
    try:
        command = [HARDEN, "run", *flags, "host", "--", python, "-I", "-S", "-", given()]
        done = subprocess.run(command, input=SCRIPT, capture_output=True, text=True, pass_fds=[secret], timeout=300, check=False)
    finally:
        os.close(secret)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("flags", [(), ("--policy", "strict", "--user", "nobody")])
def test_nothing_is_possible(flags: tuple[str, ...]) -> None:
    assert under(*flags) == NOTHING


def test_much_is_possible_where_nothing_is_forbidden(root: Path, folder: Path) -> None:
    held = dict.fromkeys(("bounding", "effective", "permitted", "inheritable", "ambient"), ALL_CAPABILITIES)
    changes = {"linux__uidMappings": None, "linux__gidMappings": None, "linux__maskedPaths": None, "linux__readonlyPaths": None}
    kinds = [{"type": kind} for kind in ("mount", "pid", "network")]
    document = config(root, f"{PYTHON}/bin/python3", "-I", "-S", "-", given(), hostname=None, linux__namespaces=kinds, **changes)
    document["process"]["capabilities"] = held
    document["process"]["noNewPrivileges"] = False
    seen = launch(document, folder, stdin=SCRIPT).json()
    assert {"mount", "unshare mount", "clone user", "setns", "ptrace child", "mknod null", "chown", "setuid"} < set(seen["operations"])
    assert len(seen["operations"]) > 30, seen["operations"]
    assert {"user", "uts", "ipc"} <= set(seen["shared"])
    assert "/proc/sys/kernel/core_pattern" in seen["writable"]
    assert "/proc/timer_list" in seen["readable"]
