"""What a path makes of what is found under it: where programs come with examples, where names mean something, what nobody need read."""

from typing import Final

from hardener.text import Pattern


def words(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


# Checksums by the thousand, hosts, sources of names, and files of package managers that quote whatever they like.
_SKIPPED_NAMES: Final = words(
    """
    package-lock.json npm-shrinkwrap.json yarn.lock pnpm-lock.yaml bun.lock poetry.lock pipfile.lock uv.lock go.sum cargo.lock composer.lock
    nsswitch.conf gemfile.lock packages.lock.json .terraform.lock.hcl flake.lock deno.lock mix.lock
    known_hosts record moduli .package-lock.json
    """
)
_SKIPPED_FOLDERS: Final = (
    "usr/share/zoneinfo/", "usr/share/locale/", "usr/share/i18n/", "usr/share/ca-certificates/", "usr/share/icons/", "usr/share/fonts/",
    "usr/share/terminfo/", "usr/share/keyrings/", "usr/share/mime/", "usr/lib/locale/", "etc/ssl/certs/", "var/lib/dpkg/info/",
    "var/lib/apt/", "lib/apk/", "var/cache/apt/", "var/cache/debconf/", "var/cache/man/", "var/cache/ldconfig/",
)  # fmt: skip

# Where a plain word under a secret's name is a password. In code it is a variable, in prose a remark.
_CONFIGURED_ENDS: Final = words(
    """
    env envrc properties ini cfg conf cnf config toml yaml yml json json5 xml tfvars tf hcl sh bash zsh ksh fish service timer container php
    sql ps1 bat cmd credentials secret secrets passwd pass creds http rest plist gradle sbt dockerfile ovpn nmconnection rc history inc
    """
)
_CONFIGURED_NAMES: Final = words(
    """
    makefile procfile jenkinsfile vagrantfile crontab environment credentials secret secrets password passwords .env .bashrc .zshrc .profile
    .bash_profile .bash_login .zprofile .zshenv .bash_aliases .curlrc .wgetrc .inputrc .bash_history .zsh_history .ash_history .sh_history
    .history .python_history .psql_history .mysql_history .rediscli_history .node_repl_history .sqlite_history .irb_history fish_history
    .condarc
    """
)
_CODE_ENDS: Final = words(
    "py js ts jsx tsx mjs cjs rb pl pm lua go java kt scala cs vb swift rs c cpp h hpp groovy r jl ex exs erl clj dart"
)
_SCRIPT_ENDS: Final = words("py js ts mjs cjs rb pl lua")
_SCRIPT_NAMES: Final = words("settings config configuration local secrets credentials")  # settings.py, local_settings.py, db.config.js
_CONFIGURED_FOLDERS: Final = (
    "run/secrets/",
    "var/run/secrets/",
    "etc/cron",
    "etc/profile.d/",
    "etc/sudoers.d/",
    "etc/init.d/",
    "etc/default/",
)

_SAMPLE: Final = Pattern(
    r"""(?xi)
      (?:^|/)(?:tests?|testing|testdata|test[-_]data|spec|specs|fixtures?|__tests__|examples?|samples?|demos?|docs?|doc|man|mocks?|__mocks__
        |benchmarks?|tutorials?)/
    | (?:^|/)(?:test_[^/]+\.py|[^/]+(?:_test|\.test|\.spec|_spec)\.\w+|conftest\.py)$
    | (?:^|/)(?:readme|changelog|changes|history|news|contributing|licen[cs]e|copying|copyright|authors)(?:\.\w{1,8})?$
    | \.(?:md|markdown|rst|adoc|pod|html?)$
    | (?:^|[/._-])(?:example|sample|template|dist|defaults?)(?:$|[._-][^/]*$)
    """
)
_LIBRARY: Final = Pattern(
    r"""(?xi)
      (?:^|/)(?:site-packages|dist-packages|node_modules|bower_components|vendor|gems|pkg/mod|\.cargo/registry|\.m2/repository
        |jre|jdk[\w.-]*)/
    | ^(?:usr/(?:local/)?(?:lib|lib32|lib64|libexec|include|share)|lib|lib64|opt/(?:conda|java|jdk)[^/]*)/
    | ^usr/local/go/ | ^nix/store/
    """
)


def is_skipped(path: str) -> bool:
    """Whether a file, by its path without a `/` before it, holds nothing but checksums and the like, or is somebody else's list."""
    return path.rpartition("/")[2].lower() in _SKIPPED_NAMES or path.startswith(_SKIPPED_FOLDERS)


def is_sample(path: str) -> bool:
    """Whether a file is a test, an example or documentation."""
    return _SAMPLE.search(path) is not None


def is_library(path: str) -> bool:
    """Whether a file belongs to a package that somebody else has published."""
    return _LIBRARY.search(path) is not None


def is_code(path: str) -> bool:
    """Whether a file is a program's source."""
    return path.rpartition(".")[2].lower() in _CODE_ENDS


def is_dotenv(path: str) -> bool:
    """Whether a file is one of `NAME=value` lines that no shell reads."""
    name = path.rpartition("/")[2].lower()
    return name.endswith(".env") or name.startswith(".env.")


def is_configuration(path: str) -> bool:
    """Whether a file configures something, so that literals under the names of secrets are secrets there."""
    name = path.rpartition("/")[2].lower()
    stem, dot, end = name.rpartition(".")
    if (dot and end in _CONFIGURED_ENDS) or name in _CONFIGURED_NAMES or name.startswith((".env.", "dockerfile", "containerfile")):
        return True
    if end in _SCRIPT_ENDS and not _SCRIPT_NAMES.isdisjoint(stem.replace("-", ".").replace("_", ".").split(".")):
        return True
    return path.startswith(_CONFIGURED_FOLDERS)
