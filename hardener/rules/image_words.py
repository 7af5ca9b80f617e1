"""The history of an image in the words of a Dockerfile.

Builders write down what made a layer, each in its own way: the classic builder `/bin/sh -c #(nop)  CMD ["nginx"]`, BuildKit
`RUN |1 A=b /bin/sh -c make # buildkit`, with Go's notation for lists and maps. What is none of their forms (`bazel build …`) becomes a
comment. The text is not the Dockerfile: stages, cache and secret mounts, comments and the names of local files are not in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from hardener.record import NamedTuple

INSTRUCTIONS: Final = frozenset(
    {
        "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD", "RUN", "SHELL",
        "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
    }
)  # fmt: skip
_SHELL: Final = re.compile(r"(?:/usr)?/bin/(?:ba|da|a|k|z)?sh(?: -[A-Za-z]+| pipefail| errexit| nounset)*? -[A-Za-z]*c(?: |$)")
_ARGUMENTS: Final = re.compile(r"\|(\d{1,3}) ")
_NAME: Final = re.compile(r" (?=[A-Za-z_][\w.\-/]{0,200}=)")
_WRITTEN: Final = re.compile(r"""(?:"((?:[^"\\]|\\.)*)"|'([^']*)')(?=\s|$)""")
_TEST: Final = re.compile(r'&\{\[((?:\s*"(?:[^"\\]|\\.)*")*)\]')
_CONTENT: Final = re.compile(r"\b(file|dir|multi):([0-9a-f]{12})[0-9a-f]{52} in ")
_PLAIN: Final = re.compile(r"[^\s\"'\\$`#]*")

LONGEST: Final = 1 << 16  # characters of an entry that are read: a step of a build has hardly ever more than a thousand

Piece = tuple[str, str]
"""A text, and the key under which its place is remembered: `env:PATH`, `port:22/tcp`; "" for none."""


class Words(NamedTuple):
    """One entry of a history in Dockerfile words."""

    name: str  # RUN, COPY, …; "" for what is no instruction
    pieces: tuple[Piece, ...]
    arguments: tuple[tuple[str, str], ...] = ()  # the build arguments that a RUN was given

    @property
    def text(self) -> str:
        """The whole of it."""
        return "".join(text for text, _ in self.pieces)


def words(created_by: str, *, env: Mapping[str, str], labels: Mapping[str, str], comment: str = "") -> Words:
    """Return an entry of a history, `created_by`, in Dockerfile words; `env` and `labels` are those that the image ended up with."""
    text = created_by[:LONGEST].replace("\0", "\N{REPLACEMENT CHARACTER}").replace("\r\n", "\n").strip()
    text = text.removesuffix("# buildkit").rstrip()
    if not text:
        return _comment(comment or "a layer of unknown making")
    first, _, rest = text.partition(" ")
    if first == "RUN":
        return _run(rest)
    if first in INSTRUCTIONS:
        return _instruction(first, rest.strip(), env, labels)
    shell = _SHELL.match(text)
    if shell is not None:
        script = text[shell.end() :]
        if script.startswith("#(nop)"):
            first, _, rest = script[6:].strip().partition(" ")
            if first in INSTRUCTIONS:
                return _instruction(first, rest.strip(), env, labels)
            return _comment(script[6:].strip())
        return _run(text)
    if _ARGUMENTS.match(text):
        return _run(text)
    return _comment(text)


def _comment(text: str) -> Words:
    return Words("", (("# " + text.lstrip("# ").replace("\n", " "), ""),))


def _run(text: str) -> Words:
    text = text.strip()
    arguments: tuple[tuple[str, str], ...] = ()
    counted = _ARGUMENTS.match(text)
    if counted is not None:
        shell = _SHELL.search(text, counted.end())
        end = shell.start() if shell is not None else len(text)
        arguments = tuple(_pairs(text[counted.end() : end].strip(), {}))
        text = text[end:]
    script = text
    shell = _SHELL.match(text)
    if shell is not None:
        script = text[shell.end() :].lstrip() if "\n" not in text else text[shell.end() :]
    return Words("RUN", (("RUN ", ""), (as_script(script), "")), arguments)


def as_script(script: str) -> str:
    """Return a shell script as RUN takes it: of several lines, as a here-document."""
    script = script.strip("\n")
    if "\n" not in script or all(line.endswith("\\") for line in script.split("\n")[:-1]):
        return script
    mark = "EOF"
    while mark in script:
        mark += "_"
    return f"<<'{mark}'\n{script}\n{mark}"


