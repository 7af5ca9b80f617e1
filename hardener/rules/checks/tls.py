"""Checks on switched-off verification: certificates, host keys, checksum databases, in every tool and variable."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from hardener.finding import Match
from hardener.rules.checks import Check
from hardener.rules.context import Context
from hardener.rules.fetches import is_fetcher, is_loopback, read_fetch
from hardener.rules.reading import commands_of, known, shell_view
from hardener.sources.instructions import Instruction
from hardener.sources.options import options, program
from hardener.sources.shell import Command
from hardener.text import Pattern, Span, View

_OFF: Final = frozenset({"0", "false", "no", "off", "none", "n", "f"})

# --- programs that download -------------------------------------------------------------------------------------------------

# Options that switch the check off by being there.
_SWITCHES: Final[Mapping[str, tuple[str, ...]]] = {
    "curl": ("-k", "--insecure", "--proxy-insecure", "--doh-insecure"),
    "wget": ("--no-check-certificate",),
    "invoke-webrequest": ("-skipcertificatecheck",),
    "aws": ("--no-verify-ssl",),
    "svn": ("--trust-server-cert", "--trust-server-cert-failures"),
    "kubectl": ("--insecure-skip-tls-verify",),
    "oc": ("--insecure-skip-tls-verify",),
    "helm": ("--insecure-skip-tls-verify",),
    "vault": ("-tls-skip-verify",),
    "crane": ("--insecure",),
    "oras": ("--insecure", "--plain-http"),
    "rclone": ("--no-check-certificate",),
    "yt-dlp": ("--no-check-certificates",),
    "pip": ("--trusted-host",),
    "pipx": ("--trusted-host",),
    "uv": ("--trusted-host", "--allow-insecure-host"),
    "npm": ("--no-strict-ssl",),
    "pnpm": ("--no-strict-ssl",),
    "yarn": ("--no-strict-ssl",),
    "conda": ("-k", "--insecure"),
    "go": ("-insecure",),
    "dockerd": ("--insecure-registry",),
}
# Options that switch it off with the value false.
_BOOLEANS: Final[Mapping[str, tuple[str, ...]]] = {
    "aria2c": ("--check-certificate",),
    "http": ("--verify",),
    "https": ("--verify",),
    "podman": ("--tls-verify",),
    "buildah": ("--tls-verify",),
    "skopeo": ("--tls-verify", "--src-tls-verify", "--dest-tls-verify"),
    "npm": ("--strict-ssl",),
    "pnpm": ("--strict-ssl",),
    "yarn": ("--strict-ssl",),
}
# Settings in the arguments, joined by single blanks.
_SETTINGS: Final[Mapping[str, str]] = {
    "git": r"\bconfig (?:\S+ ){0,6}(http\.(?:\S{1,200}\.)?sslverify ['\"]?(?:false|0|no|off)\b)"
    r"|(-c http\.(?:\S{1,200}\.)?sslverify=(?:false|0|no|off)\b)",
    "npm": r"\bset (?:npm_config_)?strict-ssl[= ](?:false|0|no)\b",
    "pnpm": r"\bset strict-ssl[= ](?:false|0|no)\b",
    "yarn": r"\bset (?:strict-ssl|enablestrictssl)[= ](?:false|0|no)\b",
    "pip": r"\bset \S{0,100}trusted-host \S+",
    "conda": r"\bssl_verify (?:false|no|off|0)\b",
    "composer": r"\b(?:disable-tls true|secure-http false)\b",
    "poetry": r"\bcertificates\.\S{1,100}\.cert false\b",
    "bundle": r"\bssl_verify_mode (?:0|none|verify_none)\b",
    "apt-get": r"\bacquire::https?::(?:\S+::)?verify-(?:peer|host)[= ]['\"]?(?:false|0|no|off)\b",
    "apt": r"\bacquire::https?::(?:\S+::)?verify-(?:peer|host)[= ]['\"]?(?:false|0|no|off)\b",
    "dnf": r"(?:^|(?<= ))[^ ]*\bsslverify=(?:false|0|no)\b",
    "yum": r"(?:^|(?<= ))[^ ]*\bsslverify=(?:false|0|no)\b",
    "microdnf": r"(?:^|(?<= ))[^ ]*\bsslverify=(?:false|0|no)\b",
    "yum-config-manager": r"(?:^|(?<= ))[^ ]*\bsslverify=(?:false|0|no)\b",
    "mvn": r"-dmaven\.wagon\.http\.ssl\.(?:insecure|allowall)=true\b",
    "lftp": r"ssl:verify-certificate (?:no|false|off)\b",
}
_DOWNLOADERS: Final = frozenset(
    {*("curl", "wget", "invoke-webrequest", "aws", "svn", "kubectl", "oc", "helm", "vault", "crane", "oras", "rclone", "yt-dlp", "aria2c")}
    | {*("http", "https", "podman", "buildah", "skopeo", "git", "lftp")}
)
_INSTALLERS: Final = frozenset({*_SWITCHES, *_BOOLEANS, *_SETTINGS} - _DOWNLOADERS)


def _switched_off(command: Command) -> Iterator[Span]:
    """Yield the words with which a command switches verification off."""
    found = options(command)
    name = found.program
    for flag in found.flags:
        if flag.name in _SWITCHES.get(name, ()):
            # `--insecure=false` keeps it on; the value of --trusted-host is a host.
            if flag.value is None or flag.name in ("--trusted-host", "--allow-insecure-host") or flag.value.lower() not in _OFF:
                yield flag.exact if flag.value is None else flag.span
        elif flag.name in _BOOLEANS.get(name, ()) and flag.value is not None and flag.value.lower() in _OFF:
            yield flag.span
    pattern = _SETTINGS.get(name)
    if pattern is not None:
        yield from _in_arguments(command, pattern)


def _in_arguments(command: Command, pattern: str) -> Iterator[Span]:
    """Yield the words in which a pattern matches the joined arguments, from the first to the last that it (or its group) touches."""
    words = command.args
    text = " ".join(word.text for word in words).lower()
    match = re.search(pattern, text)
    if match is None:
        return
    start, end_of_match = match.span(match.lastindex or 0)
    at = 0
    touched = []
    for word in words:
        end = at + len(word.text)
        if at < end_of_match and end > start:
            touched.append(word.span)
        at = end + 1
    if touched:
        yield Span(touched[0].start, touched[-1].end)


def insecure_download(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD507: a program that downloads is told to accept any certificate."""
    for command in commands_of(instruction, _DOWNLOADERS):
        if is_fetcher(command):
            urls = read_fetch(command).urls
            if urls and all(is_loopback(word.text) for word in urls):
                continue
        for span in _switched_off(command):
            yield Match(span, {"program": program(command)})
    view = shell_view(instruction)
    if view is not None and "CertificateValidationCallback" in view.text:
        for match in re.finditer(r"ServerCertificateValidationCallback\s*=\s*\{\s*(?:return\s+)?\$true\s*\}", view.text, re.IGNORECASE):
            yield Match(view.span(*match.span()), {"program": "PowerShell"})


