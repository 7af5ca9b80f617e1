"""What a RUN fetches from the network: which program, from where, into which file; and what then runs it or checks it."""

import posixpath
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from hardener.record import NamedTuple
from hardener.sources.instructions import Instruction
from hardener.sources.options import Options, options, program
from hardener.sources.shell import Command, Script, Word
from hardener.text import Pattern, Span

FETCHERS: Final = frozenset(
    {"curl", "wget", "invoke-webrequest", "aria2c", "axel", "fetch", "http", "https", "lwp-request", "lwp-download"}
)
_NEEDLES: Final = ("curl", "wget", "web", "iwr", "irm", "rest", "http", "aria2c", "axel", "fetch", "lwp-", "url", "download")
# What a fetcher's file names and standard output are called.
_TO_FILE: Final = {
    "curl": ("-o", "--output"),
    "wget": ("-O", "--output-document"),
    "invoke-webrequest": ("-outfile",),
    "aria2c": ("-o", "--out"),
    "axel": ("-o", "--output"),
    "fetch": ("-o",),
    "http": ("-o", "--output"),
    "https": ("-o", "--output"),
}
_LOOPBACK: Final = Pattern(r"(?:[a-z+]+://)?(?:[^/@]*@)?(?:localhost|127\.\d+\.\d+\.\d+|0\.0\.0\.0|\[::1?\])(?=[:/?#]|$)", re.IGNORECASE)
_USER_INFO: Final = r"(?<=://)[^/@\s]*@"


_LONG_PIPELINE: Final = 100


class Fetch(NamedTuple):
    """One download: `urls` as written, `files` the names under which it is kept, empty when it goes to standard output."""

    command: Command
    urls: tuple[Word, ...]
    files: tuple[str, ...]


def may_fetch(text: str) -> bool:
    """Whether a text may hold a download; a cheap look before a close one."""
    text = text.lower()
    return any(needle in text for needle in _NEEDLES)


def upstream(command: Command) -> tuple[Command, ...]:
    """Return what is piped into a command; nothing for absurdly long pipelines, where asking each member would cost the square."""
    return () if len(command.pipeline.commands) > _LONG_PIPELINE else command.upstream


def is_fetcher(command: Command) -> bool:
    """Whether a command downloads something."""
    return program(command) in FETCHERS


def is_loopback(url: str) -> bool:
    """Whether a URL names the machine itself."""
    return _LOOPBACK.match(url) is not None


def shown(url: str) -> str:
    """Return a URL as messages may show it: without user and password, without its query, not too long."""
    url = re.sub(_USER_INFO, "", url).partition("?")[0]
    return url if len(url) <= 80 else f"{url[:77]}..."


def read_fetch(command: Command) -> Fetch:
    """Return what a fetcher downloads and where to."""
    found = options(command)
    urls = _urls(found)
    files = tuple(_files(command, found, urls))
    return Fetch(command, urls, files)


def _urls(found: Options) -> tuple[Word, ...]:
    given = [flag.value_word for flag in found.flags if flag.name in ("--url", "-uri") and flag.value_word is not None]
    operands = found.operands
    if found.program in ("http", "https"):  # httpie: an optional method comes first, items come after
        operands = tuple(word for word in operands if not word.text.isupper())[:1]
    elif found.program == "invoke-webrequest":
        operands = operands[:1] if not given else ()
    return (*operands, *given)


def _files(command: Command, found: Options, urls: tuple[Word, ...]) -> Iterator[str]:
    names = [name for name in found.values(*_TO_FILE.get(found.program, ())) if name]
    if names:
        yield from (name for name in names if name not in ("-", "/dev/stdout"))
        return
    named_by_url = found.program in ("wget", "axel", "aria2c", "fetch") or found.has("-O", "--remote-name", "--remote-name-all")
    if named_by_url:
        folder = found.value("-P", "--directory-prefix", "--output-dir", "-d", "--dir") or ""
        for word in urls:
            name = posixpath.basename(word.text.partition("?")[0].rstrip("/"))
            if name:
                yield posixpath.join(folder, name)
        return
    yield from redirected_to(command)


def redirected_to(command: Command) -> Iterator[str]:
    """Yield the files that a command's standard output is written to."""
    for redirect in command.redirects:
        if redirect.operator not in (">", ">>", ">|", "&>") or redirect.fd not in ("", "1") or redirect.target is None:
            continue
        if redirect.target.text not in ("/dev/null", "/dev/stdout"):
            yield redirect.target.text


# --- what runs a download ---------------------------------------------------------------------------------------------------

