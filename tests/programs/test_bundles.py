"""Bundles of the OCI runtime specification: what `runc spec` writes runs unchanged, as root and as an ordinary user."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import debian_roots
import pytest
from ordinary import UID, User

HARDEN = str(Path(sys.executable).with_name("harden"))
FIXTURES = Path(__file__).parents[1] / "fixtures" / "oci"
SCRIPT = "echo $((6 * 7)); id -u; exit 5\n"


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder that every user can reach, as pytest's own is not."""
    path = debian_roots.CACHE / tmp_path_factory.mktemp("bundle").name
    debian_roots.build()
    path.mkdir(mode=0o755)
    yield path
    shutil.rmtree(path)


def bundle(folder: Path, *options: str, uid: int = 0) -> Path:
    """Return a bundle with what `runc spec` writes: here and now where there is a runc, and what it once wrote where there is none."""
    folder.mkdir(exist_ok=True)
    (folder / "rootfs").symlink_to(debian_roots.build())
    if shutil.which("runc") and not uid:
        subprocess.run(["runc", "spec", *options], cwd=folder, check=True)
        return folder
    text = (FIXTURES / f"runc-spec{options[0].removeprefix('-') if options else ''}.json").read_text(encoding="utf-8")
    # It writes the ids of who asks.
    (folder / "config.json").write_text(text.replace('"hostID": 0', f'"hostID": {uid}'), encoding="utf-8")
    return folder


def run(*words: str, text: str = SCRIPT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([HARDEN, "run", *words], input=text, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("options", [(), ("--rootless",)])
def test_what_runc_writes_runs(folder: Path, options: tuple[str, ...]) -> None:
    done = run("--bundle", str(bundle(folder, *options)))
    assert (done.returncode, "42\n0\n" in done.stdout.replace("\r", "")) == (5, True), done
    assert "looser than policy default: cap_add KILL" in done.stderr


def test_what_runc_writes_for_an_ordinary_user_runs(folder: Path) -> None:
    made = bundle(folder / "bundle", "--rootless", uid=UID)
    (folder / "user").mkdir()
    done = User(folder / "user").harden("run", "--bundle", str(made), text=SCRIPT)
    assert (done.returncode, "42\n0\n" in done.stdout.replace("\r", "")) == (5, True), done


def test_a_bundle_without_a_user_namespace_is_not_for_users(folder: Path) -> None:
    made = bundle(folder / "bundle")
    (folder / "user").mkdir()
    done = User(folder / "user").harden("run", "--bundle", str(made), text=SCRIPT)
    assert done.returncode == 125
    assert "the limits cannot be enforced" in done.stderr or "user namespace" in done.stderr


def test_a_policy_that_is_asked_for_holds(folder: Path) -> None:
    done = run("--policy", "default", "--bundle", str(bundle(folder)))
    assert done.returncode == 125
    assert "the policy default does not allow" in done.stderr


@pytest.mark.parametrize("source", ["link", "{made}/link", "above/ssl"])
@pytest.mark.parametrize("options", [[], ["rbind", "ro"]])
def test_a_policy_judges_where_the_links_of_a_bundle_lead(folder: Path, source: str, options: list[str]) -> None:
    made = bundle(folder)
    (made / "link").symlink_to("/etc/ssl")
    (made / "above").symlink_to("/etc")
    document = json.loads((made / "config.json").read_text())
    document["mounts"].append({"destination": "/d", "type": "bind", "source": source.format(made=made), "options": options})
    (made / "config.json").write_text(json.dumps(document))
    done = run("--policy", "default", "--bundle", str(made))
    assert done.returncode == 125
    assert "volume /etc/ssl; it wants another path: this one is denied (/etc)" in done.stderr


def test_paths_start_from_the_bundle(folder: Path) -> None:
    made = bundle(folder)
    (made / "here").write_text("from the bundle\n")
    document = json.loads((made / "config.json").read_text())
    document["process"].update(terminal=False, args=["busybox", "cat", "/tmp/there"])
    document["mounts"].append({"destination": "/tmp/there", "type": "bind", "source": "here", "options": ["bind", "ro"]})
    (made / "config.json").write_text(json.dumps(document))
    assert run("--bundle", str(made)).stdout == "from the bundle\n"
    shown = json.loads(run("--print-spec", "--bundle", str(made)).stdout)
    assert shown["root"] == {"path": f"{made}/rootfs", "readonly": True}


@pytest.mark.parametrize(
    ("text", "words", "message"),
    [
        (None, [], "a bundle is a folder with a config.json"),
        ("{", [], "it is no JSON"),
        ("\udcff", [], "it is no JSON"),
        ("[]", [], "must be an object"),
        ("[" * 100_000, [], "it is no JSON"),
        ('{"ociVersion": "1.0.0", "process": {"cwd": "/", "args": ["x"]}}', [], "the bundle names no root filesystem"),
        (" " * (4 << 20) + "{}", [], "it is too large for a config.json"),
        ("{}", ["--memory", "64m"], "--memory beside a bundle"),
        ("{}", ["true"], "true beside a bundle"),
    ],
)
def test_what_is_no_bundle_is_refused(tmp_path: Path, text: str | None, words: list[str], message: str) -> None:
    if text is not None:
        (tmp_path / "config.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    done = run("--bundle", str(tmp_path), *words)
    assert done.returncode == 125
    assert message in done.stderr
