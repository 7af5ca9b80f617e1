"""What is public knowledge about well-known images: which releases have ended, which have a smaller variant, which set a WORKDIR.

Facts with a date, so that a file gets the same findings today and in a year: nothing here asks the clock. A release that is not
listed is unknown, and unknown is silent. Last checked: November 2026.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from hardener.oci.reference import Reference
from hardener.record import NamedTuple
from hardener.text import Pattern


class Ended(NamedTuple):
    """A release that gets no more fixes: what it is called and since when (ISO date)."""

    name: str
    date: str


def _releases(text: str) -> dict[tuple[str, ...], str]:
    """Read `version date` pairs; a version is a prefix of the versions it stands for (`16` is 16.20.2 too)."""
    words = text.split()
    return {tuple(version.split(".")): date for version, date in zip(words[::2], words[1::2], strict=True)}


# Image name -> product, and releases with the last day on which everybody got fixes. Paid extensions are not counted.
_RELEASES: Final[Mapping[str, tuple[str, Mapping[tuple[str, ...], str]]]] = {
    # wiki.debian.org/LTS: the end of LTS, which is later than that of the security team
    "debian": (
        "Debian",
        _releases("6 2016-02-29 7 2018-05-31 8 2020-06-30 9 2022-06-30 10 2024-06-30 11 2026-08-31"),
    ),
    # ubuntu.com/about/release-cycle: the end of standard support
    "ubuntu": (
        "Ubuntu",
        _releases(
            "10.04 2015-04-30 12.04 2017-04-28 14.04 2019-04-25 14.10 2015-07-23 15.04 2016-02-04 15.10 2016-07-28 16.04 2021-04-30 "
            "16.10 2017-07-20 17.04 2018-01-13 17.10 2018-07-19 18.04 2023-05-31 18.10 2019-07-18 19.04 2020-01-23 19.10 2020-07-17 "
            "20.04 2025-05-31 20.10 2021-07-22 21.04 2022-01-20 21.10 2022-07-14 22.10 2023-07-20 23.04 2024-01-25 23.10 2024-07-11 "
            "24.10 2025-07-10 25.04 2026-01-15"
        ),
    ),
    # alpinelinux.org/releases
    "alpine": (
        "Alpine",
        _releases(
            "2 2016-11-01 3.1 2016-11-01 3.2 2017-05-01 3.3 2017-11-01 3.4 2018-05-01 3.5 2018-11-01 3.6 2019-05-01 3.7 2019-11-01 "
            "3.8 2020-05-01 3.9 2020-11-01 3.10 2021-05-01 3.11 2021-11-01 3.12 2022-05-01 3.13 2022-11-01 3.14 2023-05-01 "
            "3.15 2023-11-01 3.16 2024-05-23 3.17 2024-11-22 3.18 2025-05-09 3.19 2025-11-01 3.20 2026-04-01 3.21 2026-11-01"
        ),
    ),
    # docs.fedoraproject.org/en-US/releases/eol
    "fedora": (
        "Fedora",
        _releases(
            "20 2015-06-23 21 2015-12-01 22 2016-07-19 23 2016-12-20 24 2017-08-08 25 2017-12-12 26 2018-05-29 27 2018-11-30 "
            "28 2019-05-28 29 2019-11-26 30 2020-05-26 31 2020-11-24 32 2021-05-25 33 2021-11-30 34 2022-06-07 35 2022-12-13 "
            "36 2023-05-16 37 2023-12-05 38 2024-05-21 39 2024-11-26 40 2025-05-13 41 2025-12-15"
        ),
    ),
    # centos.org/download: CentOS Linux, and Stream where the tag says so
    "centos": ("CentOS", _releases("5 2017-03-31 6 2020-11-30 7 2024-06-30 8 2021-12-31 stream8 2024-05-31")),
    # aws.amazon.com/amazon-linux-ami and aws.amazon.com/amazon-linux-2/faqs
    "amazonlinux": ("Amazon Linux", _releases("1 2023-12-31 2016 2023-12-31 2017 2023-12-31 2018 2023-12-31 2 2026-06-30")),
    # en.opensuse.org/Lifetime
    "opensuse/leap": (
        "openSUSE Leap",
        _releases(
            "42 2019-06-30 15.0 2019-12-03 15.1 2021-02-02 15.2 2022-01-04 15.3 2022-12-31 15.4 2023-12-07 15.5 2024-12-31 15.6 2026-04-30"
        ),
    ),
    # oracle.com/a/ocom/docs/elsp-lifetime-069338.pdf: the end of premier support
    "oraclelinux": ("Oracle Linux", _releases("5 2017-06-30 6 2021-03-31 7 2024-12-31")),
    # devguide.python.org/versions
    "python": (
        "Python",
        _releases(
            "2 2020-01-01 3.0 2009-06-27 3.1 2012-04-09 3.2 2016-02-20 3.3 2017-09-29 3.4 2019-03-18 3.5 2020-09-30 3.6 2021-12-23 "
            "3.7 2023-06-27 3.8 2024-10-07 3.9 2025-10-31 3.10 2026-10-31"
        ),
    ),
    # github.com/nodejs/release
    "node": (
        "Node.js",
        _releases(
            "0 2016-12-31 4 2018-04-30 5 2016-06-30 6 2019-04-30 7 2017-06-30 8 2019-12-31 9 2018-06-30 10 2021-04-30 11 2019-06-01 "
            "12 2022-04-30 13 2020-06-01 14 2023-04-30 15 2021-06-01 16 2023-09-11 17 2022-06-01 18 2025-04-30 19 2023-06-01 "
            "20 2026-04-30 21 2024-06-01 23 2025-06-01 25 2026-06-01 argon 2018-04-30 boron 2019-04-30 carbon 2019-12-31 "
            "dubnium 2021-04-30 erbium 2022-04-30 fermium 2023-04-30 gallium 2023-09-11 hydrogen 2025-04-30 iron 2026-04-30"
        ),
    ),
    # php.net/eol.php
    "php": (
        "PHP",
        _releases(
            "5 2018-12-31 5.3 2014-08-14 5.4 2015-09-03 5.5 2016-07-21 5.6 2018-12-31 7 2022-11-28 7.0 2019-01-10 7.1 2019-12-01 "
            "7.2 2020-11-30 7.3 2021-12-06 7.4 2022-11-28 8.0 2023-11-26 8.1 2025-12-31"
        ),
    ),
    # ruby-lang.org/en/downloads/branches
    "ruby": (
        "Ruby",
        _releases(
            "1 2015-02-23 2 2023-03-31 2.0 2016-02-24 2.1 2017-03-31 2.2 2018-03-31 2.3 2019-03-31 2.4 2020-03-31 2.5 2021-03-31 "
            "2.6 2022-04-12 2.7 2023-03-31 3.0 2024-04-23 3.1 2025-03-26 3.2 2026-03-31"
        ),
    ),
    # go.dev/doc/devel/release: a release ends with the second one after it
    "golang": (
        "Go",
        _releases(
            "1.3 2015-08-19 1.4 2016-02-17 1.5 2016-08-15 1.6 2017-02-16 1.7 2017-08-24 1.8 2018-02-16 1.9 2018-08-24 1.10 2019-02-25 "
            "1.11 2019-09-03 1.12 2020-02-25 1.13 2020-08-11 1.14 2021-02-16 1.15 2021-08-16 1.16 2022-03-15 1.17 2022-08-02 "
            "1.18 2023-02-01 1.19 2023-08-08 1.20 2024-02-06 1.21 2024-08-13 1.22 2025-02-11 1.23 2025-08-12"
        ),
    ),
    # dotnet.microsoft.com/platform/support/policy/dotnet-core
    "dotnet": (
        ".NET",
        _releases(
            "1 2019-06-27 2.0 2018-10-01 2.1 2021-08-21 2.2 2019-12-23 3.0 2020-03-03 3.1 2022-12-13 5.0 2022-05-10 6.0 2024-11-12 "
            "7.0 2024-05-14 8.0 2026-11-10 9.0 2026-11-10"
        ),
    ),
    # postgresql.org/support/versioning
    "postgres": (
        "PostgreSQL",
        _releases(
            "8 2014-07-24 9 2021-11-11 9.0 2015-10-08 9.1 2016-10-27 9.2 2017-11-09 9.3 2018-11-08 9.4 2020-02-13 9.5 2021-02-11 "
            "9.6 2021-11-11 10 2022-11-10 11 2023-11-09 12 2024-11-21 13 2025-11-13 14 2026-11-12"
        ),
    ),
    # oracle.com/us/support/library/lifetime-support-technology-069183.pdf
    "mysql": ("MySQL", _releases("5 2023-10-31 5.5 2018-12-31 5.6 2021-02-28 5.7 2023-10-31 8.0 2026-04-30")),
    # mariadb.org/about/#maintenance-policy
    "mariadb": (
        "MariaDB",
        _releases(
            "5 2020-04-11 10.0 2019-03-31 10.1 2020-10-17 10.2 2022-05-23 10.3 2023-05-25 10.4 2024-06-18 10.5 2025-06-24 10.6 2026-07-06"
        ),
    ),
    # mongodb.com/legal/support-policy/lifecycles
    "mongo": (
        "MongoDB",
        _releases("2 2018-03-31 3 2021-04-30 4 2024-02-29 4.0 2022-04-30 4.2 2023-04-30 5 2024-10-31 6 2025-07-31"),
    ),
    # elastic.co/support/eol
    "elasticsearch": ("Elasticsearch", _releases("1 2017-01-16 2 2018-02-28 5 2019-03-11 6 2022-02-10 7 2026-01-15")),
    # tomcat.apache.org/whichversion.html
    "tomcat": ("Tomcat", _releases("6 2016-12-31 7 2021-03-31 8.0 2018-06-30 8.5 2024-03-31")),
    # httpd.apache.org
    "httpd": ("Apache httpd", _releases("2.2 2017-07-11")),
}
_SAME_RELEASES: Final = {
    "quay.io/centos/centos": "centos",
    "docker.elastic.co/elasticsearch/elasticsearch": "elasticsearch",
    "public.ecr.aws/amazonlinux/amazonlinux": "amazonlinux",
    "opensuse": "opensuse/leap",
    **{
        f"mcr.microsoft.com/dotnet/{core}{part}": "dotnet"
        for core in ("", "core/", "nightly/")
        for part in ("sdk", "aspnet", "runtime", "runtime-deps")
    },
}

# hub.docker.com: images whose pages say that they are no longer maintained, whatever the tag.
_DISCONTINUED: Final = {
    "centos": Ended("the centos image", "2024-06-30"),
    "java": Ended("the java image", "2016-12-31"),
    "iojs": Ended("io.js", "2015-09-08"),
    "openjdk": Ended("the openjdk image", "2022-07-31"),
    "adoptopenjdk": Ended("the adoptopenjdk image", "2021-08-01"),
    "ubuntu-upstart": Ended("the ubuntu-upstart image", "2016-04-30"),
    "ubuntu-debootstrap": Ended("the ubuntu-debootstrap image", "2016-04-30"),
}

# Code names in tags (`python:3.12-buster`): no other meaning, so they count in any image's tag.
_CODENAMES: Final = {
    "squeeze": ("debian", "6"), "wheezy": ("debian", "7"), "jessie": ("debian", "8"), "stretch": ("debian", "9"),
    "buster": ("debian", "10"), "bullseye": ("debian", "11"),
    "precise": ("ubuntu", "12.04"), "trusty": ("ubuntu", "14.04"), "xenial": ("ubuntu", "16.04"), "bionic": ("ubuntu", "18.04"),
    "focal": ("ubuntu", "20.04"), "groovy": ("ubuntu", "20.10"), "hirsute": ("ubuntu", "21.04"), "impish": ("ubuntu", "21.10"),
    "kinetic": ("ubuntu", "22.10"), "lunar": ("ubuntu", "23.04"), "mantic": ("ubuntu", "23.10"), "oracular": ("ubuntu", "24.10"),
    "plucky": ("ubuntu", "25.04"),
}  # fmt: skip

_SUFFIXED = Pattern(r"(alpine|ubuntu|debian|centos|fedora)(\d+(?:\.\d+)?)")
_LEADING_VERSION = Pattern(r"(?:v|centos)?(\d+(?:\.\d+)*)(?![\d.])", re.ASCII)
_EARLY_ACCESS = Pattern(r"(?:^|-)ea(?:-|$)")

# Images that come in a full variant and a `-slim` one of the same release.
_WITH_SLIM: Final = frozenset({"node", "python", "ruby", "perl", "rust", "elixir", "erlang", "haskell", "pypy"})
_FULL: Final = Pattern(
    r"(?:(?:latest|lts|current|stable|rc|[a-z]?\d[\w.]*|bookworm|trixie|bullseye|buster|stretch|jessie|jdk|otp|ea)(?:-|$))+", re.ASCII
)

# Official images, and Microsoft's and Google's runtimes, whose configuration sets no WORKDIR (or `/`).
_AT_ROOT: Final = frozenset(
    {
        "almalinux", "alpine", "amazoncorretto", "amazonlinux", "archlinux", "bash", "buildpack-deps", "busybox", "centos", "clojure",
        "debian", "dart", "docker", "eclipse-temurin", "elixir", "erlang", "fedora", "gcc", "haproxy", "haskell", "ibmjava", "java",
        "julia", "mageia", "mariadb", "maven", "memcached", "mongo", "mysql", "nginx", "node", "openjdk", "oraclelinux", "perl",
        "photon", "postgres", "pypy", "python", "r-base", "rabbitmq", "rockylinux", "ruby", "rust", "sapmachine", "swift", "traefik",
        "ubuntu",
    }
)  # fmt: skip
_AT_ROOT_ELSEWHERE: Final = Pattern(r"mcr\.microsoft\.com/(?:dotnet|openjdk)/.*|nvidia/cuda")

# Official images that somebody copies files from; a bare name that is not here is more likely a misspelt stage.
OFFICIAL: Final = _AT_ROOT | frozenset(
    {
        "caddy", "chronograf", "composer", "consul", "couchdb", "drupal", "elasticsearch", "ghost", "golang", "gradle", "groovy",
        "hello-world", "httpd", "hugo", "influxdb", "jetty", "jruby", "kibana", "kong", "logstash", "nats", "neo4j", "nextcloud", "php",
        "redis", "registry", "solr", "sonarqube", "spark", "telegraf", "tomcat", "vault", "wordpress", "xwiki", "zookeeper",
    }
)  # fmt: skip

# Images whose own configuration has a HEALTHCHECK, by their Dockerfiles.
_CHECKED: Final = Pattern(
    r"(?:gitlab/gitlab-[ce]e|pihole/pihole|itzg/.*|vaultwarden/server|netdata/netdata|openzipkin/.*|jc21/nginx-proxy-manager|"
    r"mattermost/.*)"
)

# Images whose configuration has no EXPOSE.
_NO_PORTS: Final = frozenset(
    {
        "alpine", "debian", "ubuntu", "busybox", "fedora", "centos", "rockylinux", "almalinux", "amazonlinux", "archlinux", "node",
        "python", "pypy", "ruby", "golang", "rust", "perl", "openjdk", "eclipse-temurin", "amazoncorretto", "elixir", "erlang",
    }
)  # fmt: skip


_KNOWN_ENDED: Final[dict[tuple[str, str | None], tuple[Ended, ...]]] = {}


def ended(reference: Reference, tag: str | None) -> tuple[Ended, ...]:
    """Return what of an image has reached its end of life: its own release, and the distribution that its tag names.

    Remembered: the Dockerfiles of a tree repeat their bases.
    """
    key = (reference.name, tag)
    found = _KNOWN_ENDED.get(key)
    if found is None:
        found = _KNOWN_ENDED[key] = tuple(_ended(reference, tag))
    return found


def _ended(reference: Reference, tag: str | None) -> Iterator[Ended]:
    name = reference.name
    key = _SAME_RELEASES.get(name, name)
    product = _RELEASES.get(key)
    if product is not None and tag is not None:
        found = _of_release(product, tag)
        if found is not None:
            yield found
            if key in ("debian", "ubuntu", "alpine"):
                return
        elif name in _DISCONTINUED:
            yield _DISCONTINUED[name]
    elif name in _DISCONTINUED and not (tag is not None and _EARLY_ACCESS.search(tag)):
        yield _DISCONTINUED[name]
    if tag is not None:
        for part in tag.lower().split("-"):
            release = _CODENAMES.get(part)
            match = _SUFFIXED.fullmatch(part)
            if release is not None:
                found = _of_release(_RELEASES[release[0]], release[1])
                if found is not None:
                    yield Ended(f"{found.name} ({part})", found.date)
            elif match is not None and match[1] != key:
                found = _of_release(_RELEASES[match[1]], match[2])
                if found is not None:
                    yield found


def _of_release(product: tuple[str, Mapping[tuple[str, ...], str]], tag: str) -> Ended | None:
    """Return the end of the release that a tag starts with; the most exact entry of the table counts."""
    title, releases = product
    first = tag.lower().split("-", 1)[0].split("_", 1)[0]
    match = _LEADING_VERSION.match(first)
    for version in ((first,), tuple(match[1].split(".")) if match is not None else ()):
        for length in range(len(version), 0, -1):
            date = releases.get(version[:length])
            if date is not None:
                return Ended(f"{title} {'.'.join(version[:length])}", date)
    return None


def release_ended(product: str, version: str) -> Ended | None:
    """Return the end of a distribution's release; None when it gets fixes, or is not known. `product` is the name of its image."""
    found = _RELEASES.get(product)
    return None if found is None else _of_release(found, version)


def slim_exists(name: str, tag: str | None) -> bool:
    """Whether an image is the full variant of a release that also comes as `-slim`."""
    return name in _WITH_SLIM and (tag is None or _FULL.fullmatch(tag.lower()) is not None)


def starts_at_root(reference: Reference) -> bool:
    """Whether an image is known to have no WORKDIR of its own."""
    name = reference.name
    return name in _AT_ROOT or _AT_ROOT_ELSEWHERE.fullmatch(name) is not None


def checks_health(name: str) -> bool | None:
    """Return whether an image has a HEALTHCHECK of its own; None when nobody has looked.

    Official images have none as a matter of policy (docker-library's FAQ, "Healthcheck").
    """
    if name in OFFICIAL:
        return False
    return True if _CHECKED.fullmatch(name) is not None else None


def exposes_nothing(name: str) -> bool:
    """Whether the configuration of an image is known to have no EXPOSE."""
    return name in _NO_PORTS
