"""Checks on where files go: WORKDIR, and the sources, targets and flags of COPY and ADD."""

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Final

from hardener.finding import Match
from hardener.rules.checks import Check
from hardener.rules.context import Context
from hardener.rules.reading import known, partial
from hardener.sources.commands import is_windows
from hardener.sources.dockerfile import Dockerfile
from hardener.sources.expansion import HOLE
from hardener.sources.instructions import HEREDOC_WORD, Instruction, Word
from hardener.sources.stages import Stage
from hardener.text import Pattern, Span

_DRIVE = Pattern(r"[A-Za-z]:")
_REMOTE = Pattern(r"(?:https?|git|ssh|ftp)://|git@[\w.-]+:", re.IGNORECASE)
_WEB = Pattern(r"https?://", re.IGNORECASE)
_GIT = Pattern(r"(?:git|ssh)://|git@[\w.-]+:|https?://[^#?]+\.git(?:[#?]|$)|github\.com/", re.IGNORECASE)
_OCTAL = Pattern(r"0*[0-7]{1,4}")
_SYMBOLIC = Pattern(r"[ugoa]*(?:[-+=](?:[rwxXst]*|[ugo]))+(?:,[ugoa]*(?:[-+=](?:[rwxXst]*|[ugo]))+)*")
_CHECKSUM = Pattern(r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}")
_COMMIT = Pattern(r"[0-9a-f]{7,64}")
_COPIES: Final = frozenset({"COPY", "ADD"})


def _is_relative(path: str, instruction: Instruction) -> bool:
    """Whether a path is certainly relative; one that starts with something unknown is not."""
    if not path or path[0] in ("/", HOLE):
        return False
    return not (_DRIVE.match(path) or (path[0] == "\\" and is_windows(instruction)))


def relative_workdir(stage: Stage, context: Context) -> Iterator[Match]:
    """Yield the first WORKDIR of a line of stages when it is relative; those after it are as sure as the first."""
    if stage.base is not None and "WORKDIR" in stage.base.effective:
        return
    for instruction in stage.instructions:
        if instruction.name == "WORKDIR" and instruction.words:
            word = instruction.words[0]
            path = partial(word, instruction)
            if _is_relative(path, instruction):
                yield Match(word.span, {"path": path.replace(HOLE, "…")})
            return


def relative_target(stage: Stage, context: Context) -> Iterator[Match]:
    """Yield the first copy to a relative target in a stage whose WORKDIR nobody set: neither this file nor, as far as is known, the
    base image."""
    if stage.base is not None and "WORKDIR" in stage.base.effective:
        return
    for instruction in stage.instructions:
        if instruction.name == "WORKDIR":
            return
        if instruction.name in _COPIES and len(instruction.words) > 1:
            word = instruction.words[-1]
            path = partial(word, instruction)
            if _is_relative(path, instruction):
                image = _name_if_at_root(stage)
                if image is not None and not is_windows(stage.origin):
                    yield Match(word.span, {"path": path.replace(HOLE, "…"), "image": image})
                return


def _name_if_at_root(stage: Stage) -> str | None:
    """Return the name of the image at the end of a line of stages when it is known to start in `/`."""
    from hardener.rules.known_images import starts_at_root

    while stage.base is not None:
        stage = stage.base
    image = stage.image
    return image.name if not image.is_scratch and isinstance(image.name, str) and starts_at_root(image.reference) else None


def _has_comment(words: tuple[Word, ...]) -> bool:
    return any(word.raw.startswith("#") for word in words)


def target_not_a_folder(instruction: Instruction, context: Context) -> Iterator[Match]:
    """Yield the target of a copy of several sources when it does not end as a folder does."""
    words = instruction.words
    if len(words) < 3 or _has_comment(words):
        return
    target = partial(words[-1], instruction)
    if not target or target[-1] in ("/", HOLE) or target in (".", "..") or target.endswith(("/.", "/..")):
        return
    if target[-1] == "\\" and is_windows(instruction):
        return
    if HEREDOC_WORD.match(words[-1].raw):
        return
    yield Match(words[-1].span, {"target": target.replace(HOLE, "…"), "count": str(len(words) - 1)})


