"""Compose projects and run lines -> findings: the part of lint.py for documents that hold services.

A project may draw on many files, and a finding stands in the one that caused it: its configuration and its ignore comments count.
The Dockerfiles that services are built from are judged too, up to the stage that is built and with the arguments it is built with.
"""

import os
from typing import TYPE_CHECKING, Final

from hardener.engine import ignores, targets
from hardener.engine.images import built, stage_of
from hardener.engine.lint import Linter, Opened, crash_error
from hardener.engine.outcome import Outcome
from hardener.engine.ready import Crash, Judged
from hardener.engine.targets import UNDECIDED, Target
from hardener.finding import FileError, Match
from hardener.rules.context import ServiceContext
from hardener.text import Pattern, SourceFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hardener.engine.config import Config
    from hardener.sources.service import Build, Project

MAX_FILES: Final = 500
"""Files that one project may open; a real one has fewer than 20."""


_RUN_LINE: Final = Pattern(r"(?:[ \t]*(?:#[^\n]*)?\n)*[ \t]*(?:\$ )?(?:sudo[ \t]+)?(?:docker|podman|nerdctl)[ \t]")
"""How a text begins that is a command line, as it may be piped to `harden lint -`; no Dockerfile does."""


class ServiceJudge:
    """Judges compose projects and run lines for a linter."""

    def __init__(self, linter: Linter) -> None:
        self._linter = linter
        self._roots: dict[str, str] = {}

    def judge(self, target: Target, outcome: Outcome) -> None:
        """Judge one target and add what comes of it to `outcome`."""
        linter = self._linter
        file = linter.read(target)
        if isinstance(file, FileError):
            outcome.errors.append(file)
            return
        kind = target.kind
        if kind == UNDECIDED:
            kind = _kind_of(file, target)
            if kind == "dockerfile":
                linter.judge_dockerfile(target, file, outcome)
                return
        if kind == "compose" and target.is_found and _is_foreign(file, target):
            return
        files = _Files(linter, target, file, _root(os.path.dirname(target.file), linter.options.cwd, self._roots))
        if kind == "compose":
            project = self._compose(target, file, files, outcome)
        elif kind:
            from hardener.sources import runline

            project = runline.find(file, kind, os.path.dirname(target.file))
        else:
            outcome.errors.append(FileError(target.path, 0, "is neither a Dockerfile, a compose file nor a file with `docker run` lines"))
            return
        if project is not None:
            self.judge_project(project, target, files, outcome)

    def judge_project(self, project: "Project", target: Target, files: "_Files", outcome: Outcome) -> None:
        """Judge services that were read."""
        linter = self._linter
        opened = _OpenedFiles(linter, files, target)
        own = opened.of(project.file)
        plan = own.plan
        for rule in plan.services.rules:
            outcome.rules[rule.id] = rule
        for file in project.files:
            outcome.files[file.path] = files.absolute(file)
        context = ServiceContext(project, plan.settings, stage_of(files), files.text)
        by_file: dict[str, list[Judged]] = {}
        for result in plan.services.judge(context):
            if isinstance(result, Crash):
                outcome.errors.append(crash_error(result, project.file.path))
            else:
                file = result.match.file or project.file
                outcome.files.setdefault(file.path, opened.of(file).absolute)
                by_file.setdefault(file.path, []).append(result)
        for service in project.services:
            if service.build is not None:
                self._dockerfile(service.build, files, opened, by_file, outcome)
        for path, results in by_file.items():
            opened.at(path).weigh_all(results, outcome)
        for result in self._demands(own.config, project):
            opened.of(result.match.file or project.file).weigh_demand(result, outcome)
        outcome.notices.extend(opened.notices())

    def _demands(self, config: "Config", project: "Project") -> "Iterator[Judged]":
        """Yield what a policy asks of containers and of images beyond rules."""
        if config.runtime is not None:
            from hardener.engine import runtime_demands  # late: few policies ask for it

            yield from runtime_demands.judge(config.runtime, project)
        if config.images is not None:
            from hardener.engine import image_demands  # likewise

            yield from image_demands.judge_services(config.images, project)

    def _compose(self, target: Target, file: SourceFile, files: "_Files", outcome: Outcome) -> "Project | None":
        from hardener.sources import compose

        layers = [file]
        for path, absolute in target.layers:
            layer = self._linter.read(Target(path, absolute))
            if isinstance(layer, FileError):
                outcome.errors.append(layer)
                return None
            files.add(layer, absolute)
            layers.append(layer)
        folder = os.path.dirname(target.file)
        if not target.layers and not target.exact and not target.is_stdin:
            base = self._base(target, file, files)
            if base is not None:
                layers.insert(0, base)
        return compose.load(layers, folder, files, self._linter.options.compose or compose.Options())

    def _base(self, target: Target, file: SourceFile, files: "_Files") -> SourceFile | None:
        """Return the file that a file such as compose.prod.yaml is laid over: the project's own, when it is no project by itself."""
        from hardener.sources.compose import discover

        if not discover.layers(file):
            return None
        folder, name = os.path.split(target.file)
        try:
            names = [entry for entry in os.listdir(folder) if entry != name]
        except OSError:
            return None
        first = next((group[0] for group in discover.candidates(names) if discover.is_default_name(group[0])), None)
        found = None if first is None else files(os.path.join(folder, first))
        return found if isinstance(found, SourceFile) else None

    def _dockerfile(
        self, build: "Build", files: "_Files", opened: "_OpenedFiles", by_file: dict[str, list[Judged]], outcome: Outcome
    ) -> None:
        """Judge the Dockerfile of a service, unless it is judged anyway and nothing is built differently here."""
        linter = self._linter
        path = None if build.dockerfile is None else build.dockerfile.known
        if build.inline is None and path in linter.paths and build.target is None and not build.args:
            return
        document = built(build, files)
        if document is None:
            return
        inline = build.inline
        if inline is None:
            absolute = files.absolute(document.file)
            whole = files(absolute)  # the document may be cut behind its target stage; comments count wherever they stand
            if isinstance(whole, SourceFile):
                linter.judge_document(document, linter.open(Target(whole.path, absolute), whole), outcome)
            return
        # The inline text is a piece of the compose file: its findings are moved there.
        place = opened.of(inline.place.file)
        part = Outcome([], [], [], [], {}, {})
        linter.judge_document(document, Opened(document.file, place.absolute, place.config, place.plan, None, linter.options), part)
        outcome.errors.extend(part.errors)
        outcome.rules.update(part.rules)
        view = inline.view
        moves = []
        for finding in part.findings:
            span = inline.place.span if view is None else view.span(*finding.location.span)
            moves.append(Judged(finding.rule, Match(span, severity=finding.severity), finding.message))
        by_file.setdefault(place.path, []).extend(moves)


