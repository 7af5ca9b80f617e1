"""Checks on what goes from the build context into layers, and on when dependencies are installed: before the sources, with a cache,
in a stage of their own."""

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Final

from hardener.finding import Match
from hardener.rules.checks import Check
from hardener.rules.checks.builds import Build, build_of, destination, has_cache, is_development, sources
from hardener.rules.checks.dependencies import builds_javascript
from hardener.rules.checks.installs import Use
from hardener.rules.checks.managers import BUILD, INSTALL, PROJECT, REMOVE
from hardener.rules.context import Context, no_neighbour
from hardener.rules.fetches import is_fetcher
from hardener.rules.reading import known, partial
from hardener.sources.commands import is_windows
from hardener.sources.dockerfile import Dockerfile
from hardener.sources.expansion import HOLE
from hardener.sources.instructions import Instruction, Word
from hardener.sources.stages import Stage
from hardener.sources.tools import names
from hardener.text import Pattern, Span

_EVERYTHING: Final = frozenset({".", "./", "*", "./*", "/", "/*"})
# Whose compile step is cheap to repeat once the downloads are cached.
_INCREMENTAL: Final = frozenset({"go", "cargo", "mvn", "gradle", "dotnet", "mix"})
_NO_BUILD_GOALS: Final = names("clean help --version -v init wrapper test check site validate")


def _whole_context(instruction: Instruction) -> Word | None:
    """Return the source of a COPY or ADD that is the whole build context."""
    for word in sources(instruction):
        if known(word, instruction) in _EVERYTHING:
            return word
    return None


def is_project(use: Use) -> bool:
    """Whether a use installs what a file of the project lists, and so belongs behind the copy of that file."""
    if use.action == PROJECT:
        return use.verb not in ("workspaces focus", "mod tidy")
    if use.manager.name in ("pip", "uv"):
        return use.action == INSTALL and use.has("-r", "--requirement", "--requirements")
    return False


def _compiles(use: Use) -> bool:
    """Whether a use compiles the project, downloading first what it depends on."""
    match use.manager.name:
        case "go":
            return use.verb == "build" or (use.verb == "install" and all(package.text.startswith(".") for package in use.packages))
        case "cargo":
            return use.verb in ("build", "b") or (use.verb == "install" and use.has("--path"))
        case "mvn" | "gradle":
            return use.action == BUILD and any(word.text not in _NO_BUILD_GOALS for word in use.operands)
        case "dotnet":
            return use.verb in ("build", "publish")
        case "mix":
            return use.verb in ("compile", "release")
    return False


def sources_before_dependencies(document: Dockerfile, context: Context) -> Iterator[Match]:
    """Yield the copy of all sources behind which, for the first time, the project's dependencies are installed."""
    build = build_of(document)
    installed: dict[int, frozenset[str]] = {}  # by stage: whose dependencies are there at its end
    for stage in document.stages:
        done = set(() if stage.base is None else installed[stage.base.index])
        copied: Instruction | None = None
        for instruction in stage.instructions:
            if instruction.name in ("COPY", "ADD"):
                if copied is None and _whole_context(instruction) is not None:
                    copied = instruction
            elif instruction.name == "RUN":
                use = _first_dependencies(build, instruction, done)
                if use is not None and copied is not None and not _brings_sources(instruction) and not _is_vendored(use, context):
                    words = copied.words
                    yield Match(
                        Span(words[0].span.start, words[-1].span.end),
                        {"command": f"{use.command.name} {use.verb}".strip(), "manifest": use.manager.manifest},
                        related=((use.head, "runs again after every change"),),
                    )
                    copied = None
        installed[stage.index] = frozenset(done)


def _first_dependencies(build: Build, instruction: Instruction, done: set[str]) -> Use | None:
    """Return the first use in an instruction that installs a project's dependencies anew, and note whose are installed now."""
    first: Use | None = None
    for use in build.uses(instruction):
        compiles = _compiles(use)
        if not (compiles or is_project(use)) or use.is_global:
            continue
        cached = use.manager.name in _INCREMENTAL and has_cache(instruction)
        if use.manager.name not in done and first is None and not cached:
            first = use
        done.add(use.manager.name)
    return first


def _brings_sources(instruction: Instruction) -> bool:
    """Whether an instruction gets the project from elsewhere, so that the context has nothing to do with it."""
    script = instruction.script
    return script is not None and any(command.name in ("git", "svn", "hg") or is_fetcher(command) for command in script.commands)


def _is_vendored(use: Use, context: Context) -> bool:
    """Whether the repository holds the dependencies, so that nothing is downloaded."""
    return use.manager.name == "go" and context.neighbour("vendor/modules.txt") is not None


