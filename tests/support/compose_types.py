"""Fourteen kinds of value at each of three hundred places of a compose file, and whether Docker Compose takes them.

`tests/fixtures/compose_types.json` has a line for each place: `+` for each of `VALUES` that was taken, `-` for each that was refused, by
Docker Compose v2.40.3. With HARDEN_RECORD=1 it is recorded anew, which takes minutes.
"""

import json
import subprocess
from pathlib import Path
from typing import Any, Final

FILE: Final = Path(__file__).parent.parent / "fixtures" / "compose_types.json"

VALUES: Final[dict[str, Any]] = {
    "null": None, "bool": True, "int": 5, "float": 1.5, "str": "text", "emptylist": [], "list": ["a"], "map": {"a": "b"}, "emptymap": {},
    "intlist": [5], "maplist": [{"a": "b"}], "nullitem": [None], "nullvalue": {"a": None}, "intvalue": {"a": 5},
}  # fmt: skip

# What must stand beside the key under test for the place to be right at all.
_BESIDE: Final[dict[str, dict[str, Any]]] = {
    "services.a.ports.0": {"target": 80},
    "services.a.volumes.0": {"type": "volume", "source": "v", "target": "/x"},
    "services.a.devices.0": {"source": "/dev/a", "target": "/dev/b"},
    "services.a.depends_on.b": {"condition": "service_started"},
    "services.a.secrets.0": {"source": "n"},
    "services.a.env_file.0": {"path": "/dev/null"},
    "services.a.ulimits.nofile": {"soft": 1, "hard": 2},
    "services.a.post_start.0": {"command": "x"},
    "services.a.gpus.0": {"capabilities": ["gpu"]},
    "services.a.develop.watch.0": {"path": ".", "action": "rebuild", "target": "/x"},
    "services.a.extends": {"service": "b"},
    "services.a.provider": {"type": "x"},
    "secrets.n": {"file": "./x"},
    "configs.n": {"file": "./x"},
    "models.n": {"model": "m"},
}


def verdicts() -> dict[str, str]:
    """Return the recorded verdicts by place."""
    found: dict[str, str] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def document(path: str, value: Any) -> dict[str, Any]:
    """Return a compose file with a value at a place; numbers in the path are places in lists."""
    root: dict[str, Any] = {
        "services": {"a": {"image": "x"}, "b": {"image": "y"}},
        "networks": {"n": {}},
        "volumes": {"v": {}},
        "secrets": {"n": {"file": "./x"}},
    }
    steps = path.split(".")
    here: Any = root
    for index, step in enumerate(steps[:-1]):
        beside = dict(_BESIDE.get(".".join(steps[: index + 1]), {}))
        following: Any = [] if steps[index + 1].isdigit() else beside
        if step.isdigit():
            here.append(following)
            here = following
        else:
            if here.get(step):
                following = here[step]
                following.update(beside)
            here[step] = following
            here = following
    if steps[-1].isdigit():
        here.append(value)
    else:
        here[steps[-1]] = value
    return root


def record(command: tuple[str, ...], folder: Path) -> None:
    """Ask the real tool about everything."""
    found = {}
    for path in verdicts():
        marks = []
        for value in VALUES.values():
            done = subprocess.run(
                [*command, "-f", "-", "config", "--format", "json"],
                input=json.dumps(document(path, value)), capture_output=True, text=True, cwd=folder, check=False,
            )  # fmt: skip
            marks.append("+" if done.stdout.startswith("{") else "-")
        found[path] = "".join(marks)
    FILE.write_text(json.dumps(found, indent=0) + "\n", encoding="utf-8")
