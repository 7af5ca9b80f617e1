"""Checks on packages: what apt, apk, dnf and zypper are told, and what they leave behind. Languages have `dependencies`."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from hardener.finding import Match, Severity
from hardener.rules.checks import Check, dependencies, pins
from hardener.rules.checks.builds import Build, build_of, has_cache, use_of
from hardener.rules.checks.installs import Use, is_local, value_span
from hardener.rules.checks.managers import CLEAN, CONFIGURE, INSTALL, RELEASE, REMOVE, UPDATE, UPGRADE
from hardener.rules.context import Context
from hardener.rules.facts import PairSubject
from hardener.rules.fetches import SHELLS
from hardener.sources.commands import Invocation
from hardener.sources.instructions import Instruction
from hardener.sources.shell import Command
from hardener.sources.tools import names
from hardener.sources.unknown import UNKNOWN
from hardener.text import Pattern, Span, View

_DNF_LIKE: Final = ("dnf", "yum", "microdnf", "tdnf")
_CHANGES: Final = (INSTALL, UPGRADE, RELEASE)

_APT_LISTS: Final = Pattern(
    r"/var/lib/(?:\*|apt(?:/(?:\*|lists)?)?|\{[^}]*\bapt\b[^}]*\})(?:/|$|\*)|/var/lib/?$|/var/lib/apt/(?:\{[^}]*\blists\b)"
)
_RPM_CACHE: Final = Pattern(r"/var/cache(?:/\*?)?$|/var/cache/(?:\*|dnf|yum|libdnf5|zypp|tdnf|PackageKit|\{)")
_APK_CACHE: Final = Pattern(r"/var/cache(?:/\*?)?$|/var/cache/(?:\*|apk|\{)|/etc/apk/cache")
_OPTION_ON: Final = r"\s*=?\s*[\"']?(?:1|true|yes|on)\b"
_OPTION_OFF: Final = r"\s*=?\s*[\"']?(?:0|false|no|off)\b"
_APT_YES: Final = Pattern(r"APT::Get::Assume-Yes" + _OPTION_ON, re.IGNORECASE)
_APT_NO_RECOMMENDS: Final = Pattern(r"APT::Install-Recommends" + _OPTION_OFF, re.IGNORECASE)
_APT_UNVERIFIED: Final = Pattern(
    r"(?:APT::Get::AllowUnauthenticated|Acquire::AllowInsecureRepositories|Acquire::AllowWeakRepositories|APT::Get::force-yes)"
    + _OPTION_ON,
    re.IGNORECASE,
)
_DNF_UNVERIFIED: Final = Pattern(r"(?:^|[\w*]\.)(?:pkg_)?gpgcheck" + _OPTION_OFF, re.IGNORECASE)
# Commands that need no package list: an update beside them alone is still alone.
_NEEDS_NO_LISTS: Final = names(
    "echo printf rm mkdir true : set export sed cat chmod chown touch ln cp mv test [ sleep date tee "
    "unset cd ls uname id wget curl gpg dpkg "
    "apt-key apt-mark apt-config add-apt-repository install"
)
_PROMPTS: Final = (INSTALL, UPGRADE, RELEASE, REMOVE)
_YES: Final[Mapping[str, tuple[str, ...]]] = {
    "apt": (
        "-y", "--yes", "--assume-yes", "--force-yes", "-s", "--simulate", "--just-print",
        "--dry-run", "--recon", "--no-act", "--print-uris",
        "--trivial-only", "--assume-no", "-h", "--help", "--version",
    ),
    "dnf": ("-y", "--assumeyes", "--assumeno", "-h", "--help"),
    "yum": ("-y", "--assumeyes", "--assumeno", "-h", "--help"),
    "tdnf": ("-y", "--assumeyes", "--assumeno", "-h", "--help"),
    "zypper": ("-n", "--non-interactive", "-y", "--no-confirm", "-D", "--dry-run", "-h", "--help"),
    "conda": ("-y", "--yes", "-d", "--dry-run", "--json", "-h", "--help"),
}  # fmt: skip
"""Options with which a manager asks nothing."""

_UNVERIFIED: Final[Mapping[str, tuple[str, ...]]] = {
    "apt": ("--allow-unauthenticated", "--force-yes", "--allow-insecure-repositories", "--allow-weak-repositories"),
    "apk": ("--allow-untrusted",),
    "dnf": ("--nogpgcheck", "--no-gpgchecks", "--nogpg"),
    "zypper": ("--no-gpg-checks", "--no-gpgcheck", "--gpgcheck-allow-unsigned", "--gpgcheck-allow-unsigned-repo",
    "--gpgcheck-allow-unsigned-package", "--allow-unsigned-rpm"),
    "rpm": ("--nosignature", "--nodigest", "--noverify", "--nofiledigest", "--nofiledigests", "--nogpg", "--nopgp"),
    "debootstrap": ("--no-check-gpg", "--no-check-certificate"),
}  # fmt: skip
"""Options with which a manager installs what nobody signed."""

_STARTS: Final = r"(?:(?<![\w.=-])|(?<=\\n))"
_REPOSITORY: Final = Pattern(
    rf"{_STARTS}gpgcheck\s*=\s*(?:0|false|no|off)\b"
    r"|(?<=[\[\s])trusted\s*=\s*yes\b(?=[^\]\n]{0,300}\])"
    r"|(?<=[\[\s])allow-insecure\s*=\s*yes\b(?=[^\]\n]{0,300}\])"
    r"|^Trusted:\s*yes\b"
    r"|\b(?:AllowUnauthenticated|AllowInsecureRepositories|AllowWeakRepositories)[\"'\s]+(?:1|true|yes)\b"
    r"|\bSigLevel\s*=\s*(?:Never|Optional\s+TrustAll)\b",
    re.IGNORECASE | re.MULTILINE,
)
# One of these stands in every match: looking for them first is twenty times quicker than the alternatives above.
_REPOSITORY_NEEDLES: Final = ("gpgcheck", "trusted", "allow-insecure", "allowunauthenticated", "allowinsecure", "allowweak", "siglevel")
_NEAR: Final = 300  # characters around a setting that say what it belongs to
_SED_PATTERN: Final = Pattern(r"s[/|,#!@]\^?\s*(?:[#;]\s*)?$")
_LOCAL_REPOSITORY: Final = Pattern(r"\b(?:file|copy|cdrom|dir):", re.IGNORECASE)


def apt_lists_kept(instruction: Instruction, context: Context) -> Iterator[Match]:
    """Yield the `apt-get update` whose lists stay in the layer."""
    build = build_of(context.document)
    if not build.ships(instruction):
        return
    uses = [use for use in build.uses(instruction) if use.manager.name == "apt"]
    update = next((use for use in uses if use.action == UPDATE or (use.action in _CHANGES and use.has("--update", "-U"))), None)
    if update is None or not any(use.action in _CHANGES for use in uses) or any(use.verb == "distclean" for use in uses):
        return
    if has_cache(instruction, "/var/lib/apt/lists") or build.last_removal(instruction, _APT_LISTS) > update.command.span.start:
        return
    yield Match(update.head)


def rpm_cache_kept(instruction: Instruction, context: Context) -> Iterator[Match]:
    """Yield the first installation of dnf, yum or zypper in an instruction that does not clean up behind it."""
    build = build_of(context.document)
    if not build.ships(instruction):
        return
    first: Use | None = None
    for use in build.uses(instruction):
        if use.manager.name not in (*_DNF_LIKE, "zypper"):
            continue
        if use.action in _CHANGES and first is None and not use.is_opaque and not use.has("--installroot", "--root", "-R"):
            first = use
        elif use.action == CLEAN and first is not None:
            return
    if first is None or has_cache(instruction, first.manager.cache, "/var/cache/libdnf5"):
        return
    if build.last_removal(instruction, _RPM_CACHE) < first.command.span.start:
        program = first.command.name
        yield Match(first.head, {"program": program, "clean": f"{program} clean {'--all' if program == 'zypper' else 'all'}"})


def apk_cache_kept(invocation: Invocation, context: Context) -> Iterator[Match]:
    """Yield `apk add` without `--no-cache` where nothing else keeps or empties the cache."""
    use = use_of(invocation)
    instruction = invocation.instruction
    if use is None or use.action not in (INSTALL, UPGRADE) or use.is_opaque or use.has("--no-cache", "--cache-dir", "--root", "-p"):
        return
    if not build_of(context.document).ships(instruction) or has_cache(instruction, "/var/cache/apk", "/etc/apk/cache"):
        return
    if build_of(context.document).last_removal(instruction, _APK_CACHE) < use.command.span.start:
        yield Match(use.head)


def index_update_alone(instruction: Instruction, context: Context) -> Iterator[Match]:
    """Yield the index update that no installation in the same RUN uses."""
    uses = build_of(context.document).uses(instruction)
    updates = [use for use in uses if use.action == UPDATE and not use.has("--help", "-h", "--print-uris")]
    if not updates:
        return
    script = instruction.script
    managed = {id(use.command) for use in uses}
    if script is None or any(id(command) not in managed and _may_install(command) for command in script.commands):
        return
    used = {use.manager.name for use in uses if use.action not in (UPDATE, CLEAN, CONFIGURE)}
    for update in updates:
        if update.manager.name not in used and not has_cache(instruction, "/var/lib/apt/lists", update.manager.cache):
            yield Match(update.head, {"program": update.command.name})
            return


def _may_install(command: Command) -> bool:
    """Whether a command that is no package manager may call one. A shell's own script is looked into, so the shell is innocent."""
    if not command.name or command.name in _NEEDS_NO_LISTS:
        return False
    return command.name not in SHELLS or not command.scripts


