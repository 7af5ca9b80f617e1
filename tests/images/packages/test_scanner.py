"""What holds for packages of all kinds: which of them count, and how much is read for them."""

import json
from pathlib import Path

import pytest
from package_images import Scanned

from hardener.errors import HardenError
from hardener.images.packages import model, npm, scanner

STATUS = "var/lib/dpkg/status"
SITE = "usr/lib/python3/dist-packages"
INFO = f"{SITE}/a-1.egg-info"


def stanza(name: str, version: str = "1") -> str:
    return f"Package: {name}\nStatus: install ok installed\nArchitecture: all\nVersion: {version}\n\n"


OWNED: dict[str, bytes | str | None] = {
    STATUS: stanza("python3-a"),
    "var/lib/dpkg/info/python3-a.list": f"/{INFO}\n",
    "var/lib/dpkg/info/python3-a.md5sums": "0" * 32 + f"  {INFO}\n",
    INFO: "Name: a\nVersion: 1\n",
}


def test_what_a_package_of_the_distribution_brought_is_told_with_it(tmp_path: Path) -> None:
    found = Scanned(tmp_path, OWNED)
    assert found.names == ["deb python3-a 1"]
    assert found.one("python3-a").holds == ("pkg:pypi/a@1",)


def test_unless_a_later_layer_has_put_another_in_its_place(tmp_path: Path) -> None:
    found = Scanned(tmp_path, OWNED, {INFO: "Name: a\nVersion: 2\n"})
    assert found.names == ["deb python3-a 1", "pypi a 2"]
    assert found.one("python3-a").holds == ()


def test_or_the_same_is_somewhere_else_as_well(tmp_path: Path) -> None:
    assert Scanned(tmp_path, {**OWNED, "opt/a-1.dist-info/METADATA": "Name: a\nVersion: 1\n"}).names == ["deb python3-a 1", "pypi a 1"]


def test_what_a_later_layer_deletes_is_not_there(tmp_path: Path) -> None:
    layers: list[dict[str, bytes | str | None]] = [
        {"srv/node_modules/a/package.json": json.dumps({"name": "a", "version": "1.0.0"}), f"{SITE}/b-1.egg-info": "Name: b\nVersion: 1\n"},
        {"srv/node_modules": None, f"{SITE}/b-1.egg-info": None, f"{SITE}/b-2.egg-info": "Name: b\nVersion: 2\n"},
    ]
    found = Scanned(tmp_path, *layers)
    assert found.names == ["pypi b 2"]
    assert [package.layer and package.layer.index for package in found.packages] == [1]


def test_a_link_in_the_place_of_a_database_is_another_database(tmp_path: Path) -> None:
    from layouts import Layout, entry, link, tar

    from hardener.images import layout
    from hardener.images.scan import scan

    made = Layout(tmp_path / "layout")
    real, other = entry("db/status", stanza("real").encode()), entry(STATUS, stanza("hidden").encode())
    made.add(made.image(tar(real, other), tar(link(STATUS, "/db/status"))))
    seen = scanner.PackageScanner()
    view = scan(layout.read(str(made.path)), [seen])
    assert seen.packages(view) == ()


def test_a_folder_may_be_a_link(tmp_path: Path) -> None:
    from layouts import Layout, entry, folder, link, tar

    from hardener.images import layout
    from hardener.images.scan import scan

    made = Layout(tmp_path / "layout")
    made.add(made.image(tar(folder("usr/lib"), link("lib", "usr/lib"), entry("lib/apk/db/installed", b"P:a\nV:1\n"))))
    seen = scanner.PackageScanner()
    view = scan(layout.read(str(made.path)), [seen])
    assert [package.name for package in seen.packages(view)] == ["a"]


def test_the_distribution_is_what_etc_says(tmp_path: Path) -> None:
    usr: dict[str, bytes | str | None] = {"usr/lib/os-release": 'ID=debian\nVERSION_ID="12"\n# x\n'}
    found = Scanned(tmp_path, usr)
    assert found.scanner.distribution(found.view) == model.Distribution("debian", "12")
    found = Scanned(tmp_path / "2", {**usr, "etc/os-release": 'NAME=\'Mine "own"\'\nID=MINE\nVERSION_ID="1\\$x"\nVERSION_CODENAME=\n'})
    assert found.scanner.distribution(found.view) == model.Distribution("mine", "1$x", 'Mine "own"')
    found = Scanned(tmp_path / "3", {"etc/os-release": b"ID=\nID=$(reboot)\n\xff\n" + b"NAME=" * 20_000})
    assert found.scanner.distribution(found.view).release in ("", "$(reboot)")


def test_what_is_too_large_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npm, "LIMIT", 100)
    found = Scanned(tmp_path, {"srv/package-lock.json": "x" * 101, "app/package-lock.json": "x" * 101}, {"app/package-lock.json": None})
    assert found.names == []
    assert found.scanner.notes == ("srv/package-lock.json is not read: it is larger than 0 MiB",)


def test_no_more_is_kept_than_memory_allows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanner, "MOST", 3 * (scanner.EACH + 20))
    monkeypatch.setattr(scanner, "MOST_REFUSED", 4)
    files: dict[str, bytes | str | None] = {f"{SITE}/{name}-1.egg-info": f"Name: {name}\nVersion: 1" for name in "abcdefgh"}
    found = Scanned(tmp_path, files)
    assert found.names == ["pypi a 1", "pypi b 1", "pypi c 1"]
    assert [note.partition(" ")[0].rpartition("/")[2] for note in found.scanner.notes[:-1]] == [f"{name}-1.egg-info" for name in "defg"]
    assert found.scanner.notes[-1] == "more than 4 files are not read"


def test_more_packages_than_there_can_be_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanner, "MOST_PACKAGES", 10)
    with pytest.raises(HardenError, match="more than 10 packages"):
        Scanned(tmp_path, {STATUS: "".join(stanza(f"p{number}") for number in range(11))}).names  # noqa: B018


def test_more_files_than_there_can_be_have_no_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "MOST_FILES", 2)
    owned = Scanned(tmp_path, {"var/lib/dpkg/info/a.md5sums": "".join(f"{'0' * 32}  f{number}\n" for number in range(5))}).owned
    assert [owned.owner(f"f{number}") for number in range(4)] == ["a", "a", "", ""]