# --- programs that install --------------------------------------------------------------------------------------------------

_CONFIGURATION: Final = Pattern(
    r"""(?xi)
      acquire::https?::(?:[\w.-]+::)?verify-(?:peer|host)\s+["']?(?:false|0|no|off)["']?   # apt.conf
    | (?:(?<![\w-])|(?<=\\n))strict-ssl\s*=\s*false\b                                                   # .npmrc
    | (?:(?<![\w-])|(?<=\\n))sslverify\s*=\s*(?:0|false|no)\b                                           # yum.conf, .gitconfig
    | (?:(?<![\w-])|(?<=\\n))ssl_verify\s*:\s*(?:false|no)\b                                            # .condarc
    | (?:(?<![\w-])|(?<=\\n))trusted-host\s*=\s*[\w.-]+                                                 # pip.conf
    | :ssl_verify_mode:\s*0\b                                                              # .gemrc
    | ["']?insecure-registries["']?\s*:\s*\[\s*["']                                        # daemon.json
    """
)
_CONFIGURATION_WORDS: Final = ("verify", "strict-ssl", "trusted-host", "insecure-registries")


def insecure_installs(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD508: a package manager or daemon is told to accept any certificate, by an option or by a configuration file."""
    told: list[Span] = []
    if instruction.name not in ("COPY", "ADD"):
        for command in commands_of(instruction, _INSTALLERS):
            for span in _switched_off(command):
                told.append(span)
                yield Match(span, {"program": program(command)})
    for view in _written_text(instruction):
        lowered = view.text.lower()
        if any(word in lowered for word in _CONFIGURATION_WORDS):
            places = (view.span(*match.span()) for match in _CONFIGURATION.finditer(view.text))
            for span in _outside(places, sorted([*told, *_readers(instruction)])):
                yield Match(span, {"program": "a configuration file"})


def _readers(instruction: Instruction) -> Iterator[Span]:
    """Yield the commands whose arguments `_switched_off` reads itself, or that only look for the text."""
    script = instruction.script
    for command in () if script is None else script.commands:
        if (program(command) in _SETTINGS or command.name in ("grep", "test", "[")) and not command.scripts:
            yield command.span


def _outside(places: Iterator[Span], ranges: list[Span]) -> Iterator[Span]:
    """Yield the places that no range touches; both are sorted by their start."""
    at = end = 0
    for place in places:
        while at < len(ranges) and ranges[at].start < place.end:
            end = max(end, ranges[at].end)
            at += 1
        if end <= place.start:
            yield place


def _written_text(instruction: Instruction) -> Iterator[View]:
    """Yield the texts that an instruction may write into files."""
    if instruction.name in ("COPY", "ADD"):
        yield from (heredoc.body for heredoc in instruction.heredocs)
    else:
        view = shell_view(instruction)
        if view is not None:
            yield view


# --- variables --------------------------------------------------------------------------------------------------------------

_FALSE: Final = r"(?i:0|false|no|off)"
_TRUE: Final = r"(?i:1|true|yes|on)"
_ANY: Final = r"(?s:.*\S.*)"
_VARIABLES: Final[Mapping[str, str]] = {
    "PYTHONHTTPSVERIFY": r"0",
    "NODE_TLS_REJECT_UNAUTHORIZED": r"0",
    "NPM_CONFIG_STRICT_SSL": _FALSE,
    "YARN_STRICT_SSL": _FALSE,
    "YARN_ENABLE_STRICT_SSL": _FALSE,
    "GIT_SSL_NO_VERIFY": r"(?s:.*)",  # git asks only whether it is set
    "PIP_TRUSTED_HOST": _ANY,
    "UV_INSECURE_HOST": _ANY,
    "CONDA_SSL_VERIFY": _FALSE,
    "REQUESTS_CA_BUNDLE": r"",
    "CURL_CA_BUNDLE": r"",
    "SSL_CERT_FILE": r"/dev/null",
    "SSL_NO_VERIFY": _TRUE,
    "GOINSECURE": _ANY,
    "GONOSUMCHECK": _ANY,
    "GONOSUMDB": r"\*(?:[./*]*)",
    "GOSUMDB": r"off",
    "GOFLAGS": r"(?:.*\s)?-insecure(?:\s.*)?",
    "BUNDLE_SSL_VERIFY_MODE": r"(?i:0|none|verify_none)",
    "PERL_LWP_SSL_VERIFY_HOSTNAME": r"0",
    "HEX_UNSAFE_HTTPS": _TRUE,
    "MAVEN_OPTS": r"(?s:.*-Dmaven\.wagon\.http\.ssl\.(?:insecure|allowall)=true.*)",
    "LDAPTLS_REQCERT": r"(?i:never|allow)",
    "VAULT_SKIP_VERIFY": _TRUE,
    "NOMAD_SKIP_VERIFY": _TRUE,
    "CONSUL_HTTP_SSL_VERIFY": _FALSE,
}
_NAMES: Final = frozenset(name.upper() for name in _VARIABLES)
_POWERSHELL_VARIABLE: Final = Pattern(r"\$env:(\w+)\s*=\s*(?:'([^']*)'|\"([^\"]*)\"|(\w+))", re.IGNORECASE)


def insecure_variable(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD509: a variable that makes programs accept any certificate, or any checksum, in ENV, ARG, or a shell."""
    if instruction.name in ("ENV", "ARG"):
        for pair in instruction.pairs:
            if pair.value is not None and pair.key.text.upper() in _NAMES:
                value = known(pair.value, instruction)
                if value is not None and _is_off(pair.key.text, value):
                    yield Match(pair.span, {"name": pair.key.text, "value": value})
        return
    view = shell_view(instruction)
    script = instruction.script
    if view is None or script is None or "=" not in view.text:
        return
    for command in script.commands:
        for assignment in command.assignments:
            if assignment.name.upper() in _NAMES and assignment.value.static and _is_off(assignment.name, assignment.value.text):
                yield Match(assignment.span, {"name": assignment.name, "value": assignment.value.text})
    if script.dialect == "powershell":
        for match in _POWERSHELL_VARIABLE.finditer(view.text):
            value = next((group for group in match.groups()[1:] if group is not None), "")
            if _is_off(match[1], value):
                yield Match(view.span(*match.span()), {"name": match[1], "value": value})


def _is_off(name: str, value: str) -> bool:
    pattern = _VARIABLES.get(name) or _VARIABLES.get(name.upper())
    return pattern is not None and re.fullmatch(pattern, value.strip()) is not None


# --- host keys --------------------------------------------------------------------------------------------------------------

_HOST_KEYS: Final = Pattern(
    r"""StrictHostKeyChecking(?:\s*=\s*|\s+)["']?(?:no|off)\b|UserKnownHostsFile(?:\s*=\s*|\s+)["']?/dev/null\b"""
    r"""|ANSIBLE_HOST_KEY_CHECKING\s*=\s*["']?(?:False|0|no)\b""",
    re.IGNORECASE,
)


def unchecked_host_key(instruction: Instruction, context: Context) -> Iterator[Match]:
    """HD510: ssh is told to accept any host key."""
    views = [instruction.rest] if instruction.name in ("ENV", "ARG") else list(_written_text(instruction))
    for view in views:
        match = _HOST_KEYS.search(view.text) if "ostKey" in view.text or "KnownHosts" in view.text or "HOST_KEY" in view.text else None
        if match is not None:
            yield Match(view.span(*match.span()), {"setting": match[0]})


CHECKS: Final[Mapping[str, Check]] = {
    "HD507": insecure_download,
    "HD508": insecure_installs,
    "HD509": insecure_variable,
    "HD510": unchecked_host_key,
}
