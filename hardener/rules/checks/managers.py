"""What is known of each package manager: its verbs, which options take a value, where it keeps its index and its cache.

One table, so that a rule on packages says what it looks for and never how apk or npm spell it. Sources: the manual page or
`--help` of each program.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

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
    verbs: Mapping[str, str]  # a verb of one or two words -> what it does
    values: frozenset[str]  # options that take the next word as their value
    bare: str = OTHER  # what it does without a verb
    otherwise: str = OTHER  # what it does with a verb that is not in `verbs`
    single_dash: bool = False  # `-long` is one option, not a cluster of letters
    manifest: str = ""  # what to copy before the sources, for managers that install a project
    cache: str = ""  # where a cache mount belongs


def _verbs(**actions: str) -> dict[str, str]:
    """Return verb -> action; verbs are separated by blanks, the two words of a double verb joined by `_`."""
    return {verb.replace("_", " "): action.replace("_", "-") for action, verbs in actions.items() for verb in verbs.split()}


def names(text: str) -> frozenset[str]:
    """Return the words of a text as a set: how tables of names are written here."""
    return frozenset(text.split())


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
    names("-t --target-release --default-release -o --option -c --config-file -a --host-architecture -P --build-profiles -w -F -O"),
    cache="/var/cache/apt",
)
APK: Final = Manager(
    "apk",
    _verbs(install="add", update="update", upgrade="upgrade", remove="del", clean="cache"),
    names(
        "-t --virtual -X --repository -p --root --arch --keys-dir --cache-dir --repositories-file --wait --cache-max-age "
        "--progress-fd --timeout"
    ),
    cache="/var/cache/apk",
)
_DNF_VALUES = names(
    "-c --config -d --debuglevel -e --errorlevel -x --exclude --excludepkgs -R --randomwait --enablerepo --disablerepo --installroot "
    "--releasever --setopt --repo --repoid --repofrompath --forcearch --comment --destdir --downloaddir --advisory --add-repo "
    "--from-repo "
    "--setvar --setvars --disableplugin --enableplugin --rpmverbosity --set"
)
DNF: Final = Manager(
    "dnf",
    _verbs(
        install="install localinstall reinstall downgrade swap builddep groupinstall group_install module_install groups_install",
        update="makecache",
        upgrade="update upgrade upgrade-minimal update-minimal",
        release_upgrade="distro-sync dsync distrosync system-upgrade",
        remove="remove erase autoremove",
        clean="clean",
        configure="config-manager module_enable",
    ),
    _DNF_VALUES,
    cache="/var/cache/dnf",
)
YUM: Final = DNF._replace(name="yum", cache="/var/cache/yum")
MICRODNF: Final = DNF._replace(name="microdnf", cache="/var/cache/yum")
TDNF: Final = DNF._replace(name="tdnf", cache="/var/cache/tdnf")
YUM_CONFIG: Final = Manager("yum-config-manager", {}, _DNF_VALUES, CONFIGURE, CONFIGURE)
ZYPPER: Final = Manager(
    "zypper",
    _verbs(
        install="install in source-install si install-new-recommends inr",
        update="refresh ref",
        upgrade="update up patch",
        release_upgrade="dist-upgrade dup",
        remove="remove rm",
        clean="clean cc",
        configure="addrepo ar modifyrepo mr",
    ),
    names(
        "-R --root --installroot -D --reposd-dir -C --cache-dir --pkg-cache-dir --raw-cache-dir -r --repo --from --name -t --type "
        "-p --plus-repo -c --config"
    ),
    cache="/var/cache/zypp",
)
RPM: Final = Manager("rpm", {}, names("--root --dbpath --define --prefix --relocate --excludepath -D -E --eval"), OTHER, INSTALL)
DEBOOTSTRAP: Final = Manager("debootstrap", {}, names("--arch --include --exclude --components --variant --keyring"), OTHER, INSTALL)

_PIP_VALUES = names(
    "-r --requirement --requirements -c --constraint --constraints -e --editable -t --target --platform --python-version "
    "--implementation --abi "
    "--root --prefix -b --build --src --upgrade-strategy --install-option --global-option --no-binary --only-binary --progress-bar -i "
    "--index-url --extra-index-url -f --find-links --cache-dir --log --proxy --retries --timeout --exists-action --trusted-host --cert "
    "--client-cert -C --config-settings --config-setting --use-feature --use-deprecated --report --root-user-action --group "
    "--keyring-provider "
    "--default-index --index --index-strategy --link-mode --exclude-newer --resolution --prerelease -P --upgrade-package -p --python "
    "--override --overrides --build-constraint --build-constraints --extra --no-build-package --torch-backend --suffix --pip-args "
    "--preinstall"
)
PIP: Final = Manager(
    "pip",
    _verbs(install="install", clean="cache", configure="config"),
    _PIP_VALUES - names("-p -P -b --extra --preinstall"),
    manifest="requirements.txt",
    cache="/root/.cache/pip",
)
UV: Final = Manager(
    "uv",
    _verbs(install="pip_install tool_install add", project="sync pip_sync", clean="cache_clean cache_prune"),
    _PIP_VALUES
    | names(
        "--with --with-requirements --with-editable -w --package --project --directory --only-group --no-group --no-extra --branch "
        "--tag --rev"
    ),
    manifest="pyproject.toml uv.lock",
    cache="/root/.cache/uv",
)
PIPX: Final = Manager("pipx", _verbs(install="install inject"), _PIP_VALUES, cache="/root/.cache/pip")
PIPENV: Final = Manager(
    "pipenv",
    _verbs(project="install sync"),
    names("--python -r --requirements -i --index -e --editable --categories --extra-pip-args"),
    manifest="Pipfile Pipfile.lock",
    cache="/root/.cache/pip",
)
POETRY: Final = Manager(
    "poetry",
    _verbs(install="add", project="install sync", clean="cache", configure="config"),
    names("-E --extras --with --without --only -C --directory -P --project -G --group --source"),
    manifest="pyproject.toml poetry.lock",
    cache="/root/.cache/pypoetry",
)
_NPM_VALUES = names(
    "--loglevel --registry --prefix -C --cache --tag --omit --only --include --save-prefix -w --workspace --userconfig "
    "--globalconfig --otp "
    "--script-shell --install-strategy --fetch-timeout --fetch-retries --maxsockets --before --cpu --os --libc --network-timeout "
    "--network-concurrency --modules-folder --cache-folder --mutex --cwd --proxy --https-proxy --use-yarnrc --reporter --filter -F --dir "
    "--store-dir --virtual-store-dir --modules-dir --child-concurrency --global-dir --backend"
)
NPM: Final = Manager(
    "npm",
    _verbs(
        install="install i in ins inst insta instal isnt isnta isntal isntall add",
        project="ci clean-install ic install-clean isntall-clean cit install-test it",
        clean="cache",
        remove="uninstall remove rm un unlink",
        configure="config set",
    ),
    _NPM_VALUES,
    manifest="package.json package-lock.json",
    cache="/root/.npm",
)
YARN: Final = Manager(
    "yarn",
    _verbs(install="add global_add dlx", project="install workspaces_focus", clean="cache_clean", remove="remove", configure="config set"),
    _NPM_VALUES,
    bare=PROJECT,
    manifest="package.json yarn.lock",
    cache="/usr/local/share/.cache/yarn",
)
PNPM: Final = Manager(
    "pnpm",
    _verbs(install="add dlx", project="install i fetch", clean="store_prune", remove="remove rm uninstall un", configure="config set"),
    _NPM_VALUES,
    manifest="package.json pnpm-lock.yaml",
    cache="/root/.local/share/pnpm/store",
)
BUN: Final = Manager(
    "bun",
    _verbs(install="add", project="install i ci", remove="remove rm"),
    _NPM_VALUES,
    manifest="package.json bun.lock",
    cache="/root/.bun/install/cache",
)
GEM: Final = Manager(
    "gem",
    _verbs(install="install i", upgrade="update", clean="cleanup", configure="sources"),
    names(
        "-v --version -i --install-dir -n --bindir --document -P --trust-policy --platform -s --source -p --http-proxy -g --file "
        "--build-root -B --bulk-threshold"
    ),
)
BUNDLE: Final = Manager(
    "bundle",
    _verbs(project="install", configure="config", clean="clean"),
    names("-j --jobs --gemfile --path --without --with --retry --trust-policy --shebang --binstubs"),
    bare=PROJECT,
    manifest="Gemfile Gemfile.lock",
    cache="/usr/local/bundle/cache",
)
COMPOSER: Final = Manager(
    "composer",
    _verbs(
        install="require global_require create-project", project="install i", upgrade="update u upgrade", clean="clear-cache clearcache cc"
    ),
    names("-d --working-dir --prefer-install --ignore-platform-req --apcu-autoloader-prefix"),
    manifest="composer.json composer.lock",
    cache="/root/.composer/cache",
)
GO: Final = Manager(
    "go",
    _verbs(install="install get run", project="mod_download mod_tidy", build="build test vet generate", clean="clean", configure="env"),
    names(
        "-ldflags -tags -gcflags -asmflags -mod -modfile -o -p -C -overlay -pkgdir -toolexec -buildmode -compiler -exec -installsuffix "
        "-coverpkg -covermode -pgo -run -bench -count -timeout -coverprofile -parallel"
    ),
    single_dash=True,
    manifest="go.mod go.sum",
    cache="/go/pkg/mod",
)
CARGO: Final = Manager(
    "cargo",
    _verbs(install="install binstall", project="fetch vendor", build="build b test t check c run r"),
    names(
        "--version --vers --git --branch --tag --rev --path --root --registry --index -F --features --target --target-dir --profile "
        "-j --jobs "
        "--color --config -Z --bin --example -p --package --exclude --manifest-path --message-format --targets --strategies --rate-limit"
    ),
    manifest="Cargo.toml Cargo.lock",
    cache="/usr/local/cargo/registry",
)
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
    names(
        "-n --name -p --prefix -c --channel -f --file --solver --platform --subdir --repodata-fn --strict-channel --override -r "
        "--root-prefix"
    ),
    manifest="environment.yml",
    cache="/opt/conda/pkgs",
)
MAVEN: Final = Manager(
    "mvn",
    {},
    names("-f --file -P --activate-profiles -pl --projects -s --settings -gs -t -T --threads -rf --resume-from -D --define -l --log-file"),
    bare=OTHER,
    otherwise=BUILD,
    single_dash=True,
    manifest="pom.xml",
    cache="/root/.m2",
)
GRADLE: Final = Manager(
    "gradle",
    _verbs(other="wrapper init --version"),
    names(
        "-p --project-dir -b --build-file -c --settings-file -x --exclude-task -g --gradle-user-home -I --init-script --console "
        "--max-workers"
    ),
    bare=OTHER,
    otherwise=BUILD,
    manifest="build.gradle settings.gradle gradle.properties",
    cache="/root/.gradle",
)
DOTNET: Final = Manager(
    "dotnet",
    _verbs(project="restore", build="build publish test", install="tool_install", configure="nuget_add"),
    names(
        "-c --configuration -r --runtime -o --output -f --framework -a --arch --os -v --verbosity -s --source --configfile "
        "--packages --version "
        "--tool-path --add-source --self-contained"
    ),
    manifest="*.csproj",
    cache="/root/.nuget/packages",
)
MIX: Final = Manager(
    "mix",
    _verbs(project="deps.get", build="compile release"),
    names("--only --target"),
    manifest="mix.exs mix.lock",
    cache="/root/.hex",
)

PROGRAMS: Final[Mapping[str, Manager]] = {
    "apt": APT,
    "apt-get": APT,
    "aptitude": APT,
    "apk": APK,
    "dnf": DNF,
    "dnf5": DNF,
    "yum": YUM,
    "microdnf": MICRODNF,
    "tdnf": TDNF,
    "yum-config-manager": YUM_CONFIG,
    "zypper": ZYPPER,
    "rpm": RPM,
    "debootstrap": DEBOOTSTRAP,
    "pip": PIP,
    "uv": UV,
    "pipx": PIPX,
    "pipenv": PIPENV,
    "poetry": POETRY,
    "npm": NPM,
    "yarn": YARN,
    "yarnpkg": YARN,
    "pnpm": PNPM,
    "bun": BUN,
    "gem": GEM,
    "bundle": BUNDLE,
    "bundler": BUNDLE,
    "composer": COMPOSER,
    "composer.phar": COMPOSER,
    "go": GO,
    "cargo": CARGO,
    "conda": CONDA,
    "mamba": CONDA,
    "micromamba": CONDA,
    "mvn": MAVEN,
    "mvnw": MAVEN,
    "gradle": GRADLE,
    "gradlew": GRADLE,
    "dotnet": DOTNET,
    "mix": MIX,
}
"""Every program that is a package manager. `pip3.12` and `python3 -m pip` are `pip`."""
