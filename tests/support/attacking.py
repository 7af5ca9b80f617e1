"""Containers to attack: with the walls that `harden run` puts up by default, and with walls taken away, to see that an attack is one."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from launching import PYTHON

ATTACKS = Path(__file__).parents[1] / "runtime" / "attacks"
INTERPRETER = (f"{PYTHON}/bin/python3", "-I", "-S")


@cache
def _default(options: tuple[str, ...]) -> str:
    command = [sys.executable, "-m", "hardener", "run", "--print-spec", *options, "--", "true"]
    return subprocess.run(command, capture_output=True, check=True, text=True, timeout=60).stdout


def default(*args: str, root: Path | str = "host", options: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the config.json of `harden run`, with this machine's root or another, for a program of Python or of the root."""
    named = ("host",) if root == "host" else ("--rootfs", str(root))
    document: dict[str, Any] = json.loads(_default((*options, *named)))
    document["process"]["args"] = list(args)
    document["mounts"] += [
        {"destination": path, "source": path, "type": "bind", "options": ["rbind", "ro"]} for path in (PYTHON, str(ATTACKS))
    ]
    return document


def script(name: str, *args: str) -> list[str]:
    """Return the words that run a script of the attacks inside."""
    return [*INTERPRETER, str(ATTACKS / name), *args]


def without(document: dict[str, Any], *walls: str) -> dict[str, Any]:
    """Return a container that lacks walls: seccomp, user, capabilities, cgroup, network, masks, landlock."""
    naive: dict[str, Any] = json.loads(json.dumps(document))
    linux, process = naive["linux"], naive["process"]
    if "seccomp" in walls:
        linux.pop("seccomp", None)
    if "user" in walls:
        linux.pop("uidMappings", None)
        linux.pop("gidMappings", None)
    if "capabilities" in walls:
        from hardener.linux.names import CAPABILITIES

        held = [f"CAP_{name}" for name in CAPABILITIES if name != "SYS_RESOURCE"]
        process["capabilities"] = dict.fromkeys(("bounding", "effective", "permitted", "inheritable"), held)
        process["noNewPrivileges"] = False
        linux.get("resources", {}).pop("devices", None)
    linux["namespaces"] = [row for row in linux["namespaces"] if row["type"] not in walls]
    if "masks" in walls:
        linux["maskedPaths"] = linux["readonlyPaths"] = []
    if "network" in walls:
        linux.pop("sysctl", None)
    if "landlock" in walls:
        naive.setdefault("annotations", {})["dev.hardener.landlock"] = "off"
    return naive