def _sources(instruction: Instruction) -> Iterator[tuple[Word, str]]:
    """Yield the sources of a COPY or ADD that the file decides; heredocs are none."""
    words = instruction.words
    for word in words[:-1]:
        if instruction.heredocs and HEREDOC_WORD.match(word.raw):
            continue
        text = known(word, instruction)
        if text:
            yield word, text


def ignored_source(document: Dockerfile, context: Context) -> Iterator[Match]:
    """Yield sources that the ignore file beside the Dockerfile leaves out of the build context."""
    copies = [
        instruction for instruction in document.all_instructions() if instruction.name in _COPIES and instruction.flag("from") is None
    ]
    if not copies:
        return
    name = f"{posixpath.basename(document.file.path)}.dockerignore"  # goes before the one for all Dockerfiles
    text = context.neighbour(name)
    if text is None:
        name = ".dockerignore"
        text = context.neighbour(name)
    if text is None:
        return
    from hardener.rules.dockerignore import read

    ignored = read(text)
    if ignored is None:
        return
    for instruction in copies:
        for word, source in _sources(instruction):
            if _REMOTE.match(source):
                continue
            path = posixpath.normpath(source.replace("\\", "/") if is_windows(instruction) else source).lstrip("/")
            if path.startswith("../") or path == posixpath.basename(document.file.path):
                continue
            pattern = ignored.whole if path in ("", ".") else ignored.pattern(path)
            if pattern:
                yield Match(word.span, {"source": source, "pattern": pattern, "file": name})


def _is_mode(text: str) -> bool:
    return _OCTAL.fullmatch(text) is not None or _SYMBOLIC.fullmatch(text) is not None


def misused_flag(instruction: Instruction, context: Context) -> Iterator[Match]:
    """Yield values of --chmod and --checksum that the build refuses."""
    if not instruction.flags:
        return
    mode = instruction.flag("chmod")
    if mode is not None and mode.value and "$" not in mode.value and not _is_mode(mode.value):
        yield Match(mode.value_span, {"what": f"{mode.value!r} is no mode: octal digits such as 755, or u=rwX,go=rX"})
    checksum = instruction.flag("checksum")
    if instruction.name != "ADD" or checksum is None or not checksum.value:
        return
    sources = instruction.words[:-1]
    if len(sources) > 1 and not _has_comment(sources):
        yield Match(checksum.span, {"what": "--checksum takes one source, there are several"})
        return
    for _, source in _sources(instruction):
        if _GIT.match(source):
            expected, example = _COMMIT, "a commit id"
        elif _WEB.match(source):
            expected, example = _CHECKSUM, "sha256: and 64 hexadecimal digits"
        else:
            yield Match(checksum.span, {"what": "--checksum is for sources from the net, and this one is a local file"})
            continue
        if "$" not in checksum.value and not expected.fullmatch(checksum.value):
            yield Match(checksum.value_span, {"what": f"{checksum.value!r} is no checksum here: {example}"})


def outside_context(instruction: Instruction, context: Context) -> Iterator[Match]:
    """Yield sources above the build context."""
    if instruction.flag("from") is not None:
        return
    for word, source in _sources(instruction):
        if source.startswith("..") and (posixpath.normpath(source) + "/").startswith("../"):
            yield Match(word.span, {"source": source})


def remote_source(instruction: Instruction, context: Context) -> Iterator[Match]:
    """Yield remote sources of COPY."""
    for word, source in _sources(instruction):
        if _REMOTE.match(source):
            yield Match(word.span, {"source": source})


# A blank and `#`: only whole lines can be comments, so this is part of the argument.
_COMMENT = Pattern(r"[ \t]#")


def trailing_comment(instruction: Instruction, context: Context) -> Iterator[Match]:
    """Yield what was meant as a comment behind an instruction that has no shell to drop it."""
    match = _COMMENT.search(instruction.text)
    if match is None or instruction.json is not None:
        return
    start = match.end() - 1
    if instruction.name == "ARG" and not any(word.raw.startswith("#") for word in instruction.words):
        return  # inside quotes
    span: Span = instruction.rest.span(start, len(instruction.text))
    yield Match(span, {"name": instruction.name})


CHECKS: Final[Mapping[str, Check]] = {
    "HD821": relative_workdir,
    "HD822": relative_target,
    "HD823": target_not_a_folder,
    "HD824": ignored_source,
    "HD825": misused_flag,
    "HD826": outside_context,
    "HD827": remote_source,
    "HD832": trailing_comment,
}
