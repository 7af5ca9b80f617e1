"""What each package manager does with which sub-command, what it reads in a project, and where its cache is.

One table, so that a rule on packages says what it looks for and never how apk or npm spell it. How the options of each are read
stands in `sources.tools`. Source: the manual of each program.
"""

from collections.abc import Mapping
from typing import Final

from hardener.record import NamedTuple

INSTALL: Final = "install"  # named packages
PROJECT: Final = "project"  # whatever the manifest in the working directory lists
UPDATE: Final = "update"  # the index alone
UPGRADE: Final = "upgrade"  # everything that is installed
RELEASE: Final = "release-upgrade"  # the same, and packages may come and go
REMOVE: Final = "remove"
CLEAN: Final = "clean"
CONFIGURE: Final = "configure"  # repositories and settings
BUILD: Final = "build"  # compiles the project, fetching what it depends on
OTHER: Final = "other"


class Manager(NamedTuple):
    """One package manager."""

    name: str
    verbs: Mapping[str, str]  # a sub-command of one or two words -> what it does
    bare: str = OTHER  # what it does without a sub-command
    otherwise: str = OTHER  # what it does with one that is not in `verbs`
    manifest: str = ""  # what to copy before the sources, for managers that install a project
    cache: str = ""  # where a cache mount belongs


def _verbs(**actions: str) -> dict[str, str]:
    """Return verb -> action; verbs are separated by blanks, the two words of a double verb joined by `_`."""
    return {verb.replace("_", " "): action.replace("_", "-") for action, verbs in actions.items() for verb in verbs.split()}


APT: Final = Manager(
    "apt",
    _verbs(
        install="install reinstall build-dep satisfy",
        update="update",
        upgrade="upgrade safe-upgrade",
        release_upgrade="dist-upgrade full-upgrade",
        remove="remove purge autoremove autopurge",
        clean="clean autoclean distclean auto-clean",
    ),
    cache="/var/cache/apt",
)
APK: Final = Manager("apk", _verbs(install="add", update="update", upgrade="upgrade", remove="del", clean="cache"), cache="/var/cache/apk")
DNF: Final = Manager(
    "dnf",
    _verbs(
        install="install localinstall reinstall downgrade swap builddep groupinstall group_install module_install",
        update="makecache",
        upgrade="update upgrade upgrade-minimal update-minimal",
        release_upgrade="distro-sync dsync distrosync system-upgrade",
        remove="remove erase autoremove",
        clean="clean",
        configure="config-manager module_enable",
    ),
    cache="/var/cache/dnf",
)
ZYPPER: Final = Manager(
    "zypper",
    _verbs(
        install="install source-install install-new-recommends inr",
        update="refresh",
        upgrade="update patch",
        release_upgrade="dist-upgrade",
        remove="remove",
        clean="clean",
        configure="addrepo modifyrepo mr",
    ),
    cache="/var/cache/zypp",
)
PIP: Final = Manager(
    "pip", _verbs(install="install", clean="cache", configure="config"), manifest="requirements.txt", cache="/root/.cache/pip"
)
NPM: Final = Manager(
    "npm",
    _verbs(
        install="install",
        project="ci cit install-ci-test it install-test",
        clean="cache",
        remove="uninstall unlink",
        configure="config config_set",
    ),
    manifest="package.json package-lock.json",
    cache="/root/.npm",
)
MAVEN: Final = Manager("mvn", {}, OTHER, BUILD, "pom.xml", "/root/.m2")
GRADLE: Final = Manager("gradle", {}, OTHER, BUILD, "build.gradle settings.gradle", "/root/.gradle")
CONDA: Final = Manager(
    "conda",
    _verbs(
        install="install create",
        project="env_create env_update",
        upgrade="update upgrade",
        remove="remove uninstall",
        clean="clean",
        configure="config",
    ),
    manifest="environment.yml",
    cache="/opt/conda/pkgs",
)
BUNDLE: Final = Manager(
    "bundle",
    _verbs(project="install", configure="config", clean="clean"),
    bare=PROJECT,
    manifest="Gemfile Gemfile.lock",
    cache="/usr/local/bundle/cache",
)

