"""Health, restarts, logging, stopping: whether anybody notices when a service no longer works, and what happens then."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from hardener.finding import Match, Severity
from hardener.rules.checks import Check
from hardener.rules.checks.service.posture import has_healthcheck, image_has_healthcheck
from hardener.rules.context import ServiceContext
from hardener.rules.known_services import is_store
from hardener.rules.services import at, is_complete, is_on, missing
from hardener.sources.service import Healthcheck, Service, Setting, Words
from hardener.sources.unknown import UNKNOWN
from hardener.text import Pattern, Place, Span, View

if TYPE_CHECKING:
    from hardener.sources.shell import Command, Script

# What the engine takes where nothing is said. Source: moby's api/types/container/health.go and daemon/health.go.
_INTERVAL_S: Final = 30.0
_TIMEOUT_S: Final = 30.0
_RETRIES: Final = 3
_TOO_SLOW_S: Final = 15 * 60

_SUCCEEDS: Final = frozenset({"true", ":", "echo", "printf"})
_ENDS: Final = frozenset({"exit", "return", "false", "kill", "exec", "trap", "set"})
_FAILS: Final = ("-f", "--fail", "--fail-with-body", "-w", "--write-out", "-K", "--config", "-I", "--head")
_OPERATORS: Final = frozenset(
    {"||", "&&", "|", ";", ">", ">>", "<", "&", "2>", "2>&1", ">/dev/null", "&>/dev/null", "2>/dev/null", "1>/dev/null"}
)
_OWN_OPERATORS: Final = frozenset({"find", "test", "[", "expr", "awk", "gawk", "jq", "dc", "bc", "cmd", "cmd.exe"})
_SHELLS: Final = frozenset({"sh", "bash", "ash", "dash", "zsh", "ksh", "busybox", "powershell", "pwsh"})
_KEYWORD: Final = Pattern(r"(?:CMD-SHELL|CMD|NONE)(?=\s|$)")
_LINE: Final = Pattern(r"[\w./+-]+\s+(?:-|https?://|/|\w+(?:\s|$))")


# --- health: is there a test ------------------------------------------------------------------------------------------------


def _runs_on(service: Service) -> bool:
    """Whether a service is there to be used by others, and not to do one thing and end."""
    restart = service.restart
    if restart is not None and restart.text.partition(":")[0] in ("always", "unless-stopped"):
        return True
    if restart is not None and restart.text in ("no", "on-failure"):
        return False
    return bool(service.ports)


def no_healthcheck(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a service that runs on and whose health nobody tests, neither it nor its image."""
    if not is_complete(service) or service.is_one_off or not _runs_on(service) or _is_disabled(service):
        return
    if has_healthcheck(service, context) is False:
        yield missing(service, name=service.name)


def _is_disabled(service: Service) -> bool:
    own = service.healthcheck
    return own is not None and own.disabled is not None


