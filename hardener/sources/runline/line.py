"""One run line: its words, read as `docker run` or `podman run` reads them, make a `Service`.

Flags end at the first word that is none (the image); one-letter flags cluster (`-itp80:80`); a boolean takes a value only behind `=`;
of a flag that is not repeatable the last one counts. Source: spf13/pflag, docker/cli's cli/command/container/opts.go.
"""

from collections.abc import Callable
from os.path import join, normpath
from typing import Final

from hardener.sources.expansion import HOLE
from hardener.sources.runline import conflicts, values
from hardener.sources.runline.flags import Flag, table
from hardener.sources.runline.pieces import Argument, Piece, is_folder
from hardener.sources.runline.values import Refused
from hardener.sources.service import Attachment, Healthcheck, Logging, Mount, Problem, Project, Service, Setting, Variable, Words
from hardener.sources.unknown import UNKNOWN, UnknownType
from hardener.text import Pattern, Place, Span

_NAME: Final = Pattern(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_IMAGE_NAME = Pattern(r"(?i)ima?ge?|tag|repo|distro")
_FLAGS_NAME = Pattern(r"(?i)opt|arg|flag|param|env|vol|port|mount|switch|extra|net|tty|@|\*|:[+-]")
_CONTEXT = Pattern(r"\b(?:env|vars|secrets|inputs|matrix|parameters|steps|needs|github|pipeline)\.")
_FLAGS_END = Pattern(r"(?i)(?:opt(?:ion)?|arg|flag|param)s?\W*$")

Names = dict[str, tuple[str, ...]]
_MODES: Final[dict[str, Names]] = {
    "docker": {
        "pid": ("", "host", "container:"),
        "ipc": ("", "none", "host", "private", "shareable", "container:"),
        "uts": ("", "host"),
        "userns": ("", "host"),
        "cgroupns": ("", "host", "private"),
        "pull": ("always", "missing", "never"),
        "restart": ("", "no", "always", "unless-stopped", "on-failure"),
    },
    "podman": {
        "pid": ("", "host", "private", "container:", "ns:", "pod"),
        "ipc": ("", "none", "host", "private", "shareable", "container:", "ns:", "pod"),
        "uts": ("", "host", "private", "container:", "ns:", "pod"),
        "userns": ("", "host", "auto", "auto:", "keep-id", "keep-id:", "nomap", "private", "container:", "ns:", "pod"),
        "cgroupns": ("", "host", "private", "container:", "ns:", "pod"),
        "pull": ("always", "missing", "never", "newer", "true", "false", "ifnewer", "ifmissing"),
        "restart": ("no", "always", "unless-stopped", "on-failure"),
    },
}


def read(tool: str, verb: str, words: list[Argument], place: Place, whole: Place, project: Project) -> Service:
    """Return the service of a run line. `words` are those behind `run` or `create`; problems go to the project."""
    return _Line(tool, verb, words, place, whole, project).read()


class _Line:
    def __init__(self, tool: str, verb: str, words: list[Argument], place: Place, whole: Place, project: Project) -> None:
        self.tool = tool
        self.verb = verb
        self.words = words
        self.place = place
        self.project = project
        self.file = place.file
        self.service = Service("container", "run" if verb == "run" else "create", place, whole, project)
        self.names, self.letters = table(tool)
        self.at = 0
        self.networks: list[Attachment] = []
        self.mode: Setting[str] | None = None
        self.aliases: list[str] = []
        self.ip: Setting[str] | None = None
        self.extra: list[Variable] = []
        self.rootfs = False

    # Words to flags

    def read(self) -> Service:
        words = self.words
        service = self.service
        count = len(words)
        ended = False
        while self.at < count:
            word = words[self.at]
            text = word.text
            if word.several and not ended and self._may_be_flags(word):
                service.open_ended = True
                self.at += 1
                continue
            if ended or text[:1] != "-" or text == "-":
                break
            self.at += 1
            if text == "--":
                ended = True
            elif HOLE in text.partition("=")[0] and text[:2] == "--":
                service.open_ended = True  # `--$FLAG`
            elif text.startswith("--"):
                self._long(word)
            else:
                self._short(word)
        self._operands()
        self._finish()
        return service

    def _may_be_flags(self, word: Argument) -> bool:
        """Whether a variable on its own stands for flags rather than for the image."""
        following = self.words[self.at + 1 : self.at + 2]
        name = _CONTEXT.sub("", word.written)
        if word.sure or _FLAGS_END.search(name):
            return True
        if not following or _IMAGE_NAME.search(name):
            return not _IMAGE_NAME.search(name) and _FLAGS_NAME.search(name) is not None
        if _FLAGS_NAME.search(name):
            return True
        # `docker run $X -p 80:80 nginx`: what follows reads as flags of the tool, so this is not the image.
        name, _, _ = following[0].text[2:].partition("=")
        return following[0].text.startswith("--") and name in self.names

    def _long(self, word: Argument) -> None:
        name, equals, _ = word.text[2:].partition("=")
        key = word.sub(0, 2 + len(name)).place
        flag = self.names.get(name)
        if flag is None or (flag.only_run and self.verb == "create"):
            self._unknown(f"--{name}", name, key, given=bool(equals))
            return
        value: Piece | None = word.sub(3 + len(name)) if equals else None
        self._flag(flag, f"--{name}", key, value, folder=bool(equals) and is_folder(word, 3 + len(name)))

    def _short(self, word: Argument) -> None:
        text = word.text
        name = text[1:].partition("=")[0]
        if len(name) > 2 and name in self.names:
            # `-name web`: read as letters, of which some may happen to exist
            key = word.sub(0, 1 + len(name)).place
            self._unknown(f"-{name}", name, key, given="=" in text, hint=self.names[name])
            return
        at = 1
        while at < len(text):
            letter = text[at]
            flag = self.letters.get(letter)
            cluster = at > 1 or (flag is not None and flag.boolean and len(text) > 2 and text[2] != "=")
            key = word.sub(at if cluster else 0, at + 1).place
            if letter == HOLE:
                self.service.open_ended = True
                return
            if flag is None or (flag.only_run and self.verb == "create"):
                self._unknown(f"-{letter}", letter, key, given=at + 1 < len(text))
                return
            at += 1
            equals = text.startswith("=", at)
            if equals or (not flag.boolean and at < len(text)):
                at += equals
                self._flag(flag, f"-{letter}", key, word.sub(at), folder=is_folder(word, at))
                return
            self._flag(flag, f"-{letter}", key, None)

    def _flag(self, flag: Flag, spelled: str, key: Place, value: Piece | None, *, folder: bool = False) -> None:
        if flag.boolean:
            self._apply(flag, spelled, key, value)
            return
        if value is None:
            if self.at >= len(self.words):
                self._problem("run-missing-value", key, f"{spelled} needs a value", flag=spelled)
                self.service.open_ended = True  # the line breaks off: what else it lacks is of the same cause
                return
            word = self.words[self.at]
            self.at += 1
            if word.sure:
                self.service.open_ended = True
            value, folder = word, is_folder(word, 0)
        if flag.kind == "volume" and folder:
            self._volume(value, key, spelled, is_host=True)
        elif flag.listed and "," in value.text:
            try:
                pieces = values.fields(value)
            except Refused as reason:
                self._refused(spelled, value, str(reason))
                return
            for piece in pieces:
                self._apply(flag, spelled, key, piece)
        else:
            self._apply(flag, spelled, key, value)

    def _unknown(self, spelled: str, name: str, key: Place, *, given: bool, hint: Flag | None = None) -> None:
        """Report a flag that does not exist, and step over its value."""
        if self.tool == "nerdctl":
            self.service.open_ended = True  # its own flags are not all in the table
            return
        flag = hint
        if flag is None and len(name) > 1:
            from difflib import get_close_matches

            known = [other for other, its in self.names.items() if other != name and not (its.only_run and self.verb == "create")]
            close = get_close_matches(name, known, n=1, cutoff=0.6)
            flag = self.names[close[0]] if close else None
        command = f"{self.tool} {self.verb}"
        meant = "" if flag is None else f"--{flag.name}"
        message = f"{command} has no flag {spelled}" + (f"; did you mean {meant}?" if meant else "")
        self._problem("run-unknown-flag", key, message, flag=spelled, command=command, hint=f"; did you mean {meant}?" if meant else "")
        if given or (flag is not None and flag.boolean) or self.at + 1 >= len(self.words):
            return
        if len(name) > 1 and self.words[self.at].text[:1] != "-":
            self.at += 1  # most flags take a value

    def _problem(self, code: str, place: Place, message: str, **found: str) -> None:
        self.project.problems.append(Problem(code, place, message, (), found))

    def _refused(self, spelled: str, value: Piece, reason: str) -> None:
        shown = value.text.replace(HOLE, "…")
        self._problem("run-invalid-value", value.visible, f"{spelled} {shown!r} {reason}", flag=spelled, value=shown, reason=reason)

    # Flags to settings

    def _setting(self, value: Piece, key: Place) -> Setting[str]:
        return Setting(value.value, value.place, key, value.text, view=value.view)

    def _apply(self, flag: Flag, spelled: str, key: Place, value: Piece | None) -> None:
        self.service.keys[flag.name] = key
        if flag.boolean:
            on = self._switch(spelled, key, value)
            if on is not None:
                self._boolean(flag, on)
            return
        if value is None:
            raise ValueError(f"{spelled} without a value")
        try:
            _KINDS[flag.kind](self, flag, value, key)
        except Refused as reason:
            self._refused(spelled, value, str(reason))

    def _switch(self, spelled: str, key: Place, value: Piece | None) -> Setting[bool] | None:
        if value is None:
            return Setting(True, key, key, "true")
        if HOLE in value.text:
            return Setting(UNKNOWN, value.place, key, value.text, view=value.view)
        if value.text in values.TRUE or value.text in values.FALSE:
            return Setting(value.text in values.TRUE, value.place, key, value.text, view=value.view)
        self._refused(spelled, value, "is neither true nor false")
        return None

    def _boolean(self, flag: Flag, on: Setting[bool]) -> None:
        if flag.kind == "bool":
            self._put(flag.field, on)
        elif flag.kind == "unhealth":
            self._health(on.place, on.key).disabled = on
        elif flag.kind == "rootfs":
            self.rootfs = on.value is not False
        else:
            text: Setting[str] = Setting(UNKNOWN if on.value is UNKNOWN else "true" if on.value else "false", on.place, on.key, on.text)
            self.extra.append(Variable(flag.field, on.key, text, "extra"))

    def _put(self, field: str, setting: object) -> None:
        """Set a field of the service; what the new setting overrides becomes its history."""
        old = getattr(self.service, field)
        if isinstance(old, Setting) and isinstance(setting, Setting):
            setting.history = (*old.history, (old.place, "overridden by a later flag"))
        setattr(self.service, field, setting)

    def _append(self, field: str, item: object) -> None:
        setattr(self.service, field, (*getattr(self.service, field), item))

    def _number(self, flag: Flag, value: Piece, key: Place, convert: Callable[[str], float]) -> None:
        number: float | UnknownType = UNKNOWN if HOLE in value.text else convert(value.text)
        self._put(flag.field, Setting(number, value.place, key, value.text, view=value.view))

    def _variable(self, value: Piece, key: Place, source: str, *, separator: str = "=") -> Variable:
        name, rest = values.split(value, separator)
        return Variable(name.text, name.place, None if rest is None else self._setting(rest, name.place), source)

    def _pair(self, field: str, value: Piece, key: Place, source: str) -> None:
        """Add a variable to a field; of two with the same name the last one wins."""
        variable = self._variable(value, key, source)
        old = getattr(self.service, field)
        known = HOLE not in variable.name
        setattr(self.service, field, (*[other for other in old if other.name != variable.name or not known], variable))

    def _health(self, place: Place, key: Place) -> Healthcheck:
        health = self.service.healthcheck
        if health is None:
            health = self.service.healthcheck = Healthcheck(place, key)
        return health

    def _volume(self, value: Piece, key: Place, spelled: str, *, is_host: bool) -> None:
        try:
            self._bind(values.volume(value, self.project.folder, self.tool, is_host=is_host))
        except Refused as reason:
            self._refused(spelled, value, str(reason))
        self.service.keys["volume"] = key

    def _bind(self, mount: Mount) -> None:
        """Add a mount, unless the same was asked for before: docker keeps a set of them."""
        if all(other.place.text != mount.place.text for other in self.service.mounts):
            self._append("mounts", mount)

    # The image and what follows it

    def _operands(self) -> None:
        service = self.service
        rest = self.words[self.at :]
        if not rest:
            if not service.open_ended and "help" not in service.keys:
                self._problem("run-no-image", self.place, f"{self.tool} {self.verb} names no image", command=f"{self.tool} {self.verb}")
            return
        image, *command = rest
        if image.sure:
            service.open_ended = True
        if not self.rootfs:
            service.image = Setting(image.value, image.place, self.place, image.text, view=image.view)
            service.name = _name_of(image.text) or service.name
        if command:
            place = Place(self.file, Span(command[0].whole.start, command[-1].whole.end))
            service.command = Words(tuple([self._setting(word, place) for word in command]), place, place)

    def _finish(self) -> None:
        service = self.service
        if service.container_name is not None and isinstance(service.container_name.value, str) and service.container_name.value:
            service.name = service.container_name.value
        service.network_mode = self.mode
        if self.ip is not None and not self.networks:
            self.extra.append(Variable("ip", self.ip.key, self.ip, "extra"))
        if self.networks:
            first = self.networks[0]
            ipv4 = first.ipv4 if self.ip is None else self.ip.text
            aliases = first.aliases or tuple(self.aliases)
            self.networks[0] = first._replace(ipv4=ipv4, aliases=aliases)
            service.networks = tuple(self.networks)
        service.extra = tuple(self.extra)
        self.project.problems.extend(conflicts.problems(service, self.tool))


def _name_of(image: str) -> str:
    """Return a name for the service: the last part of the image's name without tag and digest."""
    last = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    return "" if HOLE in last else last


_Kind = Callable[[_Line, Flag, Piece, Place], None]


def _text(line: _Line, flag: Flag, value: Piece, key: Place) -> None:
    line._put(flag.field, line._setting(value, key))


def _container_name(line: _Line, flag: Flag, value: Piece, key: Place) -> None:
    text = value.text
    if HOLE not in text and text and not _NAME.fullmatch(text if line.tool == "docker" else f"a{text}"):
        raise Refused("is no name for a container: letters, digits, _ . and -, at least two, first a letter or a digit")
    _text(line, flag, value, key)


def _folder(line: _Line, flag: Flag, value: Piece, key: Place) -> None:
    if line.tool == "docker" and value.text[:1] not in ("", "/", HOLE) and value.text[1:2] != ":":
        raise Refused("is not an absolute path")
    _text(line, flag, value, key)


def _signal(text: str) -> None:
    import signal

    name = text.upper().removeprefix("SIG").partition("+")[0].partition("-")[0]
    if not (text.isdecimal() and 0 < int(text) < 65) and f"SIG{name}" not in signal.Signals.__members__ and name not in ("POLL", "STKFLT"):
        raise Refused("is no signal")


def _texts(line: _Line, flag: Flag, value: Piece, key: Place) -> None:
    line._append(flag.field, line._setting(value, key))


def _mode(line: _Line, flag: Flag, value: Piece, key: Place) -> None:
    names = _MODES.get(line.tool, {}).get(flag.kind)
    text = value.text
    if names is not None and HOLE not in text and text not in names:
        prefix = text.partition(":")[0] + ":"
        if prefix not in names or (prefix == text and prefix != "auto:"):
            raise Refused("is not one of " + ", ".join(name + ("…" if name.endswith(":") else "") for name in names if name))
    _text(line, flag, value, key)


def _restart(line: _Line, flag: Flag, value: Piece, key: Place) -> None:
    name, colon, count = value.text.partition(":")
    if HOLE not in value.text:
        if name not in _MODES.get(line.tool, _MODES["docker"])["restart"]:
            raise Refused("is not one of no, always, unless-stopped, on-failure[:N]")
        if colon:
            if name != "on-failure":
                raise Refused("has a count, which only on-failure takes")
            if values.whole(count) < 0:
                raise Refused("has a negative count")
    _text(line, flag, value, key)


def _checked(check: Callable[[str], object]) -> _Kind:
    """Return a kind of text that must pass a check."""

    def read_text(line: _Line, flag: Flag, value: Piece, key: Place) -> None:
        if HOLE not in value.text:
            check(value.text)
        if flag.many:
            _texts(line, flag, value, key)
        else:
            _text(line, flag, value, key)

    return read_text


def _number(convert: Callable[[str], float]) -> _Kind:
    def read_number(line: _Line, flag: Flag, value: Piece, key: Place) -> None:
        line._number(flag, value, key, convert)

    return read_number


def _extra(check: Callable[[str], object] | None = None) -> _Kind:
    """Return a kind that no field of Service carries."""

    def read_extra(line: _Line, flag: Flag, value: Piece, key: Place) -> None:
        if check is not None and HOLE not in value.text:
            check(value.text)
        line.extra.append(Variable(flag.field, key, line._setting(value, key), "extra"))

    return read_extra


def _swap(text: str) -> int:
    return -1 if text == "-1" else values.size(text)


def _weight(text: str) -> int:
    number = values.whole(text)
    if number and not 10 <= number <= 1000:
        raise Refused("is not between 10 and 1000")
    return number


def _host(text: str) -> None:
    separator = "=" if "=" in text else ":"
    name, found, address = text.partition(separator)
    if not found or not name:
        raise Refused("is not of the form name:address")
    if address != "host-gateway":
        try:
            values.address(address.strip("[]"))
        except Refused:
            raise Refused(f"has {address!r} for the address: not an IP address") from None


def _add_host(line: _Line, flag: Flag, value: Piece, key: Place) -> None:
    setting = line._setting(value, key)
    if isinstance(setting.value, str):
        _host(value.text)
        name, _, address = value.text.partition("=" if "=" in value.text else ":")
        setting.value = f"{name}={address.strip('[]')}"
    line._append(flag.field, setting)


def _rule(text: str) -> None:
    if not _RULE.fullmatch(text):
        raise Refused("is not of the form 'c 1:3 rwm'")


_RULE = Pattern(r"[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}")


def _gpus(line: _Line, flag: Flag, value: Piece, key: Place) -> None:
    for field in values.fields(value):
        name, equals, count = field.text.partition("=")
        if HOLE in field.text or (line.tool == "podman" and not equals):
            continue
        if equals and name not in ("driver", "count", "device", "capabilities", "options"):
            raise Refused(f"has an unknown key {name!r}")
        number = count if name == "count" else "all" if equals else name
        if number != "all" and not number.lstrip("+-").isdecimal():
            raise Refused(f"has {number!r} for a count: it is a number or `all`")
    _text(line, flag, value, key)


def _link(text: str) -> None:
    if not text or text.count(":") > 1:
        raise Refused("is not of the form container[:alias]")


def _stream(text: str) -> None:
    if text.lower() not in ("stdin", "stdout", "stderr"):
        raise Refused("is not one of stdin, stdout, stderr")


def _pair(line: _Line, flag: Flag, value: Piece, key: Place) -> None:
    name = value.text.partition("=")[0].lstrip(" \t")
    if not name:
        raise Refused("has no name before the =")
    if flag.field == "labels" and (" " in name or "\t" in name):
        raise Refused("has blanks in the name")
    line._pair(flag.field, value, key, flag.field)


def _env(line: _Line, flag: Flag, value: Piece, key: Place) -> None:
    if not value.text.partition("=")[0]:
        raise Refused("has no name before the =")
    line._pair("environment", value, key, "environment")


def _sysctl(line: _Line, flag: Flag, value: Piece, key: Place) -> None:
    name, equals, _ = value.text.partition("=")
    if HOLE not in name and (not equals or not name):
        raise Refused("is not of the form name=value")
    line._pair(flag.field, value, key, flag.field)


def _storage(line: _Line, flag: Flag, value: Piece, key: Place) -> None:
    if "=" not in value.text and HOLE not in value.text:
        raise Refused("is not of the form name=value")
    line._pair(flag.field, value, key, flag.field)


def _file(line: _Line, flag: Flag, value: Piece, key: Place) -> None:
    setting = line._setting(value, key)
    if isinstance(setting.value, str):
        setting.value = normpath(join(line.project.folder, setting.value)) if setting.value[:1] != "~" else setting.value
    line._append(flag.field, setting)


def _entry(line: _Line, flag: Flag, value: Piece, key: Place) -> None:
    setting = line._setting(value, key)
    line.service.entrypoint = Words((setting,) if value.text else (), value.place, key, None)


def _test(line: _Line, flag: Flag, value: Piece, key: Place) -> None:
    setting = line._setting(value, key)
    health = line._health(value.place, key)
    if line.tool == "podman" and value.text == "none":
        health.disabled = Setting(True, value.place, key, value.text)
    elif value.text:
        health.test = Words((setting,), value.place, key, setting, shell=True)  # noqa: S604  # nosec B604


def _health(line: _Line, flag: Flag, value: Piece, key: Place) -> None:
    health = line._health(value.place, key)
    field = flag.field.partition(".")[2]
    if field == "retries":
        retries: int | UnknownType = UNKNOWN if HOLE in value.text else values.whole(value.text)
        if isinstance(retries, int) and retries < 0:
            raise Refused("is negative")
        health.retries = Setting(retries, value.place, key, value.text, view=value.view)
        return
    if line.tool == "podman" and value.text == "disable":
        return
    duration: float | UnknownType = UNKNOWN if HOLE in value.text else values.seconds(value.text)
    setattr(health, field, Setting(duration, value.place, key, value.text, view=value.view))


def _grace(line: _Line, flag: Flag, value: Piece, key: Place) -> None:
    grace: float | UnknownType = UNKNOWN if HOLE in value.text else float(values.whole(value.text))
    line._put(flag.field, Setting(grace, value.place, key, value.text, view=value.view))


def _logger(line: _Line, flag: Flag, value: Piece, key: Place) -> None:
    logging = line.service.logging
    if logging is None:
        logging = line.service.logging = Logging(value.place, key)
    if flag.many:
        variable = line._variable(value, key, "logging")
        logging.options = (*[other for other in logging.options if other.name != variable.name], variable)
    else:
        logging.driver = line._setting(value, key)


def _port(line: _Line, flag: Flag, value: Piece, key: Place) -> None:
    line._append("ports", values.port(value))


def _volume(line: _Line, flag: Flag, value: Piece, key: Place) -> None:
    line._bind(values.volume(value, line.project.folder, line.tool))


def _mount(line: _Line, flag: Flag, value: Piece, key: Place) -> None:
    line._append("mounts", values.mount(value, line.project.folder, line.tool))


def _tmpfs(line: _Line, flag: Flag, value: Piece, key: Place) -> None:
    mount = values.tmpfs(value)
    others = [other for other in line.service.mounts if other.type != "tmpfs" or other.target != mount.target or UNKNOWN is mount.target]
    line.service.mounts = (*others, mount)


def _device(line: _Line, flag: Flag, value: Piece, key: Place) -> None:
    line._append("devices", values.device(value))


def _ulimit(line: _Line, flag: Flag, value: Piece, key: Place) -> None:
    limit = values.ulimit(value)
    line.service.ulimits = (*[other for other in line.service.ulimits if other.name != limit.name], limit)


def _secret(line: _Line, flag: Flag, value: Piece, key: Place) -> None:
    line._append("secrets", values.secret(value))


def _network(line: _Line, flag: Flag, value: Piece, key: Place) -> None:
    found = values.network(value)
    if isinstance(found, Attachment):
        line.networks.append(found)
    else:
        line.mode = Setting(found, value.place, key, value.text, view=value.view)


def _alias(line: _Line, flag: Flag, value: Piece, key: Place) -> None:
    line.aliases.append(value.text)


def _ip(line: _Line, flag: Flag, value: Piece, key: Place) -> None:
    if HOLE not in value.text:
        values.address(value.text)
    if flag.name == "ip":
        line.ip = line._setting(value, key)
    else:
        _extra()(line, flag, value, key)


_KINDS: Final[dict[str, _Kind]] = {
    "text": _text,
    "texts": _texts,
    "name": _container_name,
    "folder": _folder,
    "signal": _checked(_signal),
    "extra": _extra(),
    "extras": _extra(),
    "extraint": _extra(values.whole),
    "extrasize": _extra(values.size),
    "weight": _extra(_weight),
    "stream": _extra(_stream),
    "int": _number(values.whole),
    "cores": _number(values.cores),
    "size": _number(values.size),
    "swap": _number(_swap),
    "grace": _grace,
    "host": _add_host,
    "address": _checked(values.address),
    "mac": _checked(values.mac),
    "expose": _checked(values.expose),
    "rule": _checked(_rule),
    "secopt": _texts,
    "gpus": _gpus,
    "link": _checked(_link),
    "pid": _mode,
    "ipc": _mode,
    "uts": _mode,
    "userns": _mode,
    "cgroupns": _mode,
    "pull": _mode,
    "restart": _restart,
    "pair": _pair,
    "env": _env,
    "file": _file,
    "sysctl": _sysctl,
    "storage": _storage,
    "entry": _entry,
    "test": _test,
    "health": _health,
    "logger": _logger,
    "port": _port,
    "volume": _volume,
    "mount": _mount,
    "tmpfs": _tmpfs,
    "device": _device,
    "ulimit": _ulimit,
    "secret": _secret,
    "network": _network,
    "alias": _alias,
    "ip": _ip,
}