def context_without_ignore_file(document: Dockerfile, context: Context) -> Iterator[Match]:
    """Yield the first copy of the whole context when no ignore file is near."""
    if context.neighbour is no_neighbour:
        return
    for instruction in document.all_instructions():
        word = _whole_context(instruction) if instruction.name in ("COPY", "ADD") else None
        if word is None or instruction.flag("exclude") is not None:
            continue
        name = posixpath.basename(document.file.path)
        candidates = (".dockerignore", f"{name}.dockerignore", ".containerignore", "../.dockerignore", "../../.dockerignore")
        if all(context.neighbour(candidate) is None for candidate in candidates):
            yield Match(word.span, {"source": word.text})
        return


def install_without_cache(stage: Stage, context: Context) -> Iterator[Match]:
    """Yield the first RUN of each manager in a stage that installs a project's dependencies and keeps no cache between builds."""
    build = build_of(context.document)
    seen: set[str] = set()
    for instruction in stage.instructions:
        if instruction.name != "RUN" or is_windows(instruction):
            continue
        for use in build.uses(instruction):
            name = use.manager.name
            # Go and Cargo download in a layer that depends on the manifests alone; it is compiling that a cache speeds up.
            wanted = _compiles(use) if name in ("go", "cargo") else is_project(use) or _compiles(use)
            if name in seen or not use.manager.cache or not wanted:
                continue
            seen.add(name)
            if has_cache(instruction) or any(option.name.startswith("--no-cache") for option in use.options):
                continue
            if use.environment("PIP_NO_CACHE_DIR" if name == "pip" else "UV_NO_CACHE") is None:
                yield Match(instruction.keyword, {"program": use.command.name, "folder": use.manager.cache})


# Folders and files that a checkout gathers and an image has no use for. Secrets and .git have rules of their own.
_NEEDLESS: Final = names(
    "node_modules bower_components __pycache__ .venv venv .env.example .cache .pytest_cache .mypy_cache .ruff_cache .tox .nox .nyc_output "
    ".coverage coverage .idea .vscode .vs .DS_Store Thumbs.db .terraform .gradle .svn .hg .github .gitlab .circleci"
    " npm-debug.log yarn-error.log"
)
_VEX: Final = Pattern(r"(?:^|/)(?:[\w.-]+\.)?(?:open)?vex(?:\.[\w-]+)?\.json$", re.IGNORECASE)


def needless_files(instruction: Instruction, context: Context) -> Iterator[Match]:
    """Yield sources that are a tool's own files or what it makes."""
    for word in sources(instruction):
        name = word.text.rstrip("/").removesuffix("/*").removesuffix("/.").rpartition("/")[2]
        if "://" not in word.text and (name in _NEEDLESS or name.endswith((".pyc", ".swp"))):
            yield Match(word.span, {"path": word.text})


def vex_document(instruction: Instruction, context: Context) -> Iterator[Match]:
    """Yield statements about vulnerabilities that are copied into the image."""
    for word in sources(instruction):
        if _VEX.search(word.text) is not None:
            yield Match(word.span, {"path": word.text})


# -- the working directory ------------------------------------------------------------------------------------------------------

_NEEDS_DIRECTORY: Final = frozenset({"npm", "yarn", "pnpm", "bun", "bundle", "composer", "poetry", "pipenv", "mix"})


def application_in_root(stage: Stage, context: Context) -> Iterator[Match]:
    """Yield what puts an application into the root directory of a stage that has no WORKDIR.

    Silent where a copy has a relative target, which is another rule's finding.
    """
    if not stage.is_final or "WORKDIR" in stage.effective or is_windows(stage.origin):
        return
    *_, root = stage.lineage()
    found: Match | None = None
    build = build_of(context.document)
    for step in build.walk(stage):
        instruction = step.instruction
        if instruction.name in ("COPY", "ADD") and len(instruction.words) > 1:
            target = instruction.words[-1]
            if not partial(target, instruction).startswith(("/", HOLE)):
                return
            if found is None and destination(step) == "/" and _whole_context(instruction) is not None:
                found = Match(target.span, {"what": "the build context is copied into"})
        elif instruction.name == "RUN" and found is None and not root.image.is_scratch and isinstance(root.image.name, str):
            use = next((use for use in build.uses(instruction) if is_project(use) and use.manager.name in _NEEDS_DIRECTORY), None)
            if use is not None and not _goes_elsewhere(use):
                from hardener.rules.known_images import starts_at_root

                if starts_at_root(root.image.reference):
                    found = Match(use.head, {"what": f"{use.command.name} installs into"})
    if found is not None:
        yield found


