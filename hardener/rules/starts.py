"""What an image starts: the stage's line, the program behind CMD and ENTRYPOINT, and whether that is a service."""

from typing import Final

from hardener.rules.known_images import checks_health
from hardener.sources.commands import is_windows
from hardener.sources.instructions import Instruction
from hardener.sources.options import options, program
from hardener.sources.shell import Command
from hardener.sources.stages import ImageReference, Stage
from hardener.text import Pattern

LINEAGE_LIMIT: Final = 64
"""Stages of a line that are looked at; longer lines exist only to make programs slow."""

SHELLS: Final = frozenset({"sh", "bash", "ash", "dash", "zsh", "ksh", "fish", "pwsh", "powershell", "cmd"})

# Stages that exist to be built, tested or exported, and not to be run.
_BUILD_TARGET: Final = Pattern(
    r"(?:.*[-_.])?(?:builder|build|compile|compiler|artifacts?|export|output|out|dist|binary|binaries|release-files|tests?|testing|lint|"
    r"linter|validate|check|docs|vendor|vendored|generate|update|deps|dependencies)(?:[-_.].*)?"
)
# Programs that do their work and end.
_ONE_SHOT: Final = frozenset({
    "true", "false", "echo", "printf", "cat", "ls", "env", "printenv", "id", "whoami", "date", "uname", "pwd", "test", "tail", "sleep",
    "pytest", "tox", "nox", "make", "bats", "jest", "mocha", "rspec", "phpunit", "hadolint", "shellcheck", "ruff", "mypy", "eslint",
    "git", "terraform", "tofu", "aws", "gcloud", "az", "kubectl", "helm", "ansible", "ansible-playbook", "curl", "wget", "jq", "yq",
    "ffmpeg", "pandoc", "protoc", "gcc", "clang", "cargo", "mvn", "gradle",
})  # fmt: skip
_INTERPRETERS: Final = frozenset({
    "python", "python3", "ipython", "node", "irb", "ruby", "php", "perl", "lua", "R", "julia", "jshell", "ghci", "iex", "erl", "psql",
    "mysql", "redis-cli", "mongo", "mongosh", "scala", "clj", "tclsh", "octave", "sqlite3",
})  # fmt: skip
_PREPARING: Final = frozenset({"cd", "set", "export", ".", "source", "umask", "ulimit", "mkdir", "chown", "chmod", "rm"})
_ASKING: Final = frozenset({"--help", "-h", "help", "--version", "version", "-V"})
_RUNNING_TESTS: Final = frozenset({"test", "lint", "build", "check", "format", "coverage"})
_SYSTEM_FOLDERS: Final = frozenset({"", "/bin", "/sbin", "/usr/bin", "/usr/sbin"})
_SERVER_NAME: Final = Pattern(
    r".*(?:d|-?server|-?serve|-?daemon|-?proxy|-?gateway|-?api|-?web|-?worker|-?agent|-?exporter|-?operator|-?controller|\.sh)|nginx|"
    r"caddy|traefik|gunicorn|uvicorn|uwsgi|puma|node|java|consul|vault|etcd|prometheus|grafana|clair|coredns|app|main"
)

# Official images (and close kin) whose configuration starts a server.
_SERVERS: Final = Pattern(
    r"(?:.*/)?(?:nginx|nginx-unprivileged|httpd|caddy|haproxy|traefik|envoy|varnish|squid|tomcat|jetty|wildfly|payara|redis|valkey|memcached|"
    r"postgres|postgresql|postgis|mysql|mariadb|percona|mongo|mongodb|couchdb|cassandra|neo4j|influxdb|elasticsearch|opensearch|kibana|"
    r"logstash|rabbitmq|nats|eclipse-mosquitto|kafka|zookeeper|consul|vault|etcd|registry|wordpress|nextcloud|drupal|joomla|ghost|"
    r"mediawiki|matomo|sonarqube|jenkins|gitea|grafana|prometheus|keycloak|minio|solr|nexus3)"
)
# Platforms that start containers their own way and never ask for their health.
_PLATFORMS: Final = Pattern(
    r"public\.ecr\.aws/lambda/.*|(?:public\.ecr\.aws/)?(?:amazon|awsguru)/aws-lambda-.*|mcr\.microsoft\.com/(?:vscode/)?devcontainers/.*|"
    r"mcr\.microsoft\.com/azure-functions/.*|gitpod/.*|codercom/.*|cimg/.*|circleci/.*"
)