def waits_for_an_answer(invocation: Invocation, context: Context) -> Iterator[Match]:
    """Yield the call that would ask whether to go on, where nobody can answer."""
    use = use_of(invocation)
    if use is None or use.is_opaque or use.action not in _PROMPTS or use.manager.name not in _YES or use.has(*_YES[use.manager.name]):
        return
    if invocation.command.upstream or any(redirect.operator in ("<", "<<", "<<<", "<<-") for redirect in invocation.command.redirects):
        return
    if not _is_answered(use, build_of(context.document)):
        yield Match(
            use.head, {"program": invocation.name, "verb": use.verb, "option": "--non-interactive" if invocation.name == "zypper" else "-y"}
        )


def _is_answered(use: Use, build: Build) -> bool:
    """Whether a setting answers instead of `-y`."""
    match use.manager.name:
        case "apt":
            quiet = sum(
                2 if (option.value or "1").isdigit() and int(option.value or "1") > 1 else 1 for option in use.given("-q", "--quiet")
            )
            configured = any(_APT_YES.search(option.value or "") for option in use.given("-o", "--option"))
            return quiet > 1 or configured or build.sets("apt-assumes-yes")
        case "conda":
            return build.sets("conda-always-yes") or use.environment("CONDA_ALWAYS_YES") is not None
        case "dnf" | "yum" | "tdnf":
            return build.sets("dnf-assumes-yes")
    return False


