"""Credentials in the settings of a service, judged by value, and the secrets that should hold them.

What a variable without a value in the files brings is silent; where a file decides it, the finding stands where that file does.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

from hardener.finding import Confidence, Match, Severity
from hardener.oci.reference import Reference
from hardener.record import NamedTuple
from hardener.rules.checks import Check
from hardener.rules.checks.service.images import image_of
from hardener.rules.context import ServiceContext
from hardener.rules.secrets import Secret
from hardener.rules.secrets.names import Likeness, is_secret_name
from hardener.rules.services import in_force
from hardener.sources.expansion import HOLE
from hardener.sources.service import Grant, Project, Service, Setting, Variable, Words
from hardener.sources.unknown import UNKNOWN
from hardener.text import Pattern, Place, Span

_OPEN: Final = "${…}"  # stands for what nothing decides: whoever judges values takes it for a variable
_URL: Final = "url-password"
_WEAK: Final = "weak-password"
# Keys that a program makes for itself: any value works, the one of the example too.
_SIGNING: Final = Pattern(r"(?i)secret_?key|key_?base|(?:jwt|app|session|cookie|signing|encryption|hash)_?(?:secret|key)|(?:^|_)salt$")
_SET_ELSEWHERE: Final = "the variable is set here"  # what the reader calls the place that gives a `${…}` its value


class Found(NamedTuple):
    """A credential in a setting. `origin` is literal, default (of a `${NAME:-…}`) or variable (another file sets it)."""

    secret: Secret
    place: Place
    shown: str
    origin: str
    related: tuple[tuple[Place, str], ...]

    @property
    def is_weak(self) -> bool:
        """Whether it is a password that anybody would try first, or words where random characters should be."""
        return self.secret.kind == _WEAK or self.secret.confidence is Confidence.LOW

    @property
    def is_guessed(self) -> bool:
        """Whether it is a password that anybody would try first."""
        return self.secret.kind == _WEAK or (self.secret.kind == "password" and self.secret.confidence is Confidence.LOW)

    def match(self, severity: Severity | None = None, **values: str) -> Match:
        """Return the match, with what may be said of the credential as values."""
        values = {"title": self.secret.title, "shown": self.shown, "reason": self.secret.why, **values}
        return Match(self.place.span, values, self.related, severity=severity, file=self.place.file)


@lru_cache(maxsize=512)
def _judge(text: str, name: str, *, in_force: bool) -> Secret | None:
    # No format is shorter; what is left are the names, which are remembered.
    if len(text) < 12 and "://" not in text and not is_secret_name(name):
        return None
    from hardener.rules.secrets.detect import judge

    return judge(text, name=name, in_force=in_force)


def _redacted(text: str) -> str:
    from hardener.rules.secrets.values import redact

    return redact(text)


def _find(setting: "Setting[str] | None", name: str, *, in_force: bool = True) -> Found | None:
    """Return the credential in a setting."""
    if setting is None or not setting.text or setting.text == HOLE:
        return None
    text = setting.text
    if HOLE in text:
        text = text.replace(HOLE, _OPEN)
    secret = _judge(text, name, in_force=in_force)
    if secret is None and in_force and _SIGNING.search(name):
        secret = _known_key(text)
    return None if secret is None else _located(secret, text[secret.start : secret.end], setting)


def _known_key(text: str) -> Secret | None:
    """Judge a placeholder under the name of a key that a program signs or encrypts with: it works, and everybody knows it."""
    from hardener.rules.secrets import Verdict
    from hardener.rules.secrets.values import is_placeholder, is_reference

    if is_reference(text) or not is_placeholder(text):
        return None
    return Secret.of(_WEAK, "known key", (0, len(text)), Verdict(Confidence.MEDIUM, "a placeholder that nothing replaces", Severity.MEDIUM))


def _located(secret: Secret, text: str, setting: "Setting[str]") -> Found | None:
    """Return where the file has a credential of a setting; None when what decides it is open after all."""
    if _OPEN in text:
        return None
    place, view = setting.place, setting.view
    shown = _redacted(text)
    if view is not None and view.text[secret.start : secret.end] == text:
        return Found(secret, Place(place.file, view.span(secret.start, secret.end)), shown, "literal", setting.history)
    written = place.text
    key = written.find("=") + 1 if view is None and setting.key.span.start == place.span.start else 0
    at = written.rfind(text) if "${" in written else written.find(text, key)
    if at >= 0:
        inside = written.rfind("${", 0, at)
        origin = "default" if inside >= 0 and "}" not in written[inside:at] else "literal"
        start = place.span.start + at
        return Found(secret, Place(place.file, Span(start, start + len(text))), shown, origin, setting.history)
    source = next((where for where, what in setting.history if what == _SET_ELSEWHERE), None)
    if source is not None:
        related = ((place, "the service uses it here"),)
        at = source.text.find(text)
        if at >= 0:
            source = Place(source.file, Span(source.span.start + at, source.span.start + at + len(text)))
        return Found(secret, source, shown, "variable", related)
    if "$" in written:
        return None  # put together from pieces that no file holds as one
    return Found(secret, place, shown, "literal", setting.history)


def _name_of(service: Service) -> str:
    reference = image_of(service)
    return reference.name if isinstance(reference, Reference) else ""


def _advice(service: Service, name: str) -> str:
    """Return what to do instead of setting a variable, as the end of a sentence."""
    from hardener.rules.file_variables import file_variable

    instead = file_variable(_name_of(service), name)
    return f"; {_name_of(service)} reads it from the file that {instead} names" if instead else ""


# --- environment --------------------------------------------------------------------------------------------------------------


def _environment(service: Service) -> Iterator[tuple[Variable, Found]]:
    """Yield the credentials that a service's own lines set."""
    for variable in service.environment:
        if variable.source != "env_file":
            found = _find(variable.value, variable.name)
            if found is not None:
                yield variable, found