def lineage_of(stage: Stage) -> list[Stage]:
    """Return a stage and the stages it is built on, nearest first, at most `LINEAGE_LIMIT`."""
    found: list[Stage] = []
    for ancestor in stage.lineage():
        found.append(ancestor)
        if len(found) == LINEAGE_LIMIT:
            break
    return found


def root_image(stage: Stage) -> ImageReference:
    """Return the image that a stage's line starts from."""
    return lineage_of(stage)[-1].image


def starts_something(stage: Stage) -> bool:
    """Whether the file itself says what a stage starts."""
    return "CMD" in stage.effective or "ENTRYPOINT" in stage.effective


def is_build_target(stage: Stage) -> bool:
    """Whether a stage is called like one that is built for its files or its exit status, and starts nothing."""
    return stage.name is not None and _BUILD_TARGET.fullmatch(stage.name) is not None and not starts_something(stage)


def first_command(instruction: Instruction | None) -> Command | None:
    """Return the command that a CMD or ENTRYPOINT starts with; None when it holds none that can be read."""
    if instruction is None or instruction.script is None:
        return None
    commands = instruction.script.commands
    if not commands:
        return None
    command = next((one for one in commands if one.name and one.name not in _PREPARING), commands[0])
    # `sh -c "…"` starts what is in its string.
    while command.effective.codes and (inner := command.scripts) and inner[0].commands:
        command = inner[0].commands[0]
    return command


def service(stage: Stage) -> str | None:
    """Return what shows that a stage is a long-running service, None when nothing does: `exposes a port`, `runs gunicorn`."""
    if stage.name is not None and _BUILD_TARGET.fullmatch(stage.name):
        return None
    line = lineage_of(stage)
    image = line[-1].image
    if not isinstance(image.name, str) or _PLATFORMS.fullmatch(image.name):
        return None
    for ancestor in line:
        for instruction in ancestor.instructions:
            if instruction.name == "EXPOSE" and instruction.words:
                return f"exposes port {instruction.words[0].text}"
    entry, default = first_command(stage.effective.get("ENTRYPOINT")), first_command(stage.effective.get("CMD"))
    command = entry or default
    if command is not None:
        if is_one_shot(command) or (entry is not None and default is not None and _is_wrapper(entry) and is_one_shot(default)):
            return None
        if entry is not None and _is_tool(entry, stage.effective.get("CMD")):
            return None
        name = command.name or command.words[0].text
        return f"runs {name if len(name) <= 40 else 'a program'}"
    if not starts_something(stage) and _SERVERS.fullmatch(image.name):
        return f"runs what {image.name} starts"
    return None


def brings_health_check(image: ImageReference) -> bool:
    """Whether an image is known to have a HEALTHCHECK of its own."""
    return isinstance(image.name, str) and checks_health(image.name) is True


def _is_tool(entry: Command, default: Instruction | None) -> bool:
    """Whether an ENTRYPOINT is a tool's bare name that waits for arguments: `ENTRYPOINT ["gimp"]`, perhaps with `CMD ["--help"]`."""
    word = entry.name_word
    folder = "" if word is None else word.text.rpartition("/")[0]
    if folder not in _SYSTEM_FOLDERS or any(not one.text.startswith("-") for one in entry.args) or _SERVER_NAME.fullmatch(entry.name):
        return False
    return default is None or all(one.text.startswith("-") or one.text in _ASKING for one in default.words)


def _is_wrapper(command: Command) -> bool:
    """Whether a command only prepares and then runs its arguments, as entrypoint scripts do."""
    return not command.name or command.name.endswith(".sh") or "entrypoint" in command.name


def is_one_shot(command: Command) -> bool:
    """Whether a command ends by itself or only waits for a person: tools, test runners, a bare shell or interpreter."""
    name = command.name
    if name in _ONE_SHOT:
        return True
    texts = [word.text for word in command.args]
    if len(texts) == 1 and texts[0] in _ASKING:
        return True
    if name in SHELLS or name in _INTERPRETERS:
        return not options(command).operands and not command.effective.codes
    return program(command) in {"npm", "yarn", "pnpm", "go", "dotnet"} and any(text.partition(":")[0] in _RUNNING_TESTS for text in texts)


def runs_on_windows(stage: Stage) -> bool:
    """Whether a stage is built for Windows."""
    return is_windows(stage.origin)