def unhealthy_dependency(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a wait for the health of a service that has no test: it never comes."""
    if service.origin == "stack":
        return
    for dependency in service.depends_on:
        if dependency.condition != "service_healthy" or not dependency.required:
            continue
        other = context.project.service(dependency.name)
        if other is None or not is_complete(other) or has_healthcheck(other, context) is not False:
            continue
        own = other.healthcheck
        disabled = own is not None and own.disabled is not None
        place = own.disabled.place if own is not None and own.disabled is not None else other.place
        yield Match(
            dependency.place.span,
            {"service": service.name, "other": dependency.name, "why": "is switched off" if disabled else "does not exist"},
            ((place, "switched off here" if disabled else "no health check here"),),
            file=dependency.place.file,
        )


def endless_dependency(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a wait for the end of a service that is restarted whenever it ends."""
    if service.origin == "stack":
        return
    for dependency in service.depends_on:
        if dependency.condition != "service_completed_successfully":
            continue
        other = context.project.service(dependency.name)
        restart = None if other is None else other.restart
        if restart is not None and restart.known in ("always", "unless-stopped"):
            yield Match(
                dependency.place.span,
                {"other": dependency.name, "restart": restart.text},
                ((restart.place, "restarted here"),),
                file=dependency.place.file,
            )


def healthcheck_off(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a health check that is switched off; where the image has none, only of a service that others rely on."""
    own = service.healthcheck
    if own is None or own.disabled is None or own.disabled.value is not True or service.is_one_off:
        return
    if image_has_healthcheck(service, context) is not False:
        yield at(own.disabled, name=service.name, so="any more, also not the one of its image")
    elif _runs_on(service):
        yield at(own.disabled, name=service.name, so="and its image has none either")


# --- health: can the test work ----------------------------------------------------------------------------------------------


def _test(service: Service) -> Words | None:
    own = service.healthcheck
    return None if own is None or own.disabled is not None else own.test


class _Reading:
    """A health test as a shell script, or as the one command that it is; `exact` says whether its spans are those of the file."""

    __slots__ = ("exact", "script", "test")

    def __init__(self, test: Words, script: "Script", *, exact: bool) -> None:
        self.test = test
        self.script = script
        self.exact = exact

    def place(self, span: Span) -> Place:
        """Return where a part of the test stands; the whole test, where the file does not hold it letter by letter."""
        return Place(self.test.place.file, span) if self.exact else self.test.place


def _read(test: Words | None) -> _Reading | None:
    """Return a test taken apart; None for one that a variable decides."""
    if test is None or not test.words or any(word.value is UNKNOWN for word in test.words):
        return None
    from hardener.sources import shell

    first = test.words[0]
    if test.shell:
        view = first.view
        return _Reading(test, shell.parse(view or _loose(first.text)), exact=view is not None)
    if any("\\" in word.text for word in test.words):
        return None  # the shell reader takes its words for JSON strings
    exact = all(word.view is not None for word in test.words)
    return _Reading(test, shell.from_argv([(word.text, word.view or _loose(word.text)) for word in test.words]), exact=exact)


def _loose(text: str) -> View:
    """Return a view of a text that no file holds as it is."""
    return View(text, [0], [0], len(text))


def _deciding(script: "Script") -> "Script":
    """Return the script whose end decides: the one that `sh -c` reads, where the test is that."""
    if script.dialect == "exec" and script.commands and script.commands[0].effective.codes:
        inner = script.commands[0].scripts
        return inner[-1] if inner else script
    return script


def infallible_test(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a test that ends well whatever the service does."""
    reading = _read(_test(service))
    if reading is None:
        return
    script = _deciding(reading.script)
    own = [pipeline for pipeline in script.own if pipeline.commands]
    if not own or script.problems or script.errexit:
        return
    listed = _finds_itself(script)
    if listed is not None:
        place = reading.place(listed.span)
        yield Match(place.span, {"why": "the list of processes holds the test itself, so grep always finds it"}, file=place.file)
        return
    last = own[-1]
    command = last.commands[-1]
    if command.compound or command.enclosing is not None or last.operator == "&&" or not _succeeds(command):
        return
    if any(other.name in _ENDS and other is not command and not _exits_well(other) for other in script.commands):
        return
    end = last.span.end
    if last.operator and reading.exact:
        start = last.span.start
        why = f"after {last.operator.strip() or 'the line before'!r} it ends with `{_shown(command)}`, whatever came before"
    else:
        start = own[0].span.start
        why = f"it ends with `{_shown(command)}`" if last.operator else f"`{_shown(command)}` asks the service nothing"
    place = reading.place(Span(start, end))
    yield Match(place.span, {"why": why}, file=place.file)


def _shown(command: "Command") -> str:
    return " ".join([word.text for word in command.words])[:40]


def _succeeds(command: "Command") -> bool:
    return _exits_well(command) or (command.name in _SUCCEEDS and not command.redirects)


def _exits_well(command: "Command") -> bool:
    return command.name == "exit" and [word.text for word in command.args] == ["0"]


def _finds_itself(script: "Script") -> "Command | None":
    """Return the grep of `ps … | grep name`: the shell that runs the test has the name among its own arguments."""
    first = script.own[0]
    names = [command.name for command in first.commands]
    if script.dialect == "exec" or len(names) != 2 or names != ["ps", "grep"]:
        return None
    for pipeline in script.own[1:]:
        if pipeline.operator != "||" or not all(command.name in ("exit", "false", "kill") for command in pipeline.commands):
            return None
    grep = first.commands[1]
    if any(word.text.startswith("-") and ("v" in word.text or "c" in word.text) and not word.text.startswith("--") for word in grep.args):
        return None
    pattern = next((word.text for word in grep.args if not word.text.startswith("-")), "")
    plain = bool(pattern) and not any(char in pattern for char in "[]^$\\*")
    lists_arguments = any("f" in word.text or "a" in word.text or "e" in word.text for word in first.commands[0].args)
    return grep if plain and lists_arguments else None


def curl_without_fail(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a test that is content with any HTTP answer."""
    reading = _read(_test(service))
    if reading is None or "curl" not in reading.script.view.text:
        return
    from hardener.sources.options import options

    for command in reading.script.commands:
        members = command.pipeline.commands
        word = command.name_word
        if command.name != "curl" or word is None or members[-1] is not command or "substitution" in command.scope:
            continue
        found = options(command)
        urls = [operand.text for operand in found.operands]
        if not urls or found.has(*_FAILS) or any(not arg.static and not arg.quoted for arg in command.args):
            continue
        if any("://" in url and not url.startswith(("http://", "https://")) for url in urls):
            continue
        place = reading.place(word.span)
        yield Match(place.span, {}, file=place.file)


def test_without_shell(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report operators of the shell, or a whole command line, in the form that no shell reads."""
    test = _test(service)
    if test is None or test.shell or not test.words or any(word.value is UNKNOWN for word in test.words):
        return
    words = test.words
    first = words[0].text
    program = first.rpartition("/")[2]
    if len(words) == 1 or program not in _SHELLS:
        line = _LINE.match(first)
        if line is not None and not first.startswith(("CMD", "/opt/", "C:")):
            yield at(words[0], what=f"Docker looks for a program that is called “{first[:60]}”")
            return
    if program in _OWN_OPERATORS:
        return
    for word in words[1:]:
        if word.text in _OPERATORS:
            yield at(word, what=f"{program} gets {word.text} as an argument, since no shell reads the CMD form")
            return


def split_shell_test(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report CMD-SHELL with more than one string: the shell takes the first for the script, and the others for its arguments."""
    test = _test(service)
    if test is not None and test.shell and len(test.words) > 1:
        yield at(test.words[1], first=test.words[0].text[:60], others=" ".join([word.text for word in test.words[1:]])[:60])


def keyword_in_string(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report CMD, CMD-SHELL or NONE in a string: there a shell takes it for a program."""
    test = _test(service)
    if test is None or not test.shell or len(test.words) != 1:
        return
    setting = test.words[0]
    match = _KEYWORD.match(setting.text)
    if match is None:
        return
    place = setting.place
    if setting.view is not None:
        place = Place(place.file, setting.view.span(match.start(), match.end()))
    yield Match(place.span, {"word": match[0]}, setting.history, file=place.file)


# --- health: its times ------------------------------------------------------------------------------------------------------


def _seconds(setting: Setting[float] | None, default: float) -> float | None:
    """Return a duration; the default where none is set (or 0, which means the same), None where it is not known."""
    if setting is None:
        return default
    return None if setting.value is UNKNOWN else setting.value or default


def _tests(service: Service) -> Healthcheck | None:
    own = service.healthcheck
    return None if own is None or own.disabled is not None else own


def slow_test(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report times that add up to a quarter of an hour or more until a dead service counts as unhealthy."""
    own = _tests(service)
    if own is None:
        return
    interval, timeout = _seconds(own.interval, _INTERVAL_S), _seconds(own.timeout, _TIMEOUT_S)
    retries = _RETRIES if own.retries is None else own.retries.known
    if interval is None or timeout is None or retries is None:
        return
    total = (interval + min(timeout, interval)) * (retries or _RETRIES)
    if total < _TOO_SLOW_S:
        return
    settings = [setting for setting in (own.interval, own.retries, own.timeout) if setting is not None]
    if settings:
        longest = own.interval if own.interval is not None and interval > 120 else settings[-1]
        place = longest.place
        yield Match(place.span, {"minutes": str(round(total / 60))}, longest.history, file=place.file)


def timeout_above_interval(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a timeout that is longer than the interval."""
    own = _tests(service)
    if own is None or own.timeout is None:
        return
    interval, timeout = _seconds(own.interval, _INTERVAL_S), _seconds(own.timeout, _TIMEOUT_S)
    if interval is not None and timeout is not None and timeout > interval:
        place = own.timeout.place
        yield Match(place.span, {"timeout": f"{timeout:g}", "interval": f"{interval:g}"}, own.timeout.history, file=place.file)


def ineffective_setting(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report settings of a health check that change nothing."""
    own = _tests(service)
    if own is None:
        return
    if own.test is None and is_complete(service) and image_has_healthcheck(service, context) is False:
        yield Match(own.key.span, {"what": "nothing is tested: there is no `test`, and the image has none either"}, file=own.key.file)
        return
    retries = own.retries
    if retries is not None and retries.value is not UNKNOWN and retries.value == 0:
        yield at(retries, what=f"0 retries are the default of {_RETRIES}")
    faster, period = own.start_interval, own.start_period
    starts_at_once = period is None or (period.value is not UNKNOWN and period.value == 0)
    if faster is not None and starts_at_once and service.origin != "stack" and own.test is not None:
        yield Match(faster.place.span, {"what": "without a start_period there is no start to test in"}, file=faster.place.file)


def busy_test(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a test that runs more than once a second for as long as the service lives."""
    own = _tests(service)
    interval = None if own is None else own.interval
    if interval is not None and interval.value is not UNKNOWN and 0 < interval.value < 1:
        yield Match(interval.place.span, {"interval": f"{interval.value:g}"}, interval.history, file=interval.place.file)


# --- restarts ---------------------------------------------------------------------------------------------------------------

_CONDITIONS: Final = {"no": "none", "always": "any", "unless-stopped": "any", "on-failure": "on-failure"}


def endless_restart(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a service that is restarted without end, however often it fails."""
    restart = service.restart
    if restart is not None and restart.known in ("always", "unless-stopped") and service.origin != "stack":
        yield at(restart, policy=restart.text)


def no_restart_policy(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a service that others reach and that stays down when it fails."""
    if service.restart is not None or not service.ports or not is_complete(service) or service.is_one_off or service.origin == "stack":
        return
    if service.remove is not None or (service.deploy is not None and "deploy.restart_policy" in service.keys):
        return
    yield missing(service, name=service.name)


def contradictory_restart(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report `restart` beside a `deploy.restart_policy` that says something else and wins."""
    restart, deploy = service.restart, service.deploy
    condition = None if deploy is None else deploy.restart_condition
    if restart is None or condition is None or restart.value is UNKNOWN or condition.value is UNKNOWN:
        return
    meant = _CONDITIONS.get(restart.value.partition(":")[0])
    if meant is not None and meant != condition.value:
        yield at(restart, related=((condition.place, "this is in force"),), restart=restart.value, condition=condition.value)


def restart_of_removed(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a run line that wants a container both restarted and removed when it ends: Docker refuses it."""
    restart = service.restart
    if restart is not None and is_on(service.remove) and service.remove is not None and restart.known not in (None, "no", ""):
        yield at(restart, related=((service.remove.place, "removed here"),), policy=restart.text)


# --- logging ----------------------------------------------------------------------------------------------------------------


def logging_off(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a service whose output is thrown away."""
    driver = None if service.logging is None else service.logging.driver
    if driver is not None and driver.value == "none" and not service.is_one_off:
        yield at(driver, name=service.name)


def unbounded_log(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a log file that grows until the disk is full."""
    if not is_complete(service) or service.is_one_off:
        return
    logging = service.logging
    driver = None if logging is None else logging.driver
    if driver is not None and driver.value != "json-file":
        return
    if logging is not None:
        for option in logging.options:
            if option.name == "max-size" and not (option.value is not None and option.value.value == "-1"):
                return
    if driver is not None:
        yield at(driver, what="the json-file driver keeps everything: it has no max-size")
    else:
        yield missing(service, what=f"nothing bounds the log of {service.name}: Docker's default driver keeps everything")


# --- stopping ---------------------------------------------------------------------------------------------------------------


def abrupt_stop(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a service that gets no time to end; worst for data stores."""
    store = is_store(service)
    severity = Severity.MEDIUM if store else None
    signal = service.stop_signal
    if signal is not None and signal.known is not None and signal.known.upper().removeprefix("SIG") in ("KILL", "9"):
        yield at(signal, severity=severity, what=f"{signal.text} ends the service in the middle of what it does")
    grace = service.stop_grace_period
    if grace is not None and grace.value is not UNKNOWN and 0 <= grace.value < (2 if store else 1) and not service.is_one_off:
        what = f"{grace.value:g} s after the signal to stop, the service is killed"
        yield Match(grace.place.span, {"what": what}, grace.history, severity=severity, file=grace.place.file)


def endless_stop(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a stop that may take ten minutes and more; data stores may need that."""
    grace = service.stop_grace_period
    if grace is not None and grace.value is not UNKNOWN and grace.value > 600 and not is_store(service):
        yield Match(grace.place.span, {"minutes": f"{grace.value / 60:.0f}"}, grace.history, file=grace.place.file)


# --- terminals and init -----------------------------------------------------------------------------------------------------


def interactive_service(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report a server with an open terminal."""
    tty = service.tty
    if tty is not None and is_on(tty) and is_on(service.stdin_open) and service.ports and not service.is_one_off:
        yield at(tty, name=service.name)


_S6: Final = ("lscr.io/linuxserver/", "linuxserver/", "ghcr.io/linuxserver/", "docker.io/linuxserver/")
_INITS: Final = frozenset({"tini", "dumb-init", "docker-init", "catatonit", "s6-svscan", "systemd"})


def second_init(service: Service, context: ServiceContext) -> Iterator[Match]:
    """Report Docker's init before an init that wants to be the first process itself."""
    init = service.init
    if init is None or not is_on(init):
        return
    image = None if service.image is None else service.image.known
    if image is not None and image.startswith(_S6) and service.entrypoint is None:
        yield at(init, severity=Severity.MEDIUM, other="s6-overlay in the image", consequence="refuses to start when it is not process 1")
        return
    for words in (service.entrypoint, service.command if service.entrypoint is None else None):
        if words is not None and words.words and words.words[0].known is not None:
            name = words.words[0].text.rpartition("/")[2]
            if name in _INITS:
                yield at(init, other=name, consequence="is then not process 1, and reaps nothing")
                return


CHECKS: Final[Mapping[str, Check]] = {
    "HS721": no_healthcheck,
    "HS722": unhealthy_dependency,
    "HS723": healthcheck_off,
    "HS724": infallible_test,
    "HS725": curl_without_fail,
    "HS726": test_without_shell,
    "HS727": split_shell_test,
    "HS728": keyword_in_string,
    "HS729": slow_test,
    "HS730": timeout_above_interval,
    "HS731": ineffective_setting,
    "HS732": busy_test,
    "HS733": endless_dependency,
    "HS741": endless_restart,
    "HS742": no_restart_policy,
    "HS743": contradictory_restart,
    "HS744": restart_of_removed,
    "HS751": logging_off,
    "HS752": unbounded_log,
    "HS761": abrupt_stop,
    "HS762": endless_stop,
    "HS763": interactive_service,
    "HS764": second_init,
}