SHELLS: Final = frozenset({"sh", "bash", "dash", "ash", "ksh", "mksh", "zsh", "fish", "rbash"})
_POSIX: Final = frozenset({"sh", "bash", "exec"})
_OTHER_INTERPRETERS: Final = frozenset(
    {"python", "pypy", "perl", "ruby", "node", "php", "lua", "Rscript", "deno", "bun", "tclsh", "groovy"}
)
INTERPRETERS: Final = SHELLS | _OTHER_INTERPRETERS
_SOURCES: Final = frozenset({".", "source"})
_STANDARD_INPUT: Final = frozenset({"-", "/dev/stdin", "/proc/self/fd/0", "/dev/fd/0"})
_CODE_FLAGS: Final = frozenset({"-c", "-e", "-r", "-E", "--eval", "-pe", "-ne"})
_CODE_OPTION: Final = Pattern(r"-[cemnpr]|-\w*[en]$|--(?:eval|print|run|version|help)|-[vV]$")
_EVALUATORS: Final = frozenset({"iex", "invoke-expression"})
_FETCHES_IN_POWERSHELL: Final = Pattern(
    r"downloadstring|invoke-webrequest|\biwr\b|invoke-restmethod|\birm\b|\bcurl\b|\bwget\b|net\.webclient", re.IGNORECASE
)
_SCRIPT_BLOCK: Final = Pattern(r"\[scriptblock\]::create\(", re.IGNORECASE)
# What runs code, and what fetches it, in one line of another language.
_INLINE: Final = {
    "python": (("exec(",), ("urlopen", "requests.get", "httpx.get")),
    "pypy": (("exec(",), ("urlopen",)),
    "php": (("eval(",), ("file_get_contents", "curl_exec")),
    "ruby": (("eval",), ("open-uri", "URI.open", "open(", "Net::HTTP")),
    "perl": (("eval",), ("LWP", "HTTP::Tiny", "get(", "get ")),
    "node": (("eval(",), ("http.get", "https.get", "fetch(")),
}


class RemoteRun(NamedTuple):
    """A command that runs code as it comes from the network. `runner` is the word that does it."""

    runner: Word
    name: str
    fetch: Command | None  # None when the fetching is done in the code of another language
    where: str  # the address, as messages may show it


@lru_cache(maxsize=1)
def remote_runs(instruction: Instruction) -> tuple[RemoteRun, ...]:
    """Return each place where downloaded code runs without having been a file: pipes, substitutions, `eval`, `iex`, `exec(urlopen())`.

    Several rules ask in a row for the same instruction.
    """
    script = instruction.script
    if script is None or not may_fetch(script.view.text):
        return ()
    by_place: dict[Span, RemoteRun] = {}
    for command in script.commands:
        found = _remote_run(command)
        if found is not None:
            by_place.setdefault(found.runner.span, found)
    return tuple(by_place.values())


def _remote_run(command: Command) -> RemoteRun | None:
    if command.name == "":
        return _run_of_output(command) if command.words else None
    word = command.name_word
    if word is None:
        return None
    if command.name in _EVALUATORS:
        return _evaluated(command, word)
    name = program(command)
    if name in INTERPRETERS or command.name in _SOURCES or command.name in ("su", "runuser"):
        fetch = _code_source(command, name)
        if fetch is not None:
            return RemoteRun(word, command.name, fetch, where(fetch))
        inline = _INLINE.get(name)
        if inline is not None:
            for argument in command.args:
                if any(part in argument.text for part in inline[0]) and any(part in argument.text for part in inline[1]):
                    address = re.search(r"https?://[^\s'\")]+", argument.text)
                    if address is not None:
                        return RemoteRun(word, command.name, None, shown(address[0]))
    return None


def _run_of_output(command: Command) -> RemoteRun | None:
    """`$(curl …)` where a command belongs, in a line or as the code of `sh -c` and `eval`; `& ([scriptblock]::Create(…))`."""
    if command.script.dialect not in _POSIX:
        block = next((word for word in command.words[:2] if _SCRIPT_BLOCK.search(word.text)), None)
        if block is None or "&" not in command.prefixes or not _FETCHES_IN_POWERSHELL.search(block.text):
            return None
        return RemoteRun(block, "PowerShell", None, _address(block.text))
    word = command.name_word
    fetch = None if word is None else _fetch_in(word.scripts)
    if word is None or fetch is None:
        return None
    holder = command.parent
    if (
        holder is not None
        and holder.name_word is not None
        and command.script.scope[-1:] not in (("substitution",), ("process-substitution",))
    ):
        return RemoteRun(holder.name_word, holder.name, fetch, where(fetch))
    return RemoteRun(word, "the shell", fetch, where(fetch))


