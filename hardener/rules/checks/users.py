"""Checks on who a container runs as: USER, the accounts that RUN creates, and what belongs to whom."""

import posixpath
from collections.abc import Iterator, Mapping
from typing import Final

from hardener.finding import Match
from hardener.record import NamedTuple
from hardener.rules.accounts import NUMBER, WINDOWS_ADMINS, has_own_user, is_root, sets_user, steps_down_image
from hardener.rules.checks import Check
from hardener.rules.context import Context
from hardener.rules.reading import commands_of, known, normal_path, partial
from hardener.sources.commands import Invocation, is_windows
from hardener.sources.expansion import HOLE
from hardener.sources.instructions import Instruction
from hardener.sources.options import options
from hardener.sources.shell import Command
from hardener.sources.stages import Stage
from hardener.text import Pattern, Span

_STEP_DOWN_TOOLS: Final = frozenset({"gosu", "su-exec", "setpriv", "s6-setuidgid", "chpst", "setuidgid", "runuser", "setuser", "su"})
_STEP_DOWN_TEXT: Final = Pattern(r"\b(?:gosu|su-exec|setpriv|s6-setuidgid|chpst|setuidgid|runuser|setuser|exec su)\b")
_ARTIFACT_STAGES: Final = Pattern(
    r"(?:.*[-_.])?(?:builder|build|artifacts?|export|output|out|dist|binary|binaries|release-files|tests?|lint|linter|validate|check|docs|"
    r"vendor|vendored|generate|update|deps|dependencies)(?:[-_.].*)?"
)
_ADD_USER: Final = frozenset({"useradd", "adduser"})
_ACCOUNT_TOOLS: Final = frozenset({"useradd", "adduser", "usermod", "gpasswd", "addgroup"})


class Identity(NamedTuple):
    """The USER in force at the end of a stage; `text` holds a `HOLE` where a piece is not known."""

    text: str
    span: Span
    instruction: Instruction


def identity(stage: Stage) -> Identity | None:
    """Return the USER that a stage ends with, inherited from earlier stages if it sets none; None when no stage of its line sets one."""
    instruction = stage.effective.get("USER")
    if instruction is None or not instruction.words:
        return None
    word = instruction.words[0]
    return Identity(partial(word, instruction), word.span, instruction)


def image_text(stage: Stage) -> str | None:
    """Return name and tag of the image that a stage's line starts from; None when the file does not decide them."""
    image = stage.root.image
    if not isinstance(image.name, str) or not (image.tag is None or isinstance(image.tag, str)) or "{" in image.raw.replace("${", ""):
        return None  # a variable decides, or a template is still to be filled in
    return image.name if image.tag is None else f"{image.name}:{image.tag}"


def steps_down(stage: Stage, context: Context) -> bool:
    """Whether what the image starts goes on as another user, as far as the file (or the entrypoint script beside it) tells."""
    for name in ("ENTRYPOINT", "CMD"):
        instruction = stage.effective.get(name)
        if instruction is None or instruction.script is None:
            continue
        commands = instruction.script.commands
        for command in commands:
            if command.name in _STEP_DOWN_TOOLS or any(prefix in _STEP_DOWN_TOOLS for prefix in command.prefixes):
                return True
        if commands and _script_steps_down(commands[0], stage, context):
            return True
    if "ENTRYPOINT" not in stage.effective:
        text = image_text(stage)
        return text is not None and steps_down_image(text)
    return False


def _script_steps_down(command: Command, stage: Stage, context: Context) -> bool:
    """Look into the file beside the Dockerfile that is copied to where the command's program stands."""
    words = command.words[command.effective.position :][:2]
    programs = {posixpath.basename(word.text) for word in words}
    for ancestor in stage.lineage():
        for instruction in ancestor.instructions:
            if instruction.name not in ("COPY", "ADD") or instruction.flag("from") is not None:
                continue
            for word in instruction.words[:-1]:
                if posixpath.basename(word.text) in programs:
                    text = context.neighbour(posixpath.normpath(word.text.lstrip("/")))
                    if text is not None and _STEP_DOWN_TEXT.search(text):
                        return True
    return False