def _pairs(text: str, known: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Split `A=b C=d e` into names and values: where a value ends, its known value says, else the next name."""
    at = 0
    while at < len(text):
        equals = text.find("=", at)
        if equals < 0:
            yield text[at:], ""
            return
        name, start = text[at:equals], equals + 1
        value = known.get(name)
        written = _WRITTEN.match(text, start)
        if value is not None and text.startswith(value, start) and text[start + len(value) : start + len(value) + 1] in ("", " "):
            end = start + len(value)
        elif written is not None:  # as the Dockerfile has it, quotes and all: buildah writes so
            value, end = _unquoted(written[1]) if written[1] is not None else written[2], written.end()
        else:
            following = _NAME.search(text, start)
            end = following.start() if following is not None else len(text)
            value = text[start:end]
        yield name, value
        at = end
        while text[at : at + 1] == " ":
            at += 1


def quoted(value: str) -> str:
    """Return a value as ENV and LABEL take it."""
    if _PLAIN.fullmatch(value):
        return value
    value = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("\n", "\\n")
    return f'"{value}"'


def _listed(text: str) -> list[str]:
    """Return the words of a list in JSON (`["a", "b"]`) or in one of Go's notations (`["a" "b"]`, `[a b]`)."""
    found = []
    start = -1  # of a word in quotes
    at = 0
    while at < len(text):  # by hand: an expression would begin anew at each quote of a word that has no end
        if text[at] == '"':
            if start >= 0:
                found.append(_unquoted(text[start:at]))
            start = -1 if start >= 0 else at + 1
        at += 1 + (text[at] == "\\" and start >= 0)
    return found or text.strip("[]").split()


def _unquoted(text: str) -> str:
    try:
        return str(json.loads(f'"{text}"'))
    except ValueError:  # an escape of Go's that JSON has not
        return text


def _instruction(name: str, rest: str, env: Mapping[str, str], labels: Mapping[str, str]) -> Words:
    match name:
        case "ENV" | "LABEL":
            known, key = (env, "env") if name == "ENV" else (labels, "label")
            if "=" not in rest.partition(" ")[0]:  # ENV NAME value
                first, _, value = rest.partition(" ")
                return line(name, [(f"{first}={quoted(value.strip())}", f"{key}:{first}")])
            return line(name, [pair(key, each, value) for each, value in _pairs(rest, known)])
        case "ARG":
            return line(name, [pair("arg", each, value) for each, value in _pairs(rest, {})] if "=" in rest else [(rest, f"arg:{rest}")])
        case "EXPOSE":
            ports = [word.removesuffix(":{}") for word in rest.removeprefix("map").strip("[]").split()]
            return line(name, [(port, f"port:{port if '/' in port else f'{port}/tcp'}") for port in ports])
        case "VOLUME":
            return volumes(_listed(rest))
        case "CMD" | "ENTRYPOINT" | "SHELL":
            return command(name, _listed(rest)) if rest.startswith("[") else line(name, [(rest, "")])
        case "HEALTHCHECK":
            test = _TEST.match(rest)
            return health(_listed(test[1])) if test is not None else line(name, [(rest, "")])
        case "COPY" | "ADD":
            return line(name, [(_CONTENT.sub(r"\1:\2 ", rest), "")])
        case "RUN":
            return _run(rest)
    return line(name, [(rest.replace("\n", " "), "")])


def pair(key: str, name: str, value: str) -> Piece:
    """Return `NAME=value` as a piece that is found again."""
    return f"{name}={quoted(value)}", f"{key}:{name}"


def line(name: str, pieces: Iterable[Piece]) -> Words:
    """Return an instruction with its pieces, a blank between each two."""
    found: list[Piece] = [(name, "")]
    for piece in pieces:
        found += [(" ", ""), piece]
    return Words(name, tuple(found))


def command(name: str, argv: Iterable[str]) -> Words:
    """Return a CMD, ENTRYPOINT or SHELL in its exec form."""
    return line(name, [(json.dumps(list(argv), ensure_ascii=False), "")])


def volumes(paths: Iterable[str]) -> Words:
    """Return a VOLUME."""
    found: list[Piece] = [("VOLUME [", "")]
    for index, path in enumerate(paths):
        found += [(", " if index else "", ""), (json.dumps(path, ensure_ascii=False), f"volume:{path}")]
    return Words("VOLUME", (*found, ("]", "")))


def health(test: list[str]) -> Words:
    """Return a HEALTHCHECK by the test of a configuration; times and retries are left out."""
    if not test or test[0] == "NONE":
        return line("HEALTHCHECK", [("NONE", "")])
    if test[0] == "CMD-SHELL":
        return line("HEALTHCHECK", [("CMD " + (test[1] if len(test) > 1 else "").replace("\n", " "), "")])
    argv = test[1:] if test[0] == "CMD" else test
    return line("HEALTHCHECK", [("CMD " + json.dumps(argv, ensure_ascii=False), "")])