def recommended_packages(invocation: Invocation, context: Context) -> Iterator[Match]:
    """Yield `apt-get install` that takes recommended packages along."""
    use = use_of(invocation)
    if use is None or use.manager.name != "apt" or use.verb != "install" or use.is_opaque:
        return
    if use.has("--no-install-recommends", "--without-recommends") or (invocation.name == "aptitude" and use.has("-R")):
        return
    if any(_APT_NO_RECOMMENDS.search(option.value or "") for option in use.given("-o", "--option")):
        return
    packages = [package for package in use.packages if not package.text.endswith("-")]
    build = build_of(context.document)
    if not packages or all(is_local(package.text) for package in packages) or build.sets("apt-recommends-off"):
        return
    if build.ships(invocation.instruction):
        yield Match(use.head, {"program": invocation.name})


def apt_in_script(invocation: Invocation, context: Context) -> Iterator[Match]:
    """Yield `apt`, the program for people at a terminal."""
    use = use_of(invocation)
    word = invocation.command.name_word
    if use is not None and word is not None and use.verb:
        yield Match(word.span, {"verb": use.verb})


def upgrade(action: str) -> Check:
    """Return the check for system-wide upgrades of one kind."""

    def check(invocation: Invocation, context: Context) -> Iterator[Match]:
        use = use_of(invocation)
        if use is None or use.action != action or use.manager.name not in ("apt", "apk", "zypper", *_DNF_LIKE) or use.is_opaque:
            return
        if not use.operands and not use.has("--security", "--advisory", "-h", "--help", "-s", "--simulate", "--dry-run"):
            yield Match(use.head, {"program": invocation.name, "verb": use.verb})

    return check


def frontend_persisted(subject: PairSubject, context: Context) -> Iterator[Match]:
    """Yield `ENV DEBIAN_FRONTEND=noninteractive` that is still in force at the end of a stage that is shipped."""
    stage = subject.instruction.stage
    value = subject.pair.value
    if stage is None or value is None or subject.value in (UNKNOWN, "") or not build_of(context.document).ships(subject.instruction):
        return
    history = stage.variables.envs.get("DEBIAN_FRONTEND")
    if history is not None and history[1][-1].span == subject.pair.span:
        yield Match(subject.pair.span, {"value": value.text})


def frontend_missing(invocation: Invocation, context: Context) -> Iterator[Match]:
    """Yield `apt-get install` where no DEBIAN_FRONTEND is set."""
    use = use_of(invocation)
    if use is None or use.manager.name != "apt" or use.action not in _CHANGES or invocation.command.upstream:
        return
    if use.environment("DEBIAN_FRONTEND") is None:
        yield Match(use.head, {"program": invocation.name})