def secret_variable(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS501: a literal credential in the environment."""
    for variable, found in _environment(service):
        if found.origin == "literal" and found.secret.kind != _URL and not found.is_guessed:
            yield found.match(found.secret.severity, name=variable.name, advice=_advice(service, variable.name))


def weak_password(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS502: a password that everybody tries first, or a placeholder that nothing replaces."""
    for variable, found in _environment(service):
        if found.origin == "literal" and found.is_guessed:
            yield found.match(name=variable.name, advice=_advice(service, variable.name))


def secret_default(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS503: `${PASSWORD:-literal}` in the environment: who sets nothing gets what everybody can read."""
    for variable, found in _environment(service):
        if found.origin == "default":
            yield found.match(Severity.LOW if found.is_weak else None, name=variable.name)


def url_password(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS504: a connection string with its password."""
    for variable, found in _environment(service):
        if found.origin == "literal" and found.secret.kind == _URL:
            yield found.match(Severity.LOW if found.is_weak else found.secret.severity, name=variable.name)


def secret_in_env_file(project: Project, context: ServiceContext) -> Iterator[Match]:
    """HS510: a credential in an `env_file`, once for each place."""
    seen: set[tuple[int, Span]] = set()
    for service in project.services:
        for variable in service.environment:
            if variable.source == "env_file":
                found = _find(variable.value, variable.name)
                if found is not None and found.origin == "literal" and not found.is_guessed and _is_new(found, seen):
                    yield found.match(name=variable.name)


def secret_in_dotenv(project: Project, context: ServiceContext) -> Iterator[Match]:
    """HS511: a credential that the project's `.env` sets and a service gets as a variable, once for each place."""
    seen: set[tuple[int, Span]] = set()
    for service in project.services:
        for variable in service.environment:
            found = _find(variable.value, variable.name)
            if found is not None and found.origin == "variable" and _is_new(found, seen):
                yield found.match(name=variable.name)


def _is_new(found: Found, seen: set[tuple[int, Span]]) -> bool:
    key = id(found.place.file), found.place.span
    if key in seen:
        return False
    seen.add(key)
    return True


# --- commands -----------------------------------------------------------------------------------------------------------------

_TOKEN: Final = Pattern(
    r"""(?P<operator>[;&|()\n]+)|(?P<word>(?:\$\([^()\n]*\)|`[^`\n]*`|[^\s;&|()"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+)|["'\\]""",
)
_OPTION: Final = Pattern(r"--?[A-Za-z][\w.-]*")
# Programs whose short option takes a password, joined (`-psecret`) or apart.
_MYSQL: Final = Pattern(r"(?:mysql|mariadb)(?:admin|dump|check|import|show|slap|-\w+)?")
_SHORT: Final[Mapping[str, tuple[str, ...]]] = {
    "redis-cli": ("-a", "--pass"),
    "valkey-cli": ("-a", "--pass"),
    "redis-server": ("--requirepass", "--masterauth"),
    "valkey-server": ("--requirepass", "--masterauth"),
    "keydb-server": ("--requirepass", "--masterauth"),
    "mongo": ("-p",),
    "mongosh": ("-p",),
    "mongodump": ("-p",),
    "sqlcmd": ("-P",),
    "mosquitto_pub": ("-P",),
    "mosquitto_sub": ("-P",),
    "ldapsearch": ("-w",),
    "ldapwhoami": ("-w",),
    "cqlsh": ("-p",),
    "clickhouse-client": ("--password",),
    "cypher-shell": ("-p",),
    "influx": ("-password",),
    "smbclient": ("--password",),
}
_ANYWHERE: Final = frozenset({"--requirepass", "--masterauth"})  # the image's entrypoint puts redis-server before them
_USER_AND_PASSWORD: Final[Mapping[str, tuple[str, ...]]] = {"curl": ("-u", "--user", "-U", "--proxy-user")}


class _Token(NamedTuple):
    """One word of a command: its text without quotes, the setting it stands in, and where in that setting's text."""

    text: str
    setting: "Setting[str]"
    start: int
    end: int


def _commands(words: Words) -> Iterator[list[_Token]]:
    """Yield the commands of a command line, each as its words; the scripts of `sh -c` are taken apart too."""
    current: list[_Token] = []
    for index, setting in enumerate(words.words):
        text = setting.text
        if words.shell or (
            index and " " in text and words.words[index - 1].text.startswith("-") and words.words[index - 1].text[-1:] == "c"
        ):
            yield from _split(setting)
        else:
            current.append(_Token(text, setting, 0, len(text)))
    if current:
        yield current


def _split(setting: "Setting[str]") -> Iterator[list[_Token]]:
    current: list[_Token] = []
    for match in _TOKEN.finditer(setting.text):
        if match["operator"]:
            if current:
                yield current
            current = []
        elif match["word"]:
            raw = match["word"]
            start, end = match.span()
            if raw[0] == raw[-1] and raw[0] in "\"'" and len(raw) >= 2 and raw[0] not in raw[1:-1]:
                raw, start, end = raw[1:-1], start + 1, end - 1
            current.append(_Token(raw, setting, start, end))
    if current:
        yield current


def _in_command(words: Words) -> Iterator[Found]:
    """Yield the credentials on a command line."""
    for tokens in _commands(words):
        program = _program(tokens)
        short = _SHORT.get(program, ())
        users = _USER_AND_PASSWORD.get(program, ())
        skip = -1
        for index, token in enumerate(tokens):
            if index <= skip:
                continue
            text = token.text
            following = tokens[index + 1] if index + 1 < len(tokens) else None
            found: Found | None = None
            if text in short or text in _ANYWHERE:
                found, skip = _value(following, "password"), index + 1
            elif text in users:
                found, skip = _value(_after_colon(following), "password"), index + 1
            elif len(text) > 2 and _is_joined(program, text[:2]):
                found = _value(token._replace(text=text[2:], start=token.start + 2), "password")
            elif "=" in text and (assigned := _assigned(token)) is not None:
                found = assigned
            elif following is not None and _OPTION.fullmatch(text) and is_secret_name(text) >= Likeness.SECRET:
                if not following.text.startswith("-"):
                    found, skip = _value(following, text.lstrip("-")), index + 1
            elif len(text) >= 12:
                found = _value(token, "")
            if found is not None:
                yield found


def _is_joined(program: str, option: str) -> bool:
    """Whether a program takes a password right behind a short option: `mysqladmin -psecret`, `redis-cli -asecret`."""
    return (option == "-p" and _MYSQL.fullmatch(program) is not None) or (option == "-a" and program in ("redis-cli", "valkey-cli"))


def _after_colon(token: _Token | None) -> _Token | None:
    """Return the password of `user:password`."""
    at = -1 if token is None else token.text.find(":")
    return None if token is None or at < 0 else token._replace(text=token.text[at + 1 :], start=token.start + at + 1)


def _program(tokens: list[_Token]) -> str:
    """Return the program of a command: the first word that is no assignment and no wrapper."""
    for token in tokens:
        name = token.text.rpartition("/")[2]
        if "=" in name or name in ("exec", "env", "sudo", "timeout", "gosu", "su-exec", "then", "do", "if", "until", "while", "!", "not"):
            continue
        if name.endswith(("entrypoint.sh", "tini", "dumb-init")) or name == "--" or name.isdecimal():
            continue
        return name
    return ""


def _assigned(token: _Token) -> Found | None:
    """Return the credential of `--password=x`, `NAME=x`, `-Dpassword=x`."""
    name, _, value = token.text.partition("=")
    name = name.lstrip("-")
    stripped = value.strip("\"'")
    if not stripped or not name or any(char.isspace() for char in name):
        return _value(token, "") if len(token.text) >= 12 else None
    start = token.start + len(token.text) - len(value) + (len(value) - len(value.lstrip("\"'")))
    return _value(token._replace(text=stripped, start=start, end=start + len(stripped)), name)


def _value(token: _Token | None, name: str) -> Found | None:
    if token is None or not token.text or token.text == HOLE:
        return None
    text = token.text.replace(HOLE, _OPEN) if HOLE in token.text else token.text
    secret = _judge(text, name, in_force=True)
    if secret is None:
        return None
    moved = secret._replace(start=secret.start + token.start, end=secret.end + token.start)
    return _located(moved, text[secret.start : secret.end], token.setting)


def secret_in_command(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS505: a credential on the command line."""
    parts: list[tuple[str, Words | None]] = [("command", service.command), ("entrypoint", service.entrypoint)]
    parts += [(hook.event, hook.command) for hook in service.hooks]
    for where, words in parts:
        if words is not None:
            for found in _in_command(words):
                if found.origin != "variable":
                    yield found.match(_of_place(found), where=where)


def secret_in_healthcheck(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS506: a credential in the health test."""
    check = service.healthcheck
    if check is not None and check.test is not None:
        for found in _in_command(check.test):
            if found.origin != "variable":
                yield found.match(Severity.LOW if found.is_weak else None)


def _of_place(found: Found) -> Severity | None:
    if found.is_weak:
        return Severity.LOW
    return Severity.MEDIUM if found.origin == "default" else found.secret.severity


# --- labels, build arguments, configs -----------------------------------------------------------------------------------------

_HASH: Final = Pattern(r"(?<![^\s,:=\"'`])([\w.@-]{1,64}):((?:\$(?:apr1|2[abxy]|[56])\$|\{SHA\})[\w./$+=-]{8,})")


def secret_in_label(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS507: a credential, or the hash of a password, in a label."""
    deploy = () if service.deploy is None else service.deploy.labels
    for label in (*service.labels, *deploy, *service.annotations):
        value = label.value
        if value is None or not value.text:
            continue
        hashed = _HASH.search(value.text) if "$" in value.text or "{SHA}" in value.text else None
        if hashed is not None:
            place = value.place
            values = {"name": label.name, "what": f"the hash of {hashed[1]}'s password", "shown": _redacted(hashed[2])}
            yield Match(place.span, values, value.history, severity=Severity.LOW, file=place.file)
            continue
        found = _find(value, label.name, in_force=False)
        if found is not None and found.origin != "variable":
            yield found.match(Severity.LOW if found.is_weak else found.secret.severity, name=label.name, what=f"a {found.secret.title}")


def secret_build_argument(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS508: a literal credential as a build argument."""
    for argument in () if service.build is None else service.build.args:
        found = _find(argument.value, argument.name)
        if found is not None and found.origin != "variable":
            yield found.match(Severity.LOW if found.is_weak else found.secret.severity, name=argument.name)


def passed_build_argument(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS509: a build argument brings a secret from outside."""
    for argument in () if service.build is None else service.build.args:
        if is_secret_name(argument.name) < Likeness.SECRET:
            continue
        value = argument.value
        if value is not None:
            if not value.text or "$" not in value.place.text:
                continue
            found = _find(value, argument.name)
            if value.value is not UNKNOWN and (found is None or found.origin != "variable"):
                continue
        yield Match(argument.key.span, {"name": argument.name}, file=argument.key.file)


def secret_in_config(project: Project, context: ServiceContext) -> Iterator[Match]:
    """HS512: a credential in the inline content of a config."""
    for resource in (*project.configs.values(), *project.secrets.values()):
        content = resource.settings.get("content")
        if content is None or not content.text:
            continue
        from hardener.rules.secrets.detect import scan

        text = content.text.replace(HOLE, _OPEN)
        for secret in scan(text):
            found = _located(secret, text[secret.start : secret.end], content)
            if found is not None and found.origin != "variable":
                yield found.match(Severity.LOW if found.is_weak else secret.severity, name=resource.name)


def secret_file(project: Project, context: ServiceContext) -> Iterator[Match]:
    """HS513: a secret whose file lies in the project's folder."""
    folder = project.folder.rstrip("/") + "/"
    for resource in project.secrets.values():
        file = resource.settings.get("file")
        if file is not None and file.known and (file.known.startswith(folder) or not file.known.startswith(("/", "~"))):
            place = file.place
            yield Match(place.span, {"name": resource.name, "file": file.text}, file.history, file=place.file)


# --- no authentication at all -------------------------------------------------------------------------------------------------

_ON: Final = frozenset({"1", "true", "yes", "on", "y", "t"})
_OFF: Final = frozenset({"0", "false", "no", "off", "n", "f"})
# Variable -> values that switch authentication off; what is open then.
_NO_LOGIN: Final[Mapping[str, tuple[frozenset[str], str]]] = {
    "POSTGRES_HOST_AUTH_METHOD": (frozenset({"trust"}), "everybody who reaches it is any database user, without a password"),
    "ALLOW_EMPTY_PASSWORD": (_ON, "it starts without a password"),
    "ALLOW_ANONYMOUS_LOGIN": (_ON, "everybody may log in without a name"),
    "xpack.security.enabled": (_OFF, "everybody who reaches it reads and deletes every index"),
    "DISABLE_SECURITY_PLUGIN": (_ON, "everybody who reaches it reads and deletes every index"),
    "plugins.security.disabled": (_ON, "everybody who reaches it reads and deletes every index"),
    "NEO4J_AUTH": (frozenset({"none"}), "everybody who reaches it reads and changes every graph"),
    "NEO4J_dbms_security_auth__enabled": (_OFF, "everybody who reaches it reads and changes every graph"),
    "ME_CONFIG_BASICAUTH": (_OFF, "everybody who reaches it administers the database"),
    "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": (_ON, "everybody who reaches it reads and changes every object"),
    "INFLUXDB_HTTP_AUTH_ENABLED": (_OFF, "everybody who reaches it is its administrator"),
    "TRAEFIK_API_INSECURE": (_ON, "everybody who reaches it sees the routes and services"),
    "DISABLE_AUTHENTICATION": (_ON, "nobody has to log in"),
    "DISABLE_AUTH": (_ON, "nobody has to log in"),
    "AUTH_ENABLED": (_OFF, "nobody has to log in"),
}
# Any value at all means yes: the entrypoints only ask whether the variable is empty.
_EMPTY_ROOT: Final = ("MYSQL_ALLOW_EMPTY_PASSWORD", "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD", "MARIADB_ALLOW_EMPTY_PASSWORD")
_ROOT_PASSWORDS: Final = frozenset(
    f"{product}_{name}{suffix}"
    for product in ("MYSQL", "MARIADB")
    for name in ("ROOT_PASSWORD", "RANDOM_ROOT_PASSWORD", "ROOT_PASSWORD_HASH")
    for suffix in ("", "_FILE")
)
_NO_LOGIN_OPTIONS: Final = Pattern(
    r"(?i)--skip-grant-tables|--noauth|--auth-enabled=false|--(?:\w+App|IdentityProvider)\.(?:token|password)=(?:''|\"\")?|--api\.insecure(?:=true)?|"
    r"--requirepass=(?:''|\"\")?|--basic-auth=false|--authenticationMode=None",
)


def authentication_off(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS514: a service is told to let everybody in."""
    severity = None if _is_reachable(service) else Severity.LOW
    names: set[str] | None = None
    for variable in service.environment:
        value = variable.value
        if value is None or value.value is UNKNOWN or not value.text:
            continue
        entry = _NO_LOGIN.get(variable.name)
        what = ""
        if entry is not None:
            what = entry[1] if value.text.strip("\"'").lower() in entry[0] else ""
        elif variable.name in _EMPTY_ROOT:
            if names is None:
                names = {one.name for one in service.environment if one.value is None or one.value.text}
            what = "" if names & _ROOT_PASSWORDS else "its root account has no password"
        if what:
            yield Match(
                value.place.span,
                {"setting": f"{variable.name}={value.text}", "what": what},
                value.history,
                severity=severity,
                file=value.place.file,
            )
    for words in (service.command, service.entrypoint):
        for word in () if words is None else words.words:
            if word.text.startswith("--") and _NO_LOGIN_OPTIONS.fullmatch(word.text):
                place = word.place
                yield Match(
                    place.span, {"setting": word.text, "what": "nobody has to log in"}, word.history, severity=severity, file=place.file
                )


def _is_reachable(service: Service) -> bool:
    """Whether others than the services of the project reach a service."""
    if service.network_mode is not None and service.network_mode.text == "host" and in_force(service, "network_mode"):
        return True
    if service.publish_all is not None:
        return True
    if not service.ports:
        return False
    from hardener.rules.exposure import is_published

    return any(is_published(port, service) for port in service.ports)


# --- secrets and the files they are in ----------------------------------------------------------------------------------------

_FOLDER: Final = "/run/secrets/"
_USE: Final = Pattern(r"/run/secrets/([\w.-]+)")
_SETUP: Final = ("/docker-entrypoint-initdb.d", "/etc", "/run/secrets")


def _target(grant: Grant) -> str:
    if grant.target:
        return grant.target if grant.target.startswith("/") else _FOLDER + grant.target
    return _FOLDER + grant.source


def _uses(service: Service) -> Iterator["tuple[str, Setting[str]]"]:
    """Yield every path below /run/secrets that a service is told of, and where."""
    settings: list[Setting[str]] = [one.value for one in service.environment if one.value is not None]
    lines = [service.command, service.entrypoint, *(hook.command for hook in service.hooks)]
    if service.healthcheck is not None:
        lines.append(service.healthcheck.test)
    for words in lines:
        if words is not None:
            settings += words.words
    for setting in settings:
        if _FOLDER in setting.text:
            for match in _USE.finditer(setting.text):
                if setting.text[match.end() : match.end() + 1] not in (HOLE, "/", "$", "*", "{"):
                    yield match[0].rstrip("."), setting


def missing_grant(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS521: a file below /run/secrets that no secret of the service brings."""
    if not service.is_compose:
        return
    targets: set[str] | None = None
    reported: set[str] = set()
    for path, setting in _uses(service):
        if targets is None:
            targets = {_target(grant) for grant in (*service.secrets, *service.configs)}
            if any(HOLE in target for target in targets) or _brings_secrets(service):
                return
        if path in targets or path in reported:
            continue
        reported.add(path)
        from hardener.rules.variables import nearest

        name = path.removeprefix(_FOLDER)
        known = [target.removeprefix(_FOLDER) for target in targets]
        declared = name in context.project.secrets
        meant = "" if declared else nearest(name, known)
        hint = f"; {meant} is" if meant else "; the project declares that secret, the service does not list it" if declared else ""
        place = _part(setting, path)
        yield Match(place.span, {"path": path, "name": name, "hint": hint}, setting.history, file=place.file)


def _brings_secrets(service: Service) -> bool:
    """Whether a mount may bring files below /run/secrets."""
    if service.volumes_from:
        return True
    for mount in service.mounts:
        target = mount.target
        if target is UNKNOWN or HOLE in target:
            return True
        if mount.type != "tmpfs" and (
            target.rstrip("/") in ("/run", "/var/run", "") or target.startswith(("/run/secrets", "/var/run/secrets"))
        ):
            return True
    return False


def _part(setting: "Setting[str]", text: str) -> Place:
    """Return where a part of a setting stands."""
    place = setting.place
    at = place.text.find(text)
    return place if at < 0 else Place(place.file, Span(place.span.start + at, place.span.start + at + len(text)))


def unread_secret(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS522: a secret is granted to an image that is known to read only those it is told of, and it is told of none."""
    if not service.secrets:
        return
    from hardener.rules.file_variables import exact_names

    if exact_names(_name_of(service)) is None or service.entrypoint is not None or service.volumes_from:
        return
    if any(mount.target is UNKNOWN or mount.target.startswith(_SETUP) for mount in service.mounts) or service.configs:
        return
    used = {path for path, _ in _uses(service)}
    texts = [one.value.text for one in service.environment if one.value is not None]
    if any(HOLE in text for text in texts):
        return
    for grant in service.secrets:
        path = _target(grant)
        if path not in used and HOLE not in path and not any(path in text for text in texts):
            yield Match(grant.place.span, {"name": grant.source, "image": _name_of(service), "path": path}, file=grant.place.file)


def value_and_file(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS523: NAME and NAME_FILE are both set, which the image's entrypoint refuses."""
    from hardener.rules.file_variables import exact_names

    names = None
    for variable in service.environment:
        if not variable.name.endswith("_FILE") or variable.value is None or not variable.value.text:
            continue
        if names is None:
            names = exact_names(_name_of(service))
            if names is None:
                return
        plain = service.variable(variable.name[:-5]) if variable.name[:-5] in names else None
        if plain is None or (plain.value is not None and (not plain.value.text or plain.value.value is UNKNOWN)):
            continue  # an open value may be empty, which counts as not set
        if plain.value is None:
            continue
        place = plain.value.place
        yield Match(
            place.span,
            {"name": plain.name, "file": variable.name, "image": _name_of(service)},
            ((variable.key, f"{variable.name} is set here"),),
            file=place.file,
        )


_REDIS: Final = frozenset({"redis", "valkey/valkey"})
_REDIS_PASSWORDS: Final = Pattern(r"(?:(?:REDIS|VALKEY)_(?:PASSWORD|PASS|AUTH)|REQUIREPASS|(?:REDIS|VALKEY)_REQUIREPASS)(?:_FILE)?")
_IMAGE_PREFIXES: Final = {"POSTGRES": "postgres", "MYSQL": "mysql", "MONGO": "mongo"}


def ignored_variable(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS524: a password variable, or a `_FILE`, that the image does not read."""
    image = _name_of(service)
    if not image or service.entrypoint is not None:
        return
    from hardener.rules.file_variables import exact_names

    names = exact_names(image)
    is_redis = image in _REDIS
    if names is None and not is_redis:
        return
    for variable in service.environment:
        name = variable.name
        if is_redis:
            if not _REDIS_PASSWORDS.fullmatch(name) or _mentions(service, name):
                continue
            what = "so the server asks nobody for a password unless its command or configuration does"
            if any(mount.target is UNKNOWN or "conf" in mount.target for mount in service.mounts) or service.configs:
                continue
            if service.command is not None and any(word.text == "--requirepass" for word in service.command.words):
                continue
        else:
            if names is None or not name.endswith("_FILE") or name[:-5] in names or _mentions(service, name):
                continue
            if _IMAGE_PREFIXES.get(name.partition("_")[0]) != image:
                continue
            what = f"it knows {', '.join(sorted(f'{one}_FILE' for one in names if 'PASS' in one))}"
        yield Match(variable.key.span, {"name": name, "image": image, "what": what}, file=variable.key.file)


def _mentions(service: Service, name: str) -> bool:
    """Whether a command, the health test or another variable uses a variable."""
    lines = [service.command, service.entrypoint, *(hook.command for hook in service.hooks)]
    if service.healthcheck is not None:
        lines.append(service.healthcheck.test)
    if any(
        name in word.text or name in word.place.text or HOLE in word.text for words in lines if words is not None for word in words.words
    ):
        return True
    return any(one.value is not None and one.name != name and f"${name}" in one.value.text for one in service.environment)


def file_not_used(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS525: a secret comes as a variable though the image would read it from a file."""
    image = _name_of(service)
    if not image:
        return
    from hardener.rules.file_variables import file_variable

    for variable in service.environment:
        value = variable.value
        if is_secret_name(variable.name) < Likeness.SECRET or (value is not None and not value.text):
            continue
        instead = file_variable(image, variable.name)
        if instead is None or (
            value is not None and value.value is not UNKNOWN and "$" not in value.place.text and variable.source != "env_file"
        ):
            continue  # a literal is the finding of other rules
        yield Match(variable.key.span, {"name": variable.name, "instead": instead, "image": image}, file=variable.key.file)


CHECKS: Final[Mapping[str, Check]] = {
    "HS501": secret_variable,
    "HS502": weak_password,
    "HS503": secret_default,
    "HS504": url_password,
    "HS505": secret_in_command,
    "HS506": secret_in_healthcheck,
    "HS507": secret_in_label,
    "HS508": secret_build_argument,
    "HS509": passed_build_argument,
    "HS510": secret_in_env_file,
    "HS511": secret_in_dotenv,
    "HS512": secret_in_config,
    "HS513": secret_file,
    "HS514": authentication_off,
    "HS521": missing_grant,
    "HS522": unread_secret,
    "HS523": value_and_file,
    "HS524": ignored_variable,
    "HS525": file_not_used,
}
