"""Packages and distributions -> what OSV calls their ecosystem, by which name it lists a package, and how its versions compare.

Source: "Defined ecosystems" in the OSV schema 1.7, and how the exports of each are written.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from hardener.record import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Home(NamedTuple):
    """Where the advisories on a package are looked for."""

    base: str  # the ecosystem without its release: the folder of a mirror
    label: str  # what a person calls it, with the release
    exact: tuple[str, ...]  # the ecosystems that hold for it
    pattern: str  # a regular expression over further ones; "" for none
    scheme: str  # of `versions.SCHEMES`
    by: str  # "source", "both" (source and binary package) or "name"
    paid: tuple[str, ...] = ()  # ecosystems whose fixes come with a subscription: looked at when there is nothing else

    def holds(self, ecosystem: str) -> bool:
        """Whether what is said of an ecosystem of the mirror holds here."""
        return ecosystem in self.exact or bool(self.pattern and re.fullmatch(self.pattern, ecosystem))


class System(Protocol):
    """The distribution of an image, as its os-release says."""

    @property
    def id(self) -> str:
        """`ID`: debian."""

    @property
    def version_id(self) -> str:
        """`VERSION_ID`: 12."""


LANGUAGES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {"pypi": ("PyPI", "pep440"), "npm": ("npm", "semver"), "golang": ("Go", "golang")}
)
SYSTEMS: Final = MappingProxyType({"deb": "dpkg", "apk": "apk", "rpm": "rpm"})
# Distributions whose exports name the release as it is, by ID: the ecosystem, how many numbers of VERSION_ID it has (0: none), a prefix.
_NUMBERED: Final[Mapping[str, tuple[str, int, str]]] = MappingProxyType(
    {
        "debian": ("Debian", 1, ""),
        "alpine": ("Alpine", 2, "v"),
        "almalinux": ("AlmaLinux", 1, ""),
        "rocky": ("Rocky Linux", 1, ""),
        "mageia": ("Mageia", 1, ""),
        "photon": ("Photon OS", 2, ""),
        "azurelinux": ("Azure Linux", 1, ""),
        "opensuse-leap": ("openSUSE", 2, "Leap "),
        "wolfi": ("Wolfi", 0, ""),
        "chainguard": ("Chainguard", 0, ""),
        "minimos": ("MinimOS", 0, ""),
        "alpaquita": ("Alpaquita", 0, ""),
    }
)
_BY_SOURCE: Final = frozenset({"Debian", "Ubuntu", "Alpine"})
# Headers of the kernel, to compile against: of the source package's faults they have none.
_HEADERS: Final = re.compile(
    r"linux-libc-dev(-[a-z0-9]+)*|linux-headers(-.*)?|linux-doc(-.*)?|linux-kbuild-.*|kernel-headers|kernel-doc|kernel-srpm-macros"
)
_KERNELS: Final = re.compile(r"linux|linux-lts|linux-headers|linux-(signed|meta|hwe|aws|azure|gcp|oracle|raspi|kvm)([.-].*)?|kernel(-.*)?")


def home(kind: str, system: System | None) -> Home | None:
    """Return where advisories on packages of a kind are looked for; None when there are none for that distribution."""
    language = LANGUAGES.get(kind)
    if language:
        return Home(language[0], language[0], (language[0],), "", language[1], "name")
    scheme = SYSTEMS.get(kind)
    if scheme is None or system is None:
        return None
    return _of_system(scheme, system)


def is_known(folder: str) -> bool:
    """Whether the name of a folder, perhaps with a release, is one of an ecosystem that we ever look into."""
    return folder.partition(":")[0] in _BASES


def is_of_kernel(source: str, name: str) -> bool:
    """Whether a package is made from the source of the kernel, but only headers or papers."""
    return bool(_HEADERS.fullmatch(name)) and bool(_KERNELS.fullmatch(source or name))


def listed_name(kind: str, name: str) -> str:
    """Return the name under which an ecosystem of a language lists a package: of PyPI, normalised as PEP 503 says."""
    return re.sub(r"[-_.]+", "-", name).lower() if kind == "pypi" else name


def _of_system(scheme: str, system: System) -> Home | None:
    version = system.version_id
    if system.id == "ubuntu":
        plain = (f"Ubuntu:{version}:LTS", f"Ubuntu:{version}", "Ubuntu")
        paid = tuple(f"Ubuntu:Pro:{part}" for part in (f"{version}:LTS", version))
        return Home("Ubuntu", f"Ubuntu:{version}", plain, "", scheme, "source", paid)
    if system.id in ("rhel", "redhat"):
        major = re.escape(version.partition(".")[0])
        return Home(
            "Red Hat", f"Red Hat:{version}", (), rf"Red Hat:(enterprise_linux|rhel_[a-z]+):{major}(\.[0-9]+)?(::.*)?", scheme, "both"
        )
    if system.id in ("sles", "sle_hpc", "sles_sap"):
        number, _, pack = version.partition(".")
        release = re.escape(f"{number} SP{pack}" if pack and pack != "0" else number)
        return Home("SUSE", f"SUSE:{version}", (), rf"SUSE:Linux Enterprise .* {release}(-[A-Z]+)*", scheme, "both")
    if system.id == "opensuse-tumbleweed":
        return Home("openSUSE", "openSUSE:Tumbleweed", ("openSUSE:Tumbleweed",), "", scheme, "both")
    numbered = _NUMBERED.get(system.id)
    if numbered is None:
        return None
    base, numbers, prefix = numbered
    by = "source" if base in _BY_SOURCE else "both"
    if not numbers:
        return Home(base, base, (base,), "", scheme, by)
    release = prefix + ".".join(version.split(".")[:numbers])
    if system.id == "alpine" and "_" in version:  # 3.21_alpha20240807: what is not released yet
        release = "edge"
    if not version:  # Debian testing and unstable say none
        return Home(base, f"{base} without a release", (base,), "", scheme, by)
    return Home(base, f"{base}:{release}", (f"{base}:{release}", base), "", scheme, by)


_BASES: Final = frozenset(
    {"Ubuntu", "Red Hat", "SUSE", "openSUSE", *(row[0] for row in LANGUAGES.values()), *(row[0] for row in _NUMBERED.values())}
)
