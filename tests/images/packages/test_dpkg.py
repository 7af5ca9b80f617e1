"""Packages of Debian, out of databases that dpkg has written, and out of such as no dpkg would write."""

import hashlib
import shutil
import subprocess
from functools import partial
from pathlib import Path

import pytest
from package_images import Scanned

STATUS = "var/lib/dpkg/status"
OS = 'ID=debian\nVERSION_ID="12"\nNAME="Debian GNU/Linux"\nVERSION_CODENAME=bookworm\n'


def stanza(name: str, version: str = "1.0-1", state: str = "install ok installed", *more: str) -> str:
    return "\n".join([f"Package: {name}", f"Status: {state}", "Architecture: amd64", f"Version: {version}", *more, "", ""])


def install(root: Path, name: str, control: str, files: dict[str, str], conffiles: str = "") -> None:
    """Build a package and have dpkg install it under a root."""
    tree = root.parent / f"tree-{name}"
    for path, content in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(content)
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(control)
    if conffiles:
        (tree / "DEBIAN" / "conffiles").write_text(conffiles)
    sums = [f"{hashlib.md5(text.encode()).hexdigest()}  {path}\n" for path, text in files.items() if f"/{path}" not in conffiles]
    (tree / "DEBIAN" / "md5sums").write_text("".join(sums))
    package = root.parent / f"{name}.deb"
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", str(tree), str(package)], check=True, capture_output=True)
    for folder in ("info", "updates", "triggers"):
        (root / "var/lib/dpkg" / folder).mkdir(parents=True, exist_ok=True)
    (root / STATUS).touch()
    subprocess.run(
        ["dpkg", f"--root={root}", f"--log={root.parent}/log", "--force-not-root", "--force-script-chrootless", "-i", str(package)],
        check=True,
        capture_output=True,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
    )


def files(root: Path) -> dict[str, bytes | str | None]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file() and not path.is_symlink()}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("dpkg-deb") is None:
        pytest.skip("needs dpkg")
    made = tmp_path_factory.mktemp("dpkg") / "root"
    made.mkdir()
    install(
        made,
        "tool",
        "Package: tool\nVersion: 1:2.0+b1-3\nArchitecture: all\nSource: toolbox (1:2.0-3)\nMaintainer: Ann <ann@example.org>\n"
        "Provides: hammer (= 2)\nDescription: a tool\n of two lines\n",
        {
            "usr/bin/tool": "tool",
            "etc/tool.conf": "a = 1\n",
            "usr/share/doc/tool/copyright": "Files: *\nLicense: GPL-2+\n\nFiles: b\nLicense: Expat\n",
        },
        "/etc/tool.conf\n",
    )
    install(
        made,
        "user",
        "Package: user\nVersion: 3\nArchitecture: all\nDepends: tool (>= 1), hammer | nail\nMaintainer: Bo <b@x.org>\nDescription: -\n",
        {"lib/user/data": "data"},
    )
    return made


def test_what_dpkg_has_installed(root: Path, tmp_path: Path) -> None:
    found = Scanned(tmp_path, {**files(root), "usr/lib/os-release": OS})
    tool, user = found.packages
    assert tool.purl == "pkg:deb/debian/tool@1:2.0%2Bb1-3?arch=all&distro=debian-12&upstream=toolbox%401:2.0-3"
    assert (tool.source, tool.source_version) == ("toolbox", "1:2.0-3")
    assert tool.licenses == ("GPL-2.0-or-later", "MIT")
    assert tool.supplier == "Ann <ann@example.org>"
    assert tool.provides == ("hammer",)
    assert (user.source, user.source_version) == ("user", "3")
    assert user.depends == ("tool", "hammer", "nail")
    assert user.path == STATUS


def _digest(content: bytes, name: str) -> str:
    return hashlib.new(name, content).hexdigest()


def test_files_are_owned_with_their_checksums(root: Path, tmp_path: Path) -> None:
    owned = Scanned(tmp_path, files(root)).owned
    for path in ("usr/bin/tool", "etc/tool.conf", "lib/user/data", "usr/lib/user/data"):
        content = (root / path.replace("usr/lib/", "lib/")).read_bytes()
        assert owned.is_pristine(path, partial(_digest, content))
        assert not owned.is_pristine(path, lambda name: hashlib.new(name, b"other").hexdigest())
    assert owned.owner("etc/tool.conf") == "tool"
    assert owned.owner("etc/passwd") == ""


def test_a_package_is_of_the_layer_that_installed_it(tmp_path: Path) -> None:
    one = {STATUS: stanza("tool"), "var/lib/dpkg/info/tool.list": "/.\n"}
    two = {STATUS: stanza("tool") + stanza("user"), "var/lib/dpkg/info/user:amd64.list": "/.\n"}
    found = Scanned(tmp_path, one, two)
    assert [(package.name, package.layer and package.layer.index) for package in found.packages] == [("tool", 0), ("user", 1)]


@pytest.mark.parametrize(
    ("state", "there"),
    [
        ("install ok installed", True),
        ("hold ok installed", True),
        ("install ok half-configured", True),
        ("deinstall ok config-files", False),
        ("purge ok not-installed", False),
        ("install ok", False),
    ],
)
def test_a_package_that_has_gone_is_not_listed(tmp_path: Path, state: str, there: bool) -> None:
    assert Scanned(tmp_path, {STATUS: stanza("a", state=state)}).names == (["deb a 1.0-1"] if there else [])


def test_a_database_that_was_deleted_is_not_read(tmp_path: Path) -> None:
    assert Scanned(tmp_path, {STATUS: stanza("a")}, {STATUS: None}).names == []
    assert Scanned(tmp_path / "2", {STATUS: stanza("a")}, {STATUS: stanza("b")}).names == ["deb b 1.0-1"]


def test_the_parts_of_a_distroless_image(tmp_path: Path) -> None:
    digits = hashlib.md5(b"x").hexdigest()
    found = Scanned(
        tmp_path,
        {
            "var/lib/dpkg/status.d/libc6": "Package: libc6\nVersion: 2.36\nArchitecture: amd64\nSource: glibc\n",
            "var/lib/dpkg/status.d/libc6.md5sums": f"{digits}  ./lib/libc.so\n",
        },
    )
    assert found.names == ["deb libc6 2.36"]
    assert found.owned.is_pristine("usr/lib/libc.so", lambda name: hashlib.new(name, b"x").hexdigest())


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n" * 1_000_000,
        b"Package: a\n" * 300_000,
        b"\x00\xff" * 100_000,
        b"Package: a\nVersion: 1\nStatus: install ok installed\nDepends: " + b"," * 200_000,
        b"Package: a\nVersion: 1\nStatus: install ok installed\nConffiles:\n" + b" /x 1\n" * 200_000,
        b"Package:\nVersion:\nStatus:\n\nPackage",
        b"Package: a\nSource: (\nVersion: 1\nStatus: install ok installed\n",
    ],
    ids=["empty", "newlines", "repeated", "binary", "commas", "conffiles", "no values", "source"],
)
def test_hostile_databases_are_read_in_bounds(tmp_path: Path, text: bytes) -> None:
    found = Scanned(tmp_path, {STATUS: text, "var/lib/dpkg/info/a.md5sums": text, "usr/share/doc/a/copyright": text})
    assert len(found.packages) <= 1
    assert not found.owned.is_pristine("x", lambda _: "")
