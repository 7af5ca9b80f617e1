"""`harden` as an ordinary user starts it: by a Python and from files that everybody may read, with or without ranges of ids.

The checkout and its Python may lie where only root reads, so the package is copied. The files that hand out ranges are bound over in a
mount namespace of the launch: nothing of this machine changes.
"""

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

import pytest

PYTHON = "/usr/bin/python3"
CHECKOUT = Path(__file__).parents[2]
# Who it is: a user whom every Debian has and nobody is.
UID = 1
RANGE = "daemon:300000:65536"
WITHOUT_LIMITS = [word for name in ("memory", "pids", "cpu") for word in ("--allow-unenforced", name)]
SCRIPT = """\
for file in subuid subgid; do
    [ -e /etc/$file ] || touch /etc/$file
    mount --bind "$1/$file" /etc/$file
done
[ -z "$2" ] || mount --bind /dev/null "$2"
cd "$1/package" && shift 2
exec setpriv --reuid 1 --regid 1 --clear-groups --inh-caps=-all "$@"
"""


class User:
    """An ordinary user; `ranges` are the lines of /etc/subuid and /etc/subgid, `hidden` is a program that he does not have."""

    def __init__(self, folder: Path, *, ranges: str = "", hidden: str = "") -> None:
        if not Path(PYTHON).exists():
            pytest.skip(f"needs {PYTHON}")
        self.folder = folder
        self.hidden = hidden
        self.home = folder / "home"
        for name in ("subuid", "subgid"):
            (folder / name).write_text(ranges)
        self.home.mkdir()
        os.chown(self.home, UID, UID)
        package = folder / "package"
        for name in ("hardener", "policies", "rules"):
            shutil.copytree(CHECKOUT / name, package / name, ignore=shutil.ignore_patterns("__pycache__"))
        yaml = importlib.util.find_spec("yaml")
        assert yaml is not None
        assert yaml.origin is not None
        shutil.copytree(Path(yaml.origin).parent, package / "yaml")

    def harden(self, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run harden."""
        command = ["unshare", "-m", "--propagation", "private", "sh", "-c", SCRIPT, "sh", str(self.folder), self.hidden]
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(self.home), "PYTHONDONTWRITEBYTECODE": "1"}
        command += [PYTHON, "-m", "hardener", *words]
        return subprocess.run(command, input=text, capture_output=True, text=True, timeout=300, check=False, env=environment)

    def run(self, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run a container, without the limits that only some users can set."""
        return self.harden("run", *WITHOUT_LIMITS, *words, text=text)
