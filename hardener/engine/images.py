"""What a service's `build:` builds: the stage of its Dockerfile, target and arguments applied."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from hardener.text import SourceFile

if TYPE_CHECKING:
    from hardener.sources.dockerfile import Dockerfile
    from hardener.sources.service import Build, Files, Service
    from hardener.sources.stages import Stage


def stage_of(read: "Files") -> "Callable[[Service], Stage | None]":
    """Return a function that finds the stage of a service, each Dockerfile read once."""
    known: dict[int, Stage | None] = {}

    def find(service: "Service") -> "Stage | None":
        build = service.build
        if build is None:
            return None
        key = id(build)
        if key not in known:
            document = built(build, read)
            known[key] = document.stages[-1] if document is not None and document.stages else None
        return known[key]

    return find


def built(build: "Build", read: "Files") -> "Dockerfile | None":
    """Return the Dockerfile of a `build:` up to its target; None when it is not at hand or something unknown decides which it is.

    The Dockerfile of `dockerfile_inline` has the inline text as its file.
    """
    args = {}
    for variable in build.args:
        value = None if variable.value is None else variable.value.known
        if value is not None:
            args[variable.name] = value
    file: SourceFile | str | None
    if build.inline is not None:
        text = build.inline.known
        file = None if text is None else SourceFile(build.inline.place.file.path, text)
    else:
        path = None if build.dockerfile is None else build.dockerfile.known
        file = None if path is None else read(path)
    if not isinstance(file, SourceFile):
        return None
    from hardener.sources import dockerfile  # late: most services are not built here

    document = dockerfile.parse(file, args)
    if build.target is None:
        return document
    target = build.target.known
    if target is None:
        return None
    return _up_to(document, target, args)


def _up_to(document: "Dockerfile", target: str, args: dict[str, str]) -> "Dockerfile | None":
    """Return the Dockerfile without what stands behind its stage `target` (a name, or a number from 0); None when there is none such."""
    from hardener.sources import dockerfile

    wanted = target.lower()
    indexes = document.stages_by_name.get(wanted, ())
    if indexes:
        index = indexes[-1]
    elif wanted.isascii() and wanted.isdigit() and int(wanted) < len(document.stages):
        index = int(wanted)
    else:
        return None
    if index + 1 == len(document.stages):
        return document
    file = document.file
    end = document.stages[index + 1].origin.keyword.start
    return dockerfile.parse(SourceFile(file.path, file.text[:end]), args)
