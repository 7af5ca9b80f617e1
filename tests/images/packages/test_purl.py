"""Package URLs are those of the specification's own library."""

import pytest
from packageurl import PackageURL

from hardener.images.packages.model import Distribution, Package

DEBIAN = Distribution("debian", "12", "Debian GNU/Linux", "bookworm")
NONE = Distribution()


def package(kind: str, name: str, version: str, arch: str = "", distribution: Distribution = NONE, source: str = "") -> Package:
    source, _, version_of_source = source.partition(" ")
    return Package(kind, name, version, None, "", arch, source, version_of_source, distribution=distribution)


@pytest.mark.parametrize(
    ("given", "purl"),
    [
        (
            package("deb", "libstdc++6", "12.2.0-14+deb12u1", "amd64", DEBIAN),
            "pkg:deb/debian/libstdc%2B%2B6@12.2.0-14%2Bdeb12u1?arch=amd64&distro=debian-12",
        ),
        (
            package("deb", "login", "1:4.13+dfsg1-1+b1", "amd64", DEBIAN, source="shadow 1:4.13+dfsg1-1"),
            "pkg:deb/debian/login@1:4.13%2Bdfsg1-1%2Bb1?arch=amd64&distro=debian-12&upstream=shadow%401:4.13%2Bdfsg1-1",
        ),
        (package("deb", "tar", "1.34~x", "all"), "pkg:deb/tar@1.34~x?arch=all"),
        (package("deb", "tar", "1", "all", Distribution("debian", "", "", "sid")), "pkg:deb/debian/tar@1?arch=all&distro=debian-sid"),
        (
            package("apk", "ca-certificates", "20240226-r0", "x86_64", Distribution("alpine", "3.20.1")),
            "pkg:apk/alpine/ca-certificates@20240226-r0?arch=x86_64&distro=alpine-3.20.1",
        ),
        (
            package("rpm", "bash", "5.2.26-3.fc40", "x86_64", Distribution("fedora", "40")),
            "pkg:rpm/fedora/bash@5.2.26-3.fc40?arch=x86_64&distro=fedora-40",
        ),
        (
            package("rpm", "dbus", "1:1.12-8.el9", "noarch", Distribution("rhel", "9.4")),
            "pkg:rpm/redhat/dbus@1.12-8.el9?arch=noarch&distro=rhel-9.4&epoch=1",
        ),
        (package("pypi", "Ruamel_Yaml.clib", "0.2"), "pkg:pypi/ruamel-yaml.clib@0.2"),
        (package("npm", "@angular/core", "17.0.0-rc.1"), "pkg:npm/%40angular/core@17.0.0-rc.1"),
        (package("npm", "lodash", "4.17.21"), "pkg:npm/lodash@4.17.21"),
        (package("golang", "github.com/BurntSushi/toml", "v1.3.2"), "pkg:golang/github.com/burntsushi/toml@v1.3.2"),
        (package("golang", "gopkg.in/yaml.v3", ""), "pkg:golang/gopkg.in/yaml.v3"),
        (
            package("golang", "github.com/docker/docker", "v24.0.7+incompatible"),
            "pkg:golang/github.com/docker/docker@v24.0.7%2Bincompatible",
        ),
    ],
    ids=lambda value: value.split("?")[0] if isinstance(value, str) else "",
)
def test_a_package_url(given: Package, purl: str) -> None:
    assert given.purl == purl
    read = PackageURL.from_string(purl)
    assert read.to_string() == purl
    assert read.type == given.kind


def test_names_that_are_no_text_do_not_break_it() -> None:
    assert package("deb", "a\udcff", "1").purl == "pkg:deb/a%FF@1"
    assert package("pypi", "ü\n\x00/?#", "1@2 3").purl == "pkg:pypi/%C3%BC%0A%00%2F%3F%23@1%402%203"