def _evaluated(command: Command, word: Word) -> RemoteRun | None:
    """PowerShell's `iex`, fed through a pipe or with an expression that downloads."""
    fetch = next((source for source in upstream(command) if is_fetcher(source)), None)
    if fetch is not None:
        return RemoteRun(word, command.name, fetch, where(fetch))
    text = " ".join(part.text for part in (*(word for source in upstream(command) for word in source.words), *command.args))
    if _FETCHES_IN_POWERSHELL.search(text):
        return RemoteRun(word, command.name, None, _address(text))
    return None


def _address(text: str) -> str:
    match = re.search(r"https?://[^\s'\")]+", text)
    return "the network" if match is None else shown(match[0])


def _code_source(command: Command, name: str) -> Command | None:
    """Return the fetcher whose output an interpreter takes as its program."""
    operands = options(command).operands
    first = operands[0] if operands else None
    from_stdin = command.effective.reads_stdin or (first is not None and first.text in _STANDARD_INPUT)
    if name in _OTHER_INTERPRETERS:
        from_stdin = _takes_program_from_input(command)
        for at, flag in enumerate(command.args[:-1]):
            if flag.text in _CODE_FLAGS and (fetch := _fetch_in(command.args[at + 1].scripts)) is not None:
                return fetch
    if from_stdin:
        for redirect in command.redirects:
            if (fetch := _fetch_in(redirect.scripts)) is not None:
                return fetch
        return next((fetch for source in _feeding(command) if (fetch := _printed(source)) is not None), None)
    if first is not None and first.text.startswith("<("):
        return _fetch_in(first.scripts)
    return None


def _takes_program_from_input(command: Command) -> bool:
    """Whether an interpreter's arguments name neither a file nor a piece of code."""
    for word in command.args:
        text = word.text
        if text in _STANDARD_INPUT or text == "--":
            return True
        if text[:1] != "-" or _CODE_OPTION.match(text):
            return False
    return True


def _feeding(command: Command) -> Iterator[Command]:
    """Yield the commands whose output may reach a command's standard input, also through a shell that it stands in."""
    node: Command | None = command
    while node is not None:
        yield from upstream(node)
        if node.script.scope[-1:] in (("substitution",), ("process-substitution",)):
            return
        node = node.parent


def _printed(command: Command) -> Command | None:
    """Return the fetcher whose output a command prints: itself, or one in `echo "$(…)"`."""
    if is_fetcher(command):
        return command
    if command.name not in ("echo", "printf"):
        return None
    return next((fetch for word in command.args if (fetch := _fetch_in(word.scripts)) is not None), None)


def _fetch_in(scripts: tuple[Script, ...]) -> Command | None:
    return next((command for script in scripts for command in script.commands if is_fetcher(command)), None)


def where(fetch: Command) -> str:
    """Return the address of a download as messages may show it."""
    urls = read_fetch(fetch).urls
    return shown(urls[0].text) if urls else "the network"


def is_unprotected(fetch: Command) -> bool:
    """Whether a download comes over plain HTTP, or with the check of certificates switched off."""
    found = options(fetch)
    if found.has("-k", "--insecure", "--no-check-certificate", "-skipcertificatecheck"):
        return True
    return any(word.text.startswith("http://") for word in read_fetch(fetch).urls)


# --- what checks a download -------------------------------------------------------------------------------------------------

_CHECKERS: Final = frozenset(
    {
        *("sha1sum", "sha224sum", "sha256sum", "sha384sum", "sha512sum", "shasum", "b2sum", "b3sum", "md5sum", "cksum", "sha256", "sha512"),
        *("rhash", "gpgv", "cosign", "minisign", "signify", "slsa-verifier", "rpmkeys", "debsig-verify", "get-filehash", "certutil"),
        *("get-authenticodesignature", "sigstore", "notation", "rekor-cli"),
    }
)
_CHECKING_TEXT: Final = Pattern(r"hash_file|hashlib|--checksum|\bverify\b|--verify|\bdgst\b|--checksig|--show-keys|--fingerprint|sha\d+sum")


def is_check(command: Command) -> bool:
    """Whether a command compares a digest or verifies a signature."""
    name = command.name
    if name in _CHECKERS:
        return True
    if name in INTERPRETERS or name in ("gpg", "gpg2", "openssl", "rpm", "gh", "busybox", "npm", "apt-key", "[", "test", "[["):
        return any(_CHECKING_TEXT.search(word.text) for word in command.args)
    return name.startswith("python") and any("hashlib" in word.text for word in command.args)