def development_package_kept(instruction: Instruction, context: Context) -> Iterator[Match]:
    """Yield headers and libraries for compiling that stay in an image, the first of each command."""
    build = build_of(context.document)
    if not build.ships(instruction):
        return
    uses = build.uses(instruction)
    removed = {use.manager.name for use in uses if use.action == REMOVE}
    for use in uses:
        if use.action != INSTALL or use.manager.name not in ("apt", "apk", "zypper", *_DNF_LIKE):
            continue
        found = [package for package in use.packages if package.static and package.text.partition("=")[0].endswith(("-dev", "-devel"))]
        if found and use.manager.name not in removed:
            count = len(found) - 1
            more = f" and {count} more of its kind" if count else ""
            yield Match(found[0].word.span, {"package": found[0].text, "more": more})


def unverified(invocation: Invocation, context: Context) -> Iterator[Match]:
    """Yield the options with which packages are installed although nobody vouches for them."""
    use = use_of(invocation)
    if use is None:
        return
    manager = use.manager.name
    if manager in _DNF_LIKE or manager == "yum-config-manager":
        yield from _unverified_dnf(use)
        return
    names = _UNVERIFIED.get(manager, ())
    if manager == "rpm" and use.has("-q", "--query", "-V", "--verify", "-e", "--erase", "-K", "--checksig"):
        return
    for option in use.options:
        if option.name in names:
            # A package from a file that lies here can have no signature that apk knows; whoever put it there vouches for it.
            local = manager == "apk" and use.packages and all(is_local(package.text) for package in use.packages)
            yield Match(option.exact, {"option": option.name}, severity=Severity.MEDIUM if local else None)
        elif manager == "apt" and option.name in ("-o", "--option") and _APT_UNVERIFIED.search(option.value or "") is not None:
            yield Match(value_span(option), {"option": option.value or ""})
        elif manager == "zypper" and option.name == "-G" and use.verb in ("addrepo", "ar", "modifyrepo", "mr"):
            yield Match(option.exact, {"option": option.name})


def _unverified_dnf(use: Use) -> Iterator[Match]:
    for option in use.options:
        if option.name in _UNVERIFIED["dnf"]:
            yield Match(option.exact, {"option": option.name})
        elif option.name in ("--setopt", "--set") and _DNF_UNVERIFIED.search(option.value or "") is not None:
            yield Match(value_span(option), {"option": option.value or ""})
    if use.action == CONFIGURE:
        for word in use.operands:
            if _DNF_UNVERIFIED.search(word.text) is not None:
                yield Match(word.span, {"option": word.text})


def repository_unverified(instruction: Instruction, context: Context) -> Iterator[Match]:
    """Yield the lines of a package manager's configuration that switch signatures off."""
    views: list[View] = [instruction.rest]
    views += [heredoc.body for heredoc in instruction.heredocs]
    for view in views:
        text = view.text
        folded = text.lower()
        if not any(needle in folded for needle in _REPOSITORY_NEEDLES):
            continue
        for match in _REPOSITORY.finditer(text):
            before = text[max(0, match.start() - _NEAR) : match.start()]
            after = text[match.end() : match.end() + _NEAR]
            if before.rpartition("\n")[2].lstrip().startswith("#") or _SED_PATTERN.search(before[-8:]) is not None:
                continue
            # Nobody can come between us and a folder of our own.
            if _LOCAL_REPOSITORY.search(before) is not None or _LOCAL_REPOSITORY.search(after.partition("\n")[0]) is not None:
                continue
            yield Match(_span(view, match), {"setting": " ".join(match.group().split())})


def _span(view: View, match: re.Match[str]) -> Span:
    return view.span(match.start(), match.end())


CHECKS: Final[Mapping[str, Check]] = {
    "HD401": pins.unpinned(pins.apt, "apt"),
    "HD402": pins.unpinned(pins.apk, "apk"),
    "HD403": pins.unpinned(pins.rpm, "zypper", *_DNF_LIKE),
    "HD404": pins.pip_packages,
    "HD405": pins.unpinned(pins.npm, "npm", "yarn", "pnpm", "bun"),
    "HD406": pins.unpinned(pins.gem, "gem"),
    "HD407": pins.go,
    "HD408": pins.cargo,
    "HD409": pins.unpinned(pins.conda, "conda"),
    "HD411": apt_lists_kept,
    "HD412": rpm_cache_kept,
    "HD413": apk_cache_kept,
    "HD421": index_update_alone,
    "HD422": waits_for_an_answer,
    "HD423": recommended_packages,
    "HD424": apt_in_script,
    "HD425": upgrade(RELEASE),
    "HD426": upgrade(UPGRADE),
    "HD427": pins.wildcard,
    "HD428": frontend_persisted,
    "HD429": frontend_missing,
    "HD430": development_package_kept,
    "HD441": unverified,
    "HD442": repository_unverified,
    **dependencies.CHECKS,
}