def no_user(stage: Stage, context: Context) -> Iterator[Match]:
    """HD201: nothing in the final stage's line sets USER, and the base image is not known to set one."""
    if not stage.is_final or identity(stage) is not None or stage.effective.get("USER") is not None:
        return
    root = stage.root
    starts = "CMD" in stage.effective or "ENTRYPOINT" in stage.effective
    if root.image.is_scratch:
        if starts:  # otherwise nothing can run: the stage only carries files out of a build
            yield Match(stage.image.span, {"what": f"{_called(stage)} has no USER and scratch sets none, so its program runs as uid 0"})
        return
    text = image_text(stage)
    if text is None or sets_user(text):
        return
    if not starts and stage.name is not None and _ARTIFACT_STAGES.fullmatch(stage.name):
        return
    if steps_down(stage, context):
        return
    user = "ContainerAdministrator" if is_windows(stage.origin) or "windowsservercore" in text else "root"
    # The official images that are not in the tables above leave root in force; of others only their configuration knows.
    unless = f" unless {text} sets another user" if "/" in text else ""
    yield Match(stage.image.span, {"what": f"{_called(stage)} never sets USER, so it runs as {user}{unless}"})


def _called(stage: Stage) -> str:
    if len(stage.document.stages) == 1:
        return "the image"
    return f"the final stage {stage.name}" if stage.name else "the final stage"


def root_user(stage: Stage, context: Context) -> Iterator[Match]:
    """HD202: the last USER of the final stage's line, or the last ONBUILD USER, is root in some spelling."""
    if not stage.is_final:
        return
    found = identity(stage)
    if found is not None and is_root(found.text) and not steps_down(stage, context):
        where = "" if found.instruction.stage is stage else f" (inherited through FROM {stage.image.raw})"
        related = () if found.instruction.stage is stage else ((stage.image.span, "the final stage inherits it here"),)
        yield Match(found.span, {"user": found.text, "power": _power(found.text), "where": where}, related, anchors=(stage.image.span,))
    triggers = [one.trigger for one in stage.instructions if one.trigger is not None and one.trigger.name == "USER" and one.trigger.words]
    if triggers:
        word = triggers[-1].words[0]
        text = partial(word, triggers[-1])
        if is_root(text):
            yield Match(word.span, {"user": text, "power": _power(text), "where": " in every image built on this one"})


def _power(user: str) -> str:
    return "an administrator" if user.partition(":")[0].strip().lower() in WINDOWS_ADMINS else "root"


def trusted_user(stage: Stage, context: Context) -> Iterator[Match]:
    """HD203: only the base image's name says that it is not root."""
    if stage.is_final and stage.effective.get("USER") is None and not stage.root.image.is_scratch:
        text = image_text(stage)
        if text is not None and has_own_user(text):
            yield Match(stage.image.span, {"image": text})


def named_user(stage: Stage, context: Context) -> Iterator[Match]:
    """HD219: the user of the final stage has a name where a number would be checkable."""
    found = identity(stage) if stage.is_final else None
    if found is None or is_root(found.text) is not False or is_windows(found.instruction):
        return
    name = found.text.partition(":")[0]
    if name and name.lower() != "containeruser" and not NUMBER.fullmatch(name):
        raw = found.instruction.words[0].raw
        end = raw.find(":")
        span = found.span if end < 0 or "$" in raw else found.instruction.words[0].view.span(0, end)
        yield Match(span, {"user": name})


def _new_accounts(stage: Stage) -> Iterator[tuple[str, Span, Command]]:
    """Yield name, place and command of each account that the RUNs of a stage create."""
    for instruction in stage.instructions:
        if instruction.name == "RUN":
            for command in commands_of(instruction, _ADD_USER):
                operands = options(command).operands
                # `adduser USER GROUP` only adds to a group.
                if operands and not (command.name == "adduser" and len(operands) > 1) and operands[-1].static:
                    yield operands[-1].text, operands[-1].span, command


def unused_account(stage: Stage, context: Context) -> Iterator[Match]:
    """HD216: the final stage creates an account and still ends as root."""
    if not stage.is_final:
        return
    found = identity(stage)
    if (found is not None and is_root(found.text) is not True) or steps_down(stage, context):
        return
    for name, span, _ in _new_accounts(stage):
        yield Match(span, {"user": name})
        return  # one account that could be used is enough to say


def unknown_account(stage: Stage, context: Context) -> Iterator[Match]:
    """HD217: a user or group by name where no /etc/passwd can be."""
    found = [match for instruction in stage.instructions for match in _named_accounts(instruction)]
    if found and stage.root.image.is_scratch and not any(_may_bring_accounts(ancestor) for ancestor in stage.lineage()):
        yield from found


def _named_accounts(instruction: Instruction) -> Iterator[Match]:
    if instruction.name == "USER" and instruction.words:
        yield from _names_only(partial(instruction.words[0], instruction), instruction.words[0].span)
    elif instruction.name in ("COPY", "ADD") and instruction.flags:
        flag = instruction.flag("chown")
        if flag is not None and flag.value and "$" not in flag.value:
            yield from _names_only(flag.value, flag.value_span)