class _Files:
    """Opens the files of a project: those it names, and no others outside of the repository (or folder) that it lies in."""

    def __init__(self, linter: Linter, target: Target, file: SourceFile, root: str) -> None:
        self._linter = linter
        self._target = target
        self._known: dict[str, SourceFile | str | None] = {}
        self._absolute: dict[str, str] = {}
        self._root = root
        self.add(file, target.file)

    def add(self, file: SourceFile, absolute: str) -> None:
        """Take in a file that was opened already."""
        self._known[absolute] = file
        self._absolute[file.path] = absolute

    def __call__(self, path: str) -> SourceFile | str | None:
        """Return the file at an absolute path; None when there is none; a reason when it cannot or may not be read."""
        path = os.path.normpath(path)
        if path not in self._known:
            self._known[path] = self._open(path)
        return self._known[path]

    def _open(self, path: str) -> SourceFile | str | None:
        if self._target.is_stdin:
            return "nothing beside standard input is read"
        real = os.path.realpath(path)
        if not (real + os.sep).startswith(self._root.rstrip(os.sep) + os.sep):
            return "it lies outside of the project, where nothing is read"
        if not os.path.lexists(path):
            return None
        if len(self._known) >= MAX_FILES:
            return f"the project names more than {MAX_FILES} files"
        shown = self._linter.paths.get(path) or self._shown(path)
        found = targets.read(Target(shown, path))
        if isinstance(found, FileError):
            return found.message
        self._absolute[shown] = path
        return found

    def _shown(self, path: str) -> str:
        if os.path.isabs(self._target.path):
            return path
        return os.path.relpath(path, self._linter.options.cwd)

    def text(self, path: str) -> str | None:
        """Return the text of a file, or None when it is not at hand."""
        found = self(path)
        return found.text if isinstance(found, SourceFile) else None

    def absolute(self, file: SourceFile) -> str:
        """Return the absolute path of a file that was opened here."""
        return self._absolute.get(file.path, self._target.file)


