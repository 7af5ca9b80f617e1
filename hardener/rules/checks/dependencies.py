"""Checks on language packages: their caches, their indexes, their lock files, and what belongs into production."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from hardener.finding import Match, Severity
from hardener.rules.checks import Check
from hardener.rules.checks.builds import Build, build_of, has_cache, is_development, removals, use_of
from hardener.rules.checks.installs import Use, value_span, variable
from hardener.rules.checks.managers import BUILD, CLEAN, INSTALL, PROJECT
from hardener.rules.context import Context
from hardener.rules.facts import PairSubject
from hardener.sources.commands import Invocation, invocations
from hardener.sources.dockerfile import Dockerfile
from hardener.sources.instructions import Instruction
from hardener.sources.shell import Command, Word
from hardener.sources.stages import Stage
from hardener.sources.tools import names
from hardener.text import Pattern, Span

_NODE: Final = ("npm", "yarn", "pnpm", "bun")
_HOME_CACHE: Final = Pattern(
    r"(?:^|/)\.cache(?:/|$)|(?:^|/)\.npm(?:/|$|/_cacache)|_cacache|/\.yarn\b|/pnpm/store|^(?:/root|/home/\w+|~)/\.[*\[?]"
)


# -- caches ---------------------------------------------------------------------------------------------------------------------


def pip_cache_kept(invocation: Invocation, context: Context) -> Iterator[Match]:
    """Yield the pip (or uv) that leaves its cache in a layer which is shipped."""
    use = use_of(invocation)
    if use is None or use.manager.name not in ("pip", "uv") or use.action not in (INSTALL, PROJECT) or use.is_opaque:
        return
    if any(option.name.startswith("--no-cache") or option.name == "--cache-dir" for option in use.options) or use.has(
        "--dry-run", "-h", "--help"
    ):
        return
    build = build_of(context.document)
    instruction = invocation.instruction
    switch = "PIP_NO_CACHE_DIR" if use.manager.name == "pip" else "UV_NO_CACHE"
    # Any value that pip can read as a truth value switches the cache off, 0 and false included (pip/_internal/cli/cmdoptions.py).
    if use.environment(switch) not in (None, "") or (use.manager.name == "uv" and use.has("-n")):
        return
    if not build.ships(instruction) or has_cache(instruction) or build.sets("pip-no-cache"):
        return
    if not _empties_cache(build, instruction, use):
        option = "--no-cache-dir" if use.manager.name == "pip" else "--no-cache"
        yield Match(use.head, {"program": use.manager.name, "option": option})


def _empties_cache(build: Build, instruction: Instruction, use: Use) -> bool:
    """Whether the same instruction empties the cache behind a use."""
    start = use.command.span.start
    if any(
        other.manager is use.manager and other.action == CLEAN and other.command.span.start > start for other in build.uses(instruction)
    ):
        return True
    return build.last_removal(instruction, _HOME_CACHE, unknown=False) > start


def node_cache_kept(instruction: Instruction, context: Context) -> Iterator[Match]:
    """Yield the first npm, yarn or pnpm installation whose cache stays in a layer which is shipped."""
    build = build_of(context.document)
    if not build.ships(instruction) or has_cache(instruction):
        return
    for use in build.uses(instruction):
        if use.manager.name in ("npm", "yarn", "pnpm") and use.action in (INSTALL, PROJECT) and not use.is_opaque:
            if not use.has("--cache", "--cache-folder", "--store-dir") and not _empties_cache(build, instruction, use):
                clean = {"npm": "npm cache clean --force", "yarn": "yarn cache clean", "pnpm": "pnpm store prune"}[use.manager.name]
                yield Match(use.head, {"program": use.manager.name, "clean": clean})
            return


def gem_documentation(invocation: Invocation, context: Context) -> Iterator[Match]:
    """Yield `gem install` that builds documentation nobody reads in a container."""
    use = use_of(invocation)
    if use is None or use.manager.name != "gem" or use.action != INSTALL or use.is_opaque:
        return
    if use.has("-N", "--no-document", "--no-doc", "--no-ri", "--no-rdoc", "--document") or not build_of(context.document).ships(
        use.instruction
    ):
        return
    if build_of(context.document).sets("gem-no-document") or _base_is(use.instruction.stage, "ruby"):
        return  # the official image switches it off in /usr/local/etc/gemrc
    yield Match(use.head)


def _base_is(stage: Stage | None, *names: str) -> bool:
    """Whether a stage stands, in the end, on an image of one of these names."""
    if stage is None:
        return False
    *_, root = stage.lineage()
    repository = root.image.repository
    return isinstance(repository, str) and repository.rpartition("/")[2] in names


# -- indexes --------------------------------------------------------------------------------------------------------------------

_PUBLIC_INDEX: Final = Pattern(
    r"https://(?:download\.pytorch\.org|pypi\.(?:ngc\.)?nvidia\.com|www\.piwheels\.org|wheels\.vllm\.ai|flashinfer\.ai)\b"
)


def _settings(instruction: Instruction, name: str) -> Iterator[tuple[str, Span]]:
    """Yield the values that an instruction gives to a variable, and where they stand."""
    for pair in instruction.pairs:
        if pair.value is not None and pair.key.text == name:
            yield pair.value.text, pair.value.span
    if instruction.name == "RUN" and name in instruction.text:
        script = instruction.script
        for command in () if script is None else script.commands:
            for assignment in command.assignments:
                if assignment.name == name:
                    yield assignment.value.text, assignment.value.span


def extra_index(instruction: Instruction, context: Context) -> Iterator[Match]:
    """Yield the additional indexes from which pip takes whichever version is highest."""
    build = build_of(context.document)
    for value, span in _settings(instruction, "PIP_EXTRA_INDEX_URL"):
        if value:
            yield _extra(value, span)
    if instruction.name != "RUN":
        return
    for use in build.uses(instruction):
        strategy = use.option("--index-strategy")
        if use.manager.name not in ("pip", "pipx") and (strategy is None or not (strategy.value or "").startswith("unsafe")):
            continue  # uv asks the indexes one after the other
        if use.has("--require-hashes"):
            continue
        for option in use.given("--extra-index-url"):
            yield _extra(option.value or "", value_span(option))


def _extra(url: str, span: Span) -> Match:
    return Match(span, {"url": url or "the index"}, severity=Severity.LOW if _PUBLIC_INDEX.match(url) is not None else None)


def system_python(invocation: Invocation, context: Context) -> Iterator[Match]:
    """Yield `--break-system-packages`."""
    use = use_of(invocation)
    option = None if use is None or use.manager.name not in ("pip", "uv") else use.option("--break-system-packages")
    if option is not None:
        yield Match(option.exact)


# -- lock files -----------------------------------------------------------------------------------------------------------------

_LOCKED: Final[Mapping[str, tuple[tuple[str, ...], str, str]]] = {
    "npm": (("--package-lock-only", "--dry-run", "-h", "--help"), "package-lock.json", "npm ci"),
    "yarn": (
        ("--frozen-lockfile", "--immutable", "--immutable-cache", "--pure-lockfile", "--mode", "-v", "--version", "-h", "--help"),
        "yarn.lock",
        "yarn install --frozen-lockfile (--immutable since Yarn 2)",
    ),
    "pnpm": (
        ("--frozen-lockfile", "--lockfile-only", "-v", "--version", "-h", "--help"),
        "pnpm-lock.yaml",
        "pnpm install --frozen-lockfile",
    ),
    "bun": (("--frozen-lockfile", "-v", "--version", "-h", "--help"), "bun.lock", "bun install --frozen-lockfile"),
    "uv": (("--locked", "--frozen", "--no-sync", "-h", "--help"), "uv.lock", "uv sync --locked"),
    "pipenv": (("--deploy", "--ignore-pipfile"), "Pipfile.lock", "pipenv install --deploy"),
}
"""For each manager: options that respect the lock file, its name, and the command that insists on it."""
_LOCKED_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "npm": (),
    "yarn": ("CI", "YARN_ENABLE_IMMUTABLE_INSTALLS"),
    "pnpm": ("CI", "npm_config_frozen_lockfile"),
    "bun": ("CI",),
    "uv": ("UV_LOCKED", "UV_FROZEN"),
    "pipenv": ("PIPENV_DEPLOY",),
}
_UNLOCKED_VERBS: Final = frozenset({"", "install", "i", "in", "add", "sync", "isntall", "instal"})


def lock_file_ignored(invocation: Invocation, context: Context) -> Iterator[Match]:
    """Yield the installation of a project that may change what its lock file says."""
    use = use_of(invocation)
    if use is None or use.action != PROJECT or use.manager.name not in _LOCKED or use.verb not in _UNLOCKED_VERBS or use.is_opaque:
        return
    options, lock, command = _LOCKED[use.manager.name]
    if use.has(*options) or use.is_global or (use.manager.name == "pipenv" and use.verb == "sync"):
        return
    if use.manager.name == "yarn" and use.operands:
        return
    if any(use.environment(name) not in (None, "", "0", "false") for name in _LOCKED_BY[use.manager.name]):
        return
    yield Match(use.head, {"command": _head_text(use), "lock": lock, "instead": command})


def _head_text(use: Use) -> str:
    return f"{use.command.name} {use.verb}".strip()


# -- production -----------------------------------------------------------------------------------------------------------------

_PRODUCTION_ONLY: Final = (
    "--production", "--prod", "-P", "--only", "--without", "--no-dev", "--no-default-groups", "--only-group", "--no-group", "--main",
)  # fmt: skip
_BUILD_SCRIPT: Final = Pattern(r"\b(?:build|compile|bundle|generate|export|transpile|dist)\b")
_BUILDERS: Final = names(
    "tsc vite webpack ng next nuxt rollup esbuild gulp grunt parcel babel swc turbo nx vue-cli-service react-scripts astro"
)
_DEVELOPMENT_FILE: Final = Pattern(r"(?:^|[/_.-])(?:dev|develop|development|test|tests|testing|lint)(?:[_./-]|$)")


def development_dependencies(stage: Stage, context: Context) -> Iterator[Match]:
    """Yield the installations of a shipped stage that bring packages which are only for developers."""
    build = build_of(context.document)
    if not stage.is_final or is_development(stage):
        return
    found: list[tuple[Use, str]] = []
    for instruction in stage.instructions:
        if instruction.name != "RUN" or instruction.script is None:
            continue
        for use in build.uses(instruction):
            name = use.manager.name
            if name in _NODE and use.verb in ("prune", "workspaces focus"):
                return
            if use.is_opaque:
                continue
            if name in _NODE and use.action == PROJECT and use.verb != "fetch" and not _is_production(use):
                found.append(
                    (
                        use,
                        {"npm": "npm ci --omit=dev", "pnpm": "pnpm install --prod", "bun": "bun install --production"}.get(
                            name, "NODE_ENV=production"
                        ),
                    )
                )
            elif name == "poetry" and use.action == PROJECT and not use.has(*_PRODUCTION_ONLY):
                found.append((use, "poetry install --only main"))
            elif name == "uv" and use.verb == "sync" and not use.has(*_PRODUCTION_ONLY) and use.environment("UV_NO_DEV") is None:
                found.append((use, "uv sync --no-dev"))
            elif name == "pipenv" and use.has("--dev", "-d"):
                found.append((use, "pipenv install --deploy"))
            elif name in ("pip", "uv") and _for_developers(use):
                found.append((use, "a requirements file for production alone"))
        if any(builds_javascript(command) for command in instruction.script.commands):
            return  # the build needs them here; a stage of its own for the build is another rule's advice
        if found and any("node_modules" in word.text for word in removals(instruction)):
            return
    for use, instead in found:
        yield Match(use.head, {"command": _head_text(use), "instead": instead})


def _for_developers(use: Use) -> bool:
    """Whether pip reads a requirements file that is named after developers."""
    return any(_DEVELOPMENT_FILE.search(option.value or "") for option in use.given("-r", "--requirement"))


def _is_production(use: Use) -> bool:
    if use.has(*_PRODUCTION_ONLY):
        return True
    omitted = use.option("--omit")
    if omitted is not None and "dev" in (omitted.value or ""):
        return True
    if use.environment("NODE_ENV") not in (None, "development", "dev", ""):
        return True
    names = ("NPM_CONFIG_OMIT", "npm_config_omit", "NPM_CONFIG_PRODUCTION", "npm_config_production", "YARN_PRODUCTION")
    return any(use.environment(name) is not None for name in names)


def builds_javascript(command: Command) -> bool:
    """Whether a command compiles a JavaScript project."""
    if command.name in _BUILDERS:
        return True
    if command.name in ("npm", "yarn", "pnpm", "bun", "npx", "pnpx", "node", "make"):
        return any(_BUILD_SCRIPT.search(word.text) is not None or word.text in _BUILDERS for word in command.args)
    return False


_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_DEBUG_SWITCHES: Final = frozenset(
    {"FLASK_DEBUG", "DJANGO_DEBUG", "APP_DEBUG", "DEBUG", "WERKZEUG_DEBUG", "QUART_DEBUG", "STARLETTE_DEBUG", "UVICORN_RELOAD"}
)
_ENVIRONMENTS: Final = names(
    "FLASK_ENV NODE_ENV RAILS_ENV RACK_ENV APP_ENV MIX_ENV ASPNETCORE_ENVIRONMENT DOTNET_ENVIRONMENT "
    "DJANGO_ENV QUART_ENV HANAMI_ENV "
    "SPRING_PROFILES_ACTIVE MICRONAUT_ENVIRONMENTS GO_ENV"
)
_DEVELOPMENT_VALUES: Final = frozenset({"development", "dev", "develop", "local", "debug"})
_DEBUGGER: Final = Pattern(r"-agentlib:jdwp|-Xrunjdwp|-Xdebug\b|--inspect(?:-brk)?(?:=|\b)")


def debug_environment(subject: PairSubject, context: Context) -> Iterator[Match]:
    """Yield the variables that put a framework of a shipped stage into debugging or development mode."""
    stage = subject.instruction.stage
    value = subject.value
    pair = subject.pair
    if stage is None or not isinstance(value, str) or pair.value is None:
        return
    severity = _debug_severity(pair.key.text, value)
    if severity is None or not build_of(context.document).ships(subject.instruction):
        return
    final = context.document.stages[-1]
    target = final if any(ancestor is stage for ancestor in final.lineage()) else stage
    if is_development(target):
        return
    binding = target.variables.lookup(pair.key.text, len(context.document.instructions))
    if binding is not None and binding.span == pair.span:  # nothing later sets it anew
        yield Match(pair.span, {"setting": f"{pair.key.text}={value}"}, severity=severity)


def _debug_severity(name: str, value: str) -> Severity | None:
    if name in _DEBUG_SWITCHES and value.lower() in _TRUE:
        return Severity.MEDIUM
    if name in _ENVIRONMENTS and value.lower() in _DEVELOPMENT_VALUES:
        return Severity.LOW
    if name == "GIN_MODE" and value == "debug":
        return Severity.LOW
    if name in ("JAVA_OPTS", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CATALINA_OPTS", "NODE_OPTIONS", "MAVEN_OPTS"):
        return Severity.MEDIUM if _DEBUGGER.search(value) is not None else None
    return None


_SCRIPT_RUNNERS: Final = frozenset({"npm", "yarn", "pnpm", "bun"})
_DEVELOPMENT_SCRIPT: Final = Pattern(r"(?:dev|develop|development|watch|start[:-]dev|start[:-]watch|dev[:-]\w+|serve[:-]dev)$")
_DEVELOPMENT_SERVERS: Final = frozenset({"nodemon", "ts-node-dev", "webpack-dev-server", "live-server", "browser-sync", "air", "werkzeug"})
# program -> subcommands that serve a developer
_DEVELOPMENT_COMMANDS: Final[Mapping[str, frozenset[str]]] = {
    "next": frozenset({"dev"}),
    "nuxt": frozenset({"dev"}),
    "astro": frozenset({"dev"}),
    "vite": frozenset({"", "dev", "serve"}),
    "ng": frozenset({"serve"}),
    "vue-cli-service": frozenset({"serve"}),
    "react-scripts": frozenset({"start"}),
    "webpack": frozenset({"serve"}),
    "gatsby": frozenset({"develop"}),
    "fastapi": frozenset({"dev"}),
    "dotnet": frozenset({"watch"}),
    "hugo": frozenset({"server", "serve"}),
    "jekyll": frozenset({"serve", "server"}),
    "mkdocs": frozenset({"serve"}),
    "tsx": frozenset({"watch"}),
    "mvn": frozenset({"spring-boot:run", "quarkus:dev"}),
    "mvnw": frozenset({"spring-boot:run", "quarkus:dev"}),
    "gradle": frozenset({"bootRun", "quarkusDev"}),
    "gradlew": frozenset({"bootRun", "quarkusDev"}),
}
_RELOADERS: Final = frozenset({"uvicorn", "gunicorn", "hypercorn", "flask", "celery", "daphne", "granian", "litestar"})


def development_server(invocation: Invocation, context: Context) -> Iterator[Match]:
    """Yield a CMD or ENTRYPOINT that starts a server for developers."""
    instruction = invocation.instruction
    stage = instruction.stage
    if stage is None or not stage.is_final or is_development(stage) or stage.effective.get(instruction.name) is not instruction:
        return
    reason = _serves_developers(invocation)
    if reason is not None:
        command, word, severity = reason
        yield Match(invocation.span if word is None else word.span, {"command": command}, severity=severity)


def _serves_developers(invocation: Invocation) -> tuple[str, Word | None, Severity | None] | None:
    """Return what starts a server for developers, the one word that is to blame if there is one, and how bad that is."""
    name = invocation.name
    words = invocation.command.args
    operands = [word.text for word in words if not word.text.startswith("-")]
    first = operands[0] if operands else ""
    if name in ("npx", "pnpx", "bunx") and operands:
        name, first = operands[0], operands[1] if len(operands) > 1 else ""
    if name in _SCRIPT_RUNNERS:
        script = operands[1] if first in ("run", "run-script") and len(operands) > 1 else first
        return (f"{name} run {script}", None, None) if _DEVELOPMENT_SCRIPT.match(script) is not None else None
    if name in _DEVELOPMENT_SERVERS:
        return name, None, None
    if first in _DEVELOPMENT_COMMANDS.get(name, ()):
        return f"{name} {first}".strip(), None, None
    if name in _RELOADERS:
        for word in words:
            if word.text in ("--reload", "--debug", "--debugger"):
                return f"{name} {word.text}", word, Severity.MEDIUM if name == "flask" and word.text != "--reload" else None
    if re.fullmatch(r"python[\d.]*", name) or name.endswith("manage.py"):
        script = name if name.endswith("manage.py") else first
        if script.endswith("manage.py") and any(word in ("runserver", "runserver_plus") for word in operands):
            return "manage.py runserver", None, None
        if [word.text for word in words[:2]] == ["-m", "http.server"]:
            return "python -m http.server", None, None
    if name in ("node", "java", "nodejs"):
        for word in words:
            if not word.text.startswith("-"):
                break
            if _DEBUGGER.match(word.text) is not None:
                return f"{name} {word.text.partition('=')[0]}", word, Severity.MEDIUM
    return None


# -- runtime environment, for those who want to hear everything -------------------------------------------------------------------


def node_environment(document: Dockerfile, context: Context) -> Iterator[Match]:
    """Yield a final stage that runs Node.js and never says NODE_ENV."""
    stage = document.stages[-1] if document.stages else None
    if stage is None or is_development(stage) or not _runs(stage, "node", "npm", "yarn", "pnpm"):
        return
    if not _is_set(stage, "NODE_ENV"):
        yield Match(stage.image.span)


def python_environment(document: Dockerfile, context: Context) -> Iterator[Match]:
    """Yield a final stage that runs Python without the two variables that suit a container."""
    stage = document.stages[-1] if document.stages else None
    if stage is None or not _runs(stage, "python", "python3", "gunicorn", "uvicorn", "flask", "celery"):
        return
    missing = [name for name in ("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE") if not _is_set(stage, name)]
    if missing and not _has_option(stage, "-u"):
        yield Match(stage.image.span, {"names": " and ".join(missing)})


def jvm_memory(document: Dockerfile, context: Context) -> Iterator[Match]:
    """Yield the `java` of a final stage that leaves the heap to the default of a quarter of the memory."""
    stage = document.stages[-1] if document.stages else None
    if stage is None or any(_is_set(stage, name) for name in ("JAVA_OPTS", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS")):
        return
    for invocation in _started(stage):
        words = invocation.command.args
        if invocation.name == "java" and not any(word.text.startswith(("-Xmx", "-XX:MaxRAM", "@")) or not word.static for word in words):
            yield Match(invocation.span)


def _started(stage: Stage) -> Iterator[Invocation]:
    """Yield the commands of the CMD and ENTRYPOINT in force in a stage."""
    for name in ("ENTRYPOINT", "CMD"):
        instruction = stage.effective.get(name)
        if instruction is not None:
            yield from invocations(instruction)


def _runs(stage: Stage, *programs: str) -> bool:
    return any(invocation.name in programs for invocation in _started(stage))


def _has_option(stage: Stage, option: str) -> bool:
    return any(word.text == option for invocation in _started(stage) for word in invocation.command.args)


def _is_set(stage: Stage, name: str) -> bool:
    return any(name in ancestor.variables.envs for ancestor in stage.lineage())


_TELEMETRY: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "dotnet": ("DOTNET_CLI_TELEMETRY_OPTOUT", ()),
    "next": ("NEXT_TELEMETRY_DISABLED", ("build", "dev", "start")),
    "nuxt": ("NUXT_TELEMETRY_DISABLED", ("build", "dev", "generate")),
    "nuxi": ("NUXT_TELEMETRY_DISABLED", ("build", "dev", "generate")),
    "astro": ("ASTRO_TELEMETRY_DISABLED", ("build", "dev")),
    "turbo": ("TURBO_TELEMETRY_DISABLED", ()),
    "gatsby": ("GATSBY_TELEMETRY_DISABLED", ("build", "develop")),
    "sam": ("SAM_CLI_TELEMETRY", ()),
    "func": ("FUNCTIONS_CORE_TOOLS_TELEMETRY_OPTOUT", ()),
    "pwsh": ("POWERSHELL_TELEMETRY_OPTOUT", ()),
    "vcpkg": ("VCPKG_DISABLE_METRICS", ()),
    "brew": ("HOMEBREW_NO_ANALYTICS", ()),
    "az": ("AZURE_CORE_COLLECT_TELEMETRY", ()),
}


def telemetry(stage: Stage, context: Context) -> Iterator[Match]:
    """Yield the first call in a stage of each program that reports home unless it is told not to."""
    seen: set[str] = set()
    for instruction in stage.instructions:
        if instruction.name != "RUN":
            continue
        for invocation in invocations(instruction):
            name = invocation.name
            words = [word.text for word in invocation.command.args if not word.text.startswith("-")]
            if name in ("npx", "pnpx", "bunx", "yarn", "pnpm") and words and words[0] in _TELEMETRY:
                name, words = words[0], words[1:]
            if name not in _TELEMETRY:
                continue
            switch, verbs = _TELEMETRY[name]
            if switch in seen or (verbs and (not words or words[0] not in verbs)):
                continue
            seen.add(switch)
            inline = any(assignment.name in (switch, "DO_NOT_TRACK") for assignment in invocation.command.assignments)
            if not inline and variable(instruction, switch) is None and variable(instruction, "DO_NOT_TRACK") is None:
                yield Match(invocation.span, {"program": name, "variable": switch})


_STATIC_BASE: Final = Pattern(r"(?:^|/)(?:distroless/static[\w.-]*|chainguard/static|static)$")


def cgo_for_static_image(document: Dockerfile, context: Context) -> Iterator[Match]:
    """Yield `go build` with cgo on, when the program goes into an image that has no C library."""
    stage = document.stages[-1] if document.stages else None
    if stage is None or len(document.stages) < 2:
        return
    *_, root = stage.lineage()
    name = root.image.name
    if not root.image.is_scratch and not (isinstance(name, str) and _STATIC_BASE.search(name)):
        return
    build = build_of(document)
    for origin in _copied_from(document, stage):
        if any("alpine" in str(ancestor.image.raw) for ancestor in origin.lineage()):
            continue  # no C compiler there, and so no cgo
        for instruction in origin.instructions:
            for use in build.uses(instruction) if instruction.name == "RUN" else ():
                if use.manager.name == "go" and use.verb in ("build", "install") and not use.is_opaque and _uses_cgo(use):
                    yield Match(use.head)


def _copied_from(document: Dockerfile, stage: Stage) -> Iterator[Stage]:
    """Yield each stage that a stage copies files from, once."""
    from hardener.sources.stages import stage_named

    seen: set[int] = set()
    for instruction in stage.instructions:
        flag = instruction.flag("from") if instruction.name == "COPY" else None
        origin = None if flag is None or not flag.value else stage_named(document, flag.value, stage)
        if origin is not None and origin.index not in seen:
            seen.add(origin.index)
            yield origin


def _uses_cgo(use: Use) -> bool:
    if use.action not in (BUILD, INSTALL) or use.environment("CGO_ENABLED") is not None:
        return False
    if use.environment("GOOS") not in (None, "linux"):
        return False
    return not any("-static" in (option.value or "") or "netgo" in (option.value or "") for option in use.options)


CHECKS: Final[Mapping[str, Check]] = {
    "HD414": pip_cache_kept,
    "HD415": node_cache_kept,
    "HD416": gem_documentation,
    "HD444": extra_index,
    "HD445": system_python,
    "HD446": lock_file_ignored,
    "HD447": development_dependencies,
    "HD448": debug_environment,
    "HD449": development_server,
    "HD450": node_environment,
    "HD451": python_environment,
    "HD452": jvm_memory,
    "HD453": telemetry,
    "HD454": cgo_for_static_image,
}
