"""Sources of binds that change after a policy has judged them: what is mounted is what was judged, or nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from launching import config, launch

from hardener.runtime.job import Rootfs


@pytest.fixture
def command(folder: Path) -> list[str]:
    return ["env", f"HARDENER_ROOT={folder / 'home'}", sys.executable, "-m", "hardener"]


def lay(folder: Path) -> Path:
    """Return a folder to share, which whoever may write to the one above can exchange."""
    shared = folder / "others" / "shared"
    shared.mkdir(parents=True)
    (shared / "word").write_text("shared\n")
    return shared


def exchange(shared: Path, target: str, where: str) -> None:
    at = shared if where == "itself" else shared.parent
    at.rename(f"{at}.old")
    if where == "above":
        target = os.path.dirname(target)
    at.symlink_to(target)


@pytest.mark.parametrize("where", ["itself", "above"])
def test_a_container_that_starts_again_gets_no_other_folder(folder: Path, command: list[str], where: str) -> None:
    shared = lay(folder)
    secret = folder / "secret" / "shared"
    secret.mkdir(parents=True)
    (secret / "word").write_text("secret\n")
    words = ["run", "--name", "one", "-v", f"{shared}:/tmp/d", "host", "--", "cat", "/tmp/d/word"]
    first = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
    assert (first.returncode, first.stdout) == (0, "shared\n"), first
    exchange(shared, str(secret), where)
    again = subprocess.run([*command, "start", "-a", "one"], capture_output=True, text=True, check=False)
    assert again.returncode != 0, again
    assert "secret" not in again.stdout
    assert "is not what it was: a link lies in its path" in again.stderr
    assert subprocess.run([*command, "rm", "one"], capture_output=True, text=True, check=False).returncode == 0


def test_a_source_is_opened_without_following_a_link(root: Path, folder: Path) -> None:
    shared = lay(folder)
    document = config(root, "/bin/cat", "/d/word")
    document["mounts"].append({"destination": "/d", "type": "bind", "source": str(shared), "options": ["rbind"]})
    judged = Rootfs(layers=(str(root),), judged=("/d",))
    assert launch(document, folder, rootfs=judged).out == "shared\n"
    exchange(shared, "/etc", "itself")
    result = launch(document, folder, rootfs=judged)
    assert (result.code != 0, result.out) == (True, ""), result
    assert "a link lies in its path" in result.error
    shared.unlink()
    gone = launch(document, folder, rootfs=judged)
    assert (gone.code != 0, "the source of /d does not exist" in gone.error) == (True, True), gone