def _names_only(text: str, span: Span) -> Iterator[Match]:
    parts = [part for part in text.split(":") if part and HOLE not in part and not NUMBER.fullmatch(part)]
    if parts:
        yield Match(span, {"name": parts[0]})


def _may_bring_accounts(stage: Stage) -> bool:
    """Whether a COPY or ADD of a stage built on scratch may bring /etc/passwd along."""
    for instruction in stage.instructions:
        if instruction.name == "RUN":
            return True  # something is in the image that runs
        if instruction.name in ("COPY", "ADD") and instruction.words:
            path = known(instruction.words[-1], instruction)
            if path is None or not path.startswith("/"):
                return True
            if normal_path(path) in ("/", "/etc", "/etc/passwd", "/etc/group"):
                return True
    return False


def dropped_groups(stage: Stage, context: Context) -> Iterator[Match]:
    """HD218: `USER name:group` in the final stage after the account was given supplementary groups, which this spelling takes away."""
    if not stage.is_final:
        return
    groups: dict[str, tuple[str, Span]] = {}
    for ancestor in reversed(list(stage.lineage())):
        for instruction in ancestor.instructions:
            if instruction.name == "RUN":
                for command in commands_of(instruction, _ACCOUNT_TOOLS):
                    given = _supplementary(command)
                    if given is not None:
                        groups[given[0]] = given[1:]
            elif instruction.name == "USER" and ancestor is stage and instruction.words:
                name, colon, _ = partial(instruction.words[0], instruction).partition(":")
                if colon and name in groups:
                    group, span = groups[name]
                    yield Match(instruction.words[0].span, {"user": name, "group": group}, ((span, "the group is given here"),))


def _supplementary(command: Command) -> tuple[str, str, Span] | None:
    """Return account, group and place when a command puts an account into a supplementary group."""
    found = options(command)
    operands = found.operands
    if not operands or not all(word.static for word in operands):
        return None
    last = operands[-1]
    if found.program in ("adduser", "addgroup"):
        return (operands[0].text, last.text, last.span) if len(operands) == 2 else None
    flag = found.flag("-a", "--add") if found.program == "gpasswd" else found.flag("-G", "--groups")
    if flag is None or flag.value_word is None or not flag.value_word.static:
        return None
    value = flag.value_word.text
    return (value, last.text, last.span) if found.program == "gpasswd" else (last.text, value, flag.span)


def copied_as_root(stage: Stage, context: Context) -> Iterator[Match]:
    """HD220: COPY or ADD after the switch to another user, which leaves the files with root."""
    if not stage.is_final or is_windows(stage.origin):
        return
    inherited = None if stage.base is None else identity(stage.base)
    user = "" if inherited is None else inherited.text
    for instruction in stage.instructions:
        if instruction.name == "USER" and instruction.words:
            user = partial(instruction.words[0], instruction)
        elif instruction.name in ("COPY", "ADD") and user and is_root(user) is False and instruction.flag("chown") is None:
            yield Match(instruction.keyword, {"user": user.partition(":")[0], "instruction": instruction.name})


def second_root(invocation: Invocation, context: Context) -> Iterator[Match]:
    """HD224: an account that is not called root gets uid 0."""
    found = invocation.options
    flag = found.flag("-u", "--uid")
    if flag is None or not found.operands or found.operands[-1].text == "root":
        return
    if flag.value is not None and NUMBER.fullmatch(flag.value) and int(flag.value) == 0:
        yield Match(flag.span, {"user": found.operands[-1].text})


def high_uid(invocation: Invocation, context: Context) -> Iterator[Match]:
    """HD215: a uid of six digits or more, without the option that keeps lastlog from growing to its size."""
    found = invocation.options
    flag = found.flag("-u", "--uid")
    if flag is None or flag.value is None or not flag.value.isdecimal() or int(flag.value) < 100_000:
        return
    if not found.has("-l", "--no-log-init"):
        yield Match(flag.span, {"uid": flag.value})


CHECKS: Final[Mapping[str, Check]] = {
    "HD201": no_user,
    "HD202": root_user,
    "HD203": trusted_user,
    "HD215": high_uid,
    "HD216": unused_account,
    "HD217": unknown_account,
    "HD218": dropped_groups,
    "HD219": named_user,
    "HD220": copied_as_root,
    "HD224": second_root,
}