def _goes_elsewhere(use: Use) -> bool:
    """Whether a use names its directory, or the script moved before it."""
    if use.has("--prefix", "-C", "--cwd", "--dir", "--directory", "--project", "-P", "-d", "--working-dir", "--gemfile"):
        return True
    script = use.instruction.script
    return script is None or any(command.name in ("cd", "pushd") for command in script.commands)


# -- stages for building --------------------------------------------------------------------------------------------------------

_COMPILERS: Final = names(
    "build-essential build-base gcc g++ gcc-c++ clang llvm make cmake automake autoconf golang golang-go go rustc cargo rust maven gradle "
    "openjdk-8-jdk openjdk-11-jdk openjdk-17-jdk openjdk-21-jdk default-jdk openjdk8 openjdk11 openjdk17 openjdk21 alpine-sdk base-devel "
    "nodejs-dev ghc @development-tools"
)
_USES_COMPILER: Final = names(
    "make cmake gcc g++ cc c++ clang ninja meson scons configure cargo go npm yarn pnpm pip pip3 pip2 python python3 poetry uv gem bundle "
    "pecl phpize docker-php-ext-install rustc javac mvn gradle cabal stack"
)
_SYSTEM: Final = frozenset({"apt", "apk", "dnf", "yum", "microdnf", "tdnf", "zypper"})
_SCRIPTING: Final = frozenset({"npm", "yarn", "pnpm", "bun", "pip", "poetry", "pipenv", "bundle", "uv"})


def builds_in_final_stage(document: Dockerfile, context: Context) -> Iterator[Match]:
    """Yield what compiles, or brings a compiler, in the stage that is shipped: the first place of each kind."""
    final = document.stages[-1] if document.stages else None
    if final is None or is_development(final):
        return
    build = build_of(document)
    copies_context = is_used = False
    installs: Use | None = None
    compiler: Match | None = None
    found = False
    for stage in reversed(list(final.lineage())):
        for instruction in stage.instructions:
            if instruction.name in ("COPY", "ADD"):
                copies_context = copies_context or bool(sources(instruction))
            if instruction.name != "RUN" or instruction.script is None:
                continue
            uses = build.uses(instruction)
            if not found:
                place = _compile_step(instruction, uses) if copies_context else None
                if place is not None:
                    found = True
                    yield place
            installs = installs or next((use for use in uses if is_project(use) and use.manager.name in _SCRIPTING), None)
            is_used = is_used or any(command.name in _USES_COMPILER for command in instruction.script.commands)
            compiler = compiler or _compiler(uses)
    # Without a command to run, or with nothing to compile, the compilers are what the image is for.
    if not found and compiler is not None and is_used and ("CMD" in final.effective or "ENTRYPOINT" in final.effective):
        found = True
        yield compiler
    if not found and installs is not None and copies_context and len(document.stages) == 1 and _carries_compilers(final):
        reason = f"{installs.manager.name} installs the dependencies in an image that carries compilers"
        yield Match(final.origin.keyword, {"what": reason}, related=((installs.head, "installed here"),))


def _compile_step(instruction: Instruction, uses: tuple[Use, ...]) -> Match | None:
    """Return the first command of a RUN that compiles the project, unless it cleans up behind it or works for a mount."""
    for use in uses:
        if _compiles(use):
            return Match(use.head, {"what": f"{use.command.name} compiles the application"})
    script = instruction.script
    for command in () if script is None else script.commands:
        if builds_javascript(command) and command.name not in ("make", "node"):
            return Match(command.span, {"what": f"{command.name} builds the application"})
    return None


def _compiler(uses: tuple[Use, ...]) -> Match | None:
    """Return the first compiler that is installed and not removed in the same RUN."""
    if any(use.action == REMOVE for use in uses):
        return None
    for use in uses:
        if use.action == INSTALL and use.manager.name in _SYSTEM:
            for package in use.packages:
                name = re.split(r"[=~<>/]", package.text, maxsplit=1)[0]
                if package.static and name in _COMPILERS:
                    return Match(package.word.span, {"what": f"{name} is installed"})
    return None


def _carries_compilers(stage: Stage) -> bool:
    """Whether a stage stands on the full variant of an image, which is made for building."""
    *_, root = stage.lineage()
    image = root.image
    if not isinstance(image.name, str) or not (image.tag is None or isinstance(image.tag, str)):
        return False
    from hardener.rules.known_images import slim_exists

    return slim_exists(image.name, image.tag)


CHECKS: Final[Mapping[str, Check]] = {
    "HD603": sources_before_dependencies,
    "HD604": context_without_ignore_file,
    "HD613": builds_in_final_stage,
    "HD615": application_in_root,
    "HD616": install_without_cache,
    "HD617": needless_files,
    "HD618": vex_document,
}