MANAGERS: Final[Mapping[str, Manager]] = {
    "apt": APT,
    "apt-get": APT,
    "aptitude": APT,
    "apk": APK,
    "dnf": DNF,
    "yum": DNF._replace(name="yum", cache="/var/cache/yum"),
    "microdnf": DNF._replace(name="microdnf", cache="/var/cache/yum"),
    "tdnf": DNF._replace(name="tdnf", cache="/var/cache/tdnf"),
    "yum-config-manager": Manager("yum-config-manager", {}, CONFIGURE, CONFIGURE),
    "zypper": ZYPPER,
    "rpm": Manager("rpm", {}, OTHER, INSTALL),
    "debootstrap": Manager("debootstrap", {}, OTHER, INSTALL),
    "pip": PIP,
    "uv": Manager(
        "uv",
        _verbs(install="pip_install tool_install add", project="sync pip_sync", clean="cache_clean cache_prune"),
        manifest="pyproject.toml uv.lock",
        cache="/root/.cache/uv",
    ),
    "pipx": Manager("pipx", _verbs(install="install inject"), cache="/root/.cache/pip"),
    "pipenv": Manager("pipenv", _verbs(project="install sync"), manifest="Pipfile Pipfile.lock", cache="/root/.cache/pip"),
    "poetry": Manager(
        "poetry",
        _verbs(install="add", project="install sync", clean="cache", configure="config"),
        manifest="pyproject.toml poetry.lock",
        cache="/root/.cache/pypoetry",
    ),
    "npm": NPM,
    "yarn": Manager(
        "yarn",
        _verbs(install="add global_add dlx", project="install workspaces_focus", clean="cache_clean", remove="remove"),
        manifest="package.json yarn.lock",
        cache="/usr/local/share/.cache/yarn",
    ),
    "pnpm": Manager(
        "pnpm",
        _verbs(install="add dlx", project="install fetch", clean="store_prune", remove="remove"),
        manifest="package.json pnpm-lock.yaml",
        cache="/root/.local/share/pnpm/store",
    ),
    "bun": Manager(
        "bun",
        _verbs(install="add", project="install ci", remove="remove"),
        manifest="package.json bun.lock",
        cache="/root/.bun/install/cache",
    ),
    "gem": Manager("gem", _verbs(install="install", upgrade="update", clean="cleanup", configure="sources")),
    "bundle": BUNDLE,
    "composer": Manager(
        "composer",
        _verbs(install="require global_require create-project", project="install i", upgrade="update u upgrade", clean="clear-cache cc"),
        manifest="composer.json composer.lock",
        cache="/root/.composer/cache",
    ),
    "go": Manager(
        "go",
        _verbs(install="install get run", project="mod_download mod_tidy", build="build test vet generate", clean="clean", configure="env"),
        manifest="go.mod go.sum",
        cache="/go/pkg/mod",
    ),
    "cargo": Manager(
        "cargo",
        _verbs(install="install binstall", project="fetch vendor", build="build b test t check c run r"),
        manifest="Cargo.toml Cargo.lock",
        cache="/usr/local/cargo/registry",
    ),
    "conda": CONDA,
    "mvn": MAVEN,
    "gradle": GRADLE,
    "dotnet": Manager(
        "dotnet",
        _verbs(project="restore", build="build publish test", install="tool_install", configure="nuget_add"),
        manifest="*.csproj",
        cache="/root/.nuget/packages",
    ),
    "mix": Manager("mix", _verbs(project="deps.get", build="compile release"), manifest="mix.exs mix.lock", cache="/root/.hex"),
}
"""Every program that is a package manager, by the name that `sources.options` gives it: `python3 -m pip` is `pip`."""