class _OpenedFiles:
    """The files in which one project's findings stand."""

    def __init__(self, linter: Linter, files: _Files, target: Target) -> None:
        self._linter = linter
        self._files = files
        self._target = target
        self._opened: dict[str, Opened] = {}

    def of(self, file: SourceFile) -> Opened:
        """Return what applies to a file."""
        found = self._opened.get(file.path)
        if found is None:
            linter = self._linter
            absolute = self._files.absolute(file)
            config = linter.config(absolute)
            plan = linter.plan(config)
            comments = None
            if linter.options.honour_ignores:
                comments = ignores.read_lines(file, plan.selector, today=linter.options.today, forbidden=config.forbidden_ignores)
            found = self._opened[file.path] = Opened(file, absolute, config, plan, comments, linter.options)
        return found

    def at(self, path: str) -> Opened:
        """Return what applies to a file that was asked for before."""
        return self._opened[path]

    def notices(self) -> "Iterable[str]":
        """Yield what there is to say about the ignore comments of all files."""
        for opened in self._opened.values():
            # An ignore in a file that several projects share may be of use in another of them.
            ran = opened.plan.services.rules if opened.path == self._target.path and not self._target.layers else ()
            yield from opened.notices(ran)


def _kind_of(file: SourceFile, target: Target) -> str:
    """Return what a file is whose name says nothing: by its content, and a Dockerfile when that says nothing either."""
    from hardener.sources import runline
    from hardener.sources.compose import discover

    name = os.path.basename(target.file).lower()
    if discover.is_compose(file):
        return "compose"
    if name.endswith((".yml", ".yaml", ".json")):
        return ""
    first = file.text.partition("\n")[0]
    if first.startswith("#!") and ("sh" in first):
        return runline.kind_of("script.sh") or ""
    if _RUN_LINE.match(file.text) is not None:
        return "shell"
    return "dockerfile"


def _is_foreign(file: SourceFile, target: Target) -> bool:
    """Whether a file that is called a stack or a compose file is something else: CloudFormation, Pulumi and Terraform have stacks, too."""
    from hardener.sources.compose import discover

    if discover.is_stack_name(os.path.basename(target.file)):
        return not discover.is_compose(file)
    return not discover.resembles(file)


def _root(folder: str, cwd: str, known: dict[str, str]) -> str:
    """Return the folder that a project's files may come from: its repository, else where the run was started, else its own folder.

    `known` keeps the repositories of folders, "" for none: those of a run share their parents.
    """
    at = folder
    passed = []
    while at not in known:
        passed.append(at)
        parent = os.path.dirname(at)
        if os.path.lexists(os.path.join(at, ".git")):
            known[at] = os.path.realpath(at)
        elif parent == at:
            known[at] = ""
        else:
            at = parent
    repository = known[at]
    known.update(dict.fromkeys(passed, repository))
    inside = cwd and (folder + os.sep).startswith(cwd.rstrip(os.sep) + os.sep)
    return repository or os.path.realpath(cwd if inside else folder)
