"""What tests/runtime/dangers.py takes, and what it is to find."""

import json
import os
import platform
from pathlib import Path

from hardener.linux import syscalls

SCRIPT = (Path(__file__).parents[1] / "runtime" / "dangers.py").read_text(encoding="utf-8")
NOTHING = {
    "operations": [],
    "tried": 96,
    "writable": [],
    "readable": [],
    "shared": [],
    "capabilities": [0],
    "descriptors": [],
    "interfaces": ["lo"],
}


def given() -> str:
    """Return what the script takes: the numbers of system calls, and the namespaces that are not to be its own."""
    namespaces = {name: os.stat(f"/proc/self/ns/{name}").st_ino for name in ("mnt", "pid", "net", "user", "uts", "ipc", "cgroup", "time")}
    return json.dumps({"numbers": dict(syscalls.numbers(platform.machine())), "namespaces": namespaces})
