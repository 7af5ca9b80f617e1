"""Python packages, out of what pip has installed and what setuptools left in the years before."""

import importlib.metadata
from pathlib import Path

import pytest
from package_images import Scanned

SITE = "usr/lib/python3.11/site-packages"


def metadata(name: str, version: str = "1.0", *more: str) -> str:
    return "\n".join(["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *more, "", f"Name: {name}-described"])


def test_what_pip_has_installed_here(tmp_path: Path) -> None:
    files: dict[str, bytes | str | None] = {}
    installed: dict[str, str] = {}
    for one in importlib.metadata.distributions():
        text = one.read_text("METADATA")
        name = one.metadata["Name"]
        if text is not None and name not in installed:
            installed[name] = one.version
            files[f"{SITE}/{name}-{one.version}.dist-info/METADATA"] = text
    found = Scanned(tmp_path, files)
    assert {package.name: package.version for package in found.packages} == installed
    pytest_ = found.one("pytest")
    assert (pytest_.purl, pytest_.licenses) == (f"pkg:pypi/pytest@{pytest.__version__}", ("MIT",))
    assert {"iniconfig", "pluggy"} <= set(pytest_.depends)


@pytest.mark.parametrize(
    ("path", "there"),
    [
        (f"{SITE}/a-1.dist-info/METADATA", True),
        (f"{SITE}/a.egg-info/PKG-INFO", True),
        (f"{SITE}/a-1.egg/EGG-INFO/PKG-INFO", True),
        (f"{SITE}/a-1-py3.11.egg-info", True),
        ("a-1.dist-info/METADATA", True),
        (f"{SITE}/a/METADATA", False),
        ("src/a-1/PKG-INFO", False),
        (f"{SITE}/a.egg-info/requires.txt", False),
    ],
)
def test_where_packages_say_who_they_are(tmp_path: Path, path: str, there: bool) -> None:
    assert Scanned(tmp_path, {path: metadata("a")}).names == (["pypi a 1.0"] if there else [])


@pytest.mark.parametrize(
    ("fields", "licenses"),
    [
        (["License-Expression: MIT or Apache-2.0", "License: x"], ("MIT OR Apache-2.0",)),
        (["Classifier: License :: OSI Approved :: MIT License", "License: x"], ("MIT",)),
        (["Classifier: License :: OSI Approved", "Classifier: License :: OSI Approved :: Apache Software License"], ("Apache-2.0",)),
        (["Classifier: License :: OSI Approved :: BSD License", "License: BSD-2-Clause"], ("BSD-2-Clause",)),
        (["License: UNKNOWN"], ()),
        (["License: Our own"], ("Our own",)),
        ([], ()),
    ],
)
def test_licences(tmp_path: Path, fields: list[str], licenses: tuple[str, ...]) -> None:
    assert Scanned(tmp_path, {f"{SITE}/a-1.dist-info/METADATA": metadata("a", "1", *fields)}).one("a").licenses == licenses


def test_what_only_an_extra_requires_is_no_dependency(tmp_path: Path) -> None:
    text = metadata(
        "a", "1", "Requires-Dist: b (>=1)", 'Requires-Dist: c; extra == "x"', 'Requires-Dist: d>1; python_version < "4"', "Requires-Dist: ;"
    )
    assert Scanned(tmp_path, {f"{SITE}/a-1.dist-info/METADATA": text}).one("a").depends == ("b", "d")


def test_a_link_to_the_cache_of_conda_or_uv_is_one_as_well(tmp_path: Path) -> None:
    found = Scanned(
        tmp_path, {"cache/a-1.dist-info/METADATA": metadata("a"), f"{SITE}/a-1.dist-info/METADATA": "=cache/a-1.dist-info/METADATA"}
    )
    assert found.one("a").places == (f"{SITE}/a-1.dist-info/METADATA",)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\0" * 100_000,
        b"Name: a\n" * 100_000,
        b"Name: a\r\nVersion: 1\r\n\r\n",
        b"Name:\nVersion:\n",
        b"Requires-Dist: " + b"a" * 250_000,
        b"Name: \xff\nVersion: \xfe",
    ],
    ids=["empty", "zeros", "repeated", "windows", "blank", "long", "no text"],
)
def test_hostile_metadata_is_read_in_bounds(tmp_path: Path, text: bytes) -> None:
    assert len(Scanned(tmp_path, {f"{SITE}/a-1.dist-info/METADATA": text}).packages) <= 1
