"""Which packages are asked for without saying which version: one notion of a pin for each package manager.

A variable anywhere in a package's name leaves it undecided, and undecided is not unpinned.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final

from hardener.finding import Match
from hardener.rules.checks import Check
from hardener.rules.checks.builds import build_of, use_of
from hardener.rules.checks.installs import Package, Use, is_local, value_span
from hardener.rules.checks.managers import INSTALL
from hardener.rules.context import Context
from hardener.sources.commands import Invocation
from hardener.sources.shell import Word
from hardener.sources.stages import Stage
from hardener.text import Pattern

Pinned = Callable[[str, Use], bool]
"""`(package, use) -> whether the text says which version`; also true for what no index decides, such as a local file."""

_RPM_VERSION: Final = Pattern(r"-(?:\d+:)?\d[^-]*(?:-\d[^-]*)?$")
_PIP_COMPARATOR: Final = Pattern(r"[=<>~!]=?|@")
_NPM_TAG: Final = Pattern(r"[A-Za-z][\w.-]*$")
_NPM_GIT: Final = Pattern(r"(?:git\+|git://|github:|gitlab:|bitbucket:|gist:|git@)|[\w.-]+/[\w.-]+$|.*\.git$")
_MOVING_REFS: Final = frozenset({"latest", "upgrade", "patch", "master", "main", "head", "trunk", "develop", "dev", "next"})


def unpinned(pinned: Pinned, *managers: str) -> Check:
    """Return the check for packages of some managers that `pinned` does not accept."""

    def check(invocation: Invocation, context: Context) -> Iterator[Match]:
        use = use_of(invocation)
        if use is None or use.action != INSTALL or use.manager.name not in managers:
            return
        last: Word | None = None
        for package in use.packages:
            # A variable that stands for ten packages is one finding.
            if package.static and package.word is not last and not pinned(package.text, use):
                last = package.word
                yield Match(package.word.span, {"package": package.text})

    return check


def apt(text: str, use: Use) -> bool:
    """`name=version`, `name/release`, or a file; a trailing `-` removes."""
    if use.verb in ("build-dep", "satisfy") or build_of(use.instruction.document).sets("apt-snapshot"):
        return True
    return "=" in text or "/" in text or text.endswith((".deb", "-"))


def apk(text: str, use: Use) -> bool:
    """`name=1.2`, `name~1.2`, `name<2`, or a file; `!name` is a conflict and `.name` a virtual package."""
    return any(char in text for char in "=~<>") or "/" in text or text.endswith(".apk") or text[:1] in ("!", ".")


def rpm(text: str, use: Use) -> bool:
    """`name-1.2`, `name-1.2-3.el9`, `name = 1.2`, a module stream `name:stream`, a file; groups have no version."""
    if any(char in text for char in "=<>/:") or text.startswith("@") or text.endswith(".rpm"):
        return True
    if "group" in use.verb or use.verb in ("builddep", "si", "source-install"):
        return True
    return _RPM_VERSION.search(text) is not None


def pip(text: str, use: Use) -> bool:
    """Any comparator, a direct reference, a file, or a constraint from elsewhere; a VCS address needs `@ref`."""
    if use.has("-c", "--constraint", "--constraints", "--require-hashes", "--no-index") or use.environment("PIP_CONSTRAINT") is not None:
        return True
    if text.startswith(("git+", "hg+", "svn+", "bzr+")):
        return "@" in text.partition("://")[2].partition("/")[2]
    return is_local(text) or "/" in text or "\\" in text or _PIP_COMPARATOR.search(text) is not None


def npm(text: str, use: Use) -> bool:
    """`name@version` with a number; a tag such as `latest` moves, a git address needs `#ref`."""
    if is_local(text) and not text.endswith(".git"):
        return True
    if not text.startswith("@") and _NPM_GIT.match(text) is not None:
        return "#" in text
    version = text[1:].partition("@")[2]
    if not version:
        return False
    return _NPM_TAG.match(version) is None or re.match(r"v\d", version) is not None


def gem(text: str, use: Use) -> bool:
    """`name:1.2`, `-v 1.2`, or a file."""
    return use.has("-v", "--version", "-g", "--file") or ":" in text or is_local(text)


def conda(text: str, use: Use) -> bool:
    """Any comparator; a file."""
    return any(char in text for char in "=<>") or text.endswith(".conda") or is_local(text)


def go(invocation: Invocation, context: Context) -> Iterator[Match]:
    """Yield the programs that `go install`, `go get` or `go run` take from a branch or from wherever the module is today."""
    use = use_of(invocation)
    if use is None or use.action != INSTALL or use.manager.name != "go":
        return
    stage = use.instruction.stage
    packages = use.packages[:1] if use.verb == "run" else use.packages
    for package in packages:
        path, at, version = package.text.partition("@")
        if not package.static or path.startswith((".", "/")) or path.endswith(".go") or "." not in path.partition("/")[0]:
            continue
        if at and version.lower() not in _MOVING_REFS:
            continue
        # Without a version the go.mod of the working directory decides, if one was copied there.
        if not at and use.verb != "get" and (stage is None or _has_module(stage, use)):
            continue
        yield Match(package.word.span, {"package": package.text})


def _has_module(stage: Stage, use: Use) -> bool:
    """Whether the working directory may hold a go.mod: files were copied or are bound there."""
    if any(mount.kind == "bind" for mount in use.instruction.mounts):
        return True
    return build_of(stage.document).copies(stage)


def cargo(invocation: Invocation, context: Context) -> Iterator[Match]:
    """Yield the crates that `cargo install` takes without a version."""
    use = use_of(invocation)
    if use is None or use.verb not in ("install", "binstall") or use.manager.name != "cargo" or use.has("--path", "--version", "--vers"):
        return
    repository = use.option("--git")
    if repository is not None:
        if repository.value is not None and "$" not in repository.value and not use.has("--rev", "--tag"):
            yield Match(value_span(repository), {"package": repository.value})
        return
    for package in use.packages:
        if package.static and "@" not in package.text and not is_local(package.text):
            yield Match(package.word.span, {"package": package.text})


def pip_packages(invocation: Invocation, context: Context) -> Iterator[Match]:
    """Yield pip's unpinned packages, those of `--editable` included."""
    yield from _pip_operands(invocation, context)
    use = use_of(invocation)
    if use is not None and use.manager.name in ("pip", "uv"):
        for option in use.given("-e", "--editable"):
            text = option.value or ""
            if text.startswith("git+") and "$" not in text and not pip(text, use):
                yield Match(value_span(option), {"package": text})


_pip_operands = unpinned(pip, "pip", "uv", "pipx")


def wildcard(invocation: Invocation, context: Context) -> Iterator[Match]:
    """Yield the packages whose name, not whose version, holds a wildcard."""
    use = use_of(invocation)
    if use is None or use.action != INSTALL or use.manager.name not in ("apt", "dnf", "yum", "microdnf", "tdnf", "zypper"):
        return
    for package in use.packages:
        if _has_wildcard(package):
            yield Match(package.word.span, {"package": package.text})


def _has_wildcard(package: Package) -> bool:
    text = package.text
    if "*" not in text or "/" in text or is_local(text) or text.startswith("@"):
        return False
    star = text.index("*")
    # foo=1.*, foo-1.2*, foo-*: the version may be open, the name may not.
    return package.static and "=" not in text[:star] and re.search(r"-\d[\w.:]*$", text[:star]) is None
