"""The tables on well-known images are dated, complete and about the past."""

import re

import pytest

from hardener.oci.reference import split
from hardener.rules import known_images
from hardener.rules.known_images import ended, slim_exists, starts_at_root

CHECKED = "2026-11-24"  # the day the tables were looked at; a release that ends later does not belong there


def test_every_date_is_a_day_that_has_passed() -> None:
    dates = [date for _, releases in known_images._RELEASES.values() for date in releases.values()]
    dates += [release.date for release in known_images._DISCONTINUED.values()]
    assert [date for date in dates if not re.fullmatch(r"20\d\d-[01]\d-[0-3]\d", date) or date > CHECKED] == []


def test_every_code_name_means_a_listed_release() -> None:
    missing = [
        name
        for name, (image, release) in known_images._CODENAMES.items()
        if not known_images._of_release(known_images._RELEASES[image], release)
    ]
    assert missing == []


@pytest.mark.parametrize(
    ("image", "names"),
    [
        ("node:20-alpine3.18", ["Node.js 20", "Alpine 3.18"]),
        ("python:3.12-buster", ["Debian 10 (buster)"]),
        ("python:3.1", ["Python 3.1"]),
        ("python:3.13", []),
        ("golang:1.2", []),
        ("alpine:3.2", ["Alpine 3.2"]),
        ("alpine:3.22", []),
        ("php:7-fpm", ["PHP 7"]),
        ("centos", ["the centos image"]),
        ("openjdk:24-ea", []),
        ("debian:bullseye-slim", ["Debian 11 (bullseye)"]),
        ("example.org/node:16", []),
    ],
)
def test_ended(image: str, names: list[str]) -> None:
    reference = split(image)
    assert [release.name for release in ended(reference, reference.tag)] == names


@pytest.mark.parametrize(
    ("image", "slim"),
    [
        ("node:22", True),
        ("node", True),
        ("node:22-bookworm", True),
        ("node:22-slim", False),
        ("node:22-alpine", False),
        ("debian:12", False),
    ],
)
def test_slim_exists(image: str, slim: bool) -> None:
    reference = split(image)
    assert slim_exists(reference.name, reference.tag) is slim


@pytest.mark.parametrize(
    ("image", "at_root"),
    [
        ("node:22", True),
        ("golang:1.25", False),
        ("mcr.microsoft.com/dotnet/sdk:10.0", True),
        ("acme/node:22", False),
        ("php:8-apache", False),
    ],
)
def test_starts_at_root(image: str, at_root: bool) -> None:
    assert starts_at_root(split(image)) is at_root
