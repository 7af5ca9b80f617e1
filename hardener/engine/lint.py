"""Files x rules -> findings: read, parse, judge, and weigh each match against configuration and ignore comments.

The page to read for "what happens to my file":

    config    nearest file wins; decides which rules run and how severe they are
    document  parsed once; syntax trouble is a finding like any other
    matches   of every rule that runs (dispatch.py; for compose files and run lines services.py and dispatch_services.py)
    ignores   a comment may suppress a match, unless the configuration forbids it
    finding   the match with its place, its lines and a fingerprint that survives moved lines
"""

import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from hardener.engine import ignores, parallel, targets
from hardener.engine.config import Config
from hardener.engine.configs import Configs
from hardener.engine.outcome import Outcome, finish
from hardener.engine.ready import Crash, Judged
from hardener.engine.selection import Selector
from hardener.engine.targets import FILE, Target
from hardener.finding import FileError, Finding, Location, Match, Rule, Severity, Suppressed, locate
from hardener.record import NamedTuple
from hardener.rules.load import RuleSource, custom
from hardener.text import Place, SourceFile, Span

if TYPE_CHECKING:
    from hardener.engine import shellcheck
    from hardener.engine.dispatch import Dispatch
    from hardener.engine.dispatch_images import ImageDispatch
    from hardener.engine.dispatch_services import ServiceDispatch
    from hardener.engine.ready import Ready
    from hardener.engine.services import ServiceJudge
    from hardener.sources import compose
    from hardener.sources.dockerfile import Dockerfile

WORTH_A_FORK: Final = 24
"""Files from which on a second process pays: starting one costs about as much as ten files."""


WORTH_A_LOOK: Final = 4
"""Files that are judged before that."""


class Options(NamedTuple):
    """What one run is told beyond the configuration."""

    today: str  # ISO date, for ignores that expire
    honour_ignores: bool = True
    warn_ignores: bool = False  # report ignores that are unused, expired or without a reason
    fingerprints: bool = True  # work them out: for reports that carry them, and for baselines
    jobs: int = 1
    shellcheck: str | None = None  # path of the program; None: do without
    stdin: Callable[[], bytes] | None = None
    cwd: str = ""  # absolute; what the paths in reports are relative to
    compose: "compose.Options | None" = None  # how compose files are read; None: as `docker compose up` would without options


class _Plan:
    """The rules that run under one configuration."""

    __slots__ = ("_chosen", "_dispatch", "_images", "_secrets", "_services", "selector", "settings", "severities")

    def __init__(self, config: Config, builtin: Sequence[RuleSource]) -> None:
        sources = list(builtin)
        if config.rules:
            sources += custom(config.rules, builtin)
        self.selector = Selector([source.rule for source in sources])
        config.check(self.selector)
        self.severities: dict[str, Severity] = {}
        chosen = []
        for source in sources:
            severity = config.severity(source.rule, self.selector)
            if severity is not None:
                self.severities[source.rule.id] = severity
                chosen.append(source)
        self._chosen = chosen
        self._dispatch: Dispatch | None = None
        self._services: ServiceDispatch | None = None
        self._secrets: dict[str, Ready] | None = None
        self._images: ImageDispatch | None = None
        self.settings = config.rule_settings

    @property
    def dispatch(self) -> "Dispatch":
        """The rules on Dockerfiles."""
        if self._dispatch is None:
            from hardener.engine.dispatch import Dispatch  # late, as below: many runs see compose files only

            self._dispatch = Dispatch(self._chosen)
        return self._dispatch

    @property
    def services(self) -> "ServiceDispatch":
        """The rules on services."""
        if self._services is None:
            from hardener.engine.dispatch_services import ServiceDispatch  # late: many runs see Dockerfiles only

            self._services = ServiceDispatch(self._chosen)
        return self._services

    @property
    def secrets(self) -> "dict[str, Ready]":
        """The rules on credentials in files, by id."""
        if self._secrets is None:
            from hardener.engine.secrets import rules

            self._secrets = rules(self._chosen)
        return self._secrets

    @property
    def images(self) -> "ImageDispatch":
        """The rules on images."""
        if self._images is None:
            from hardener.engine.dispatch_images import ImageDispatch

            self._images = ImageDispatch(self._chosen)
        return self._images

    def images_of(self, prefix: str) -> "ImageDispatch":
        """The rules on images whose ids begin so."""
        if not prefix:
            return self.images
        from hardener.engine.dispatch_images import ImageDispatch

        return ImageDispatch([source for source in self._chosen if source.rule.id.startswith(prefix)])

    def severity(self, result: Judged) -> Severity | None:
        """Return how severe a match is under this configuration; None when its rule does not run here."""
        severity = self.severities.get(result.rule.id)
        if severity is not None and result.match.severity is not None and severity == result.rule.severity:
            return result.match.severity
        return severity


class Linter:
    """Judges files one after another; what two files share is worked out once."""

    def __init__(self, configs: Configs, builtin: Sequence[RuleSource], options: Options, targets: Sequence[Target] = ()) -> None:
        self.options = options
        self.paths = {target.file: target.path for target in targets}  # how reports name the files that are judged anyway
        self._configs = configs
        self._builtin = builtin
        self._plans: dict[int, tuple[Config, _Plan]] = {}
        self._neighbours: dict[str, str | None] = {}
        self._services: ServiceJudge | None = None

    def config(self, file: str) -> Config:
        """Return what applies to a file, by its absolute path."""
        return self._configs.for_file(file)

    def plan(self, config: Config) -> _Plan:
        """Return the rules that run under a configuration."""
        found = self._plans.get(id(config))
        if found is None:  # the configuration is kept beside its plan, so that its id stays its own
            found = self._plans[id(config)] = (config, _Plan(config, self._builtin))
        return found[1]

    def judge_all(self, files: Iterable[Target]) -> Outcome:
        """Judge files in order."""
        outcome = Outcome([], [], [], [], {}, {})
        for target in files:
            self.judge(target, outcome)
        return outcome

    def judge(self, target: Target, outcome: Outcome) -> None:
        """Judge one file, or one compose project, and add what comes of it to `outcome`."""
        if target.kind == FILE:
            from hardener.engine import secrets

            secrets.judge(self, target, outcome)
            return
        if target.kind != "dockerfile":
            if self._services is None:
                from hardener.engine.services import ServiceJudge

                self._services = ServiceJudge(self)
            self._services.judge(target, outcome)
            return
        file = self.read(target)
        if isinstance(file, FileError):
            outcome.errors.append(file)
        else:
            self.judge_dockerfile(target, file, outcome)

    def judge_dockerfile(self, target: Target, file: SourceFile, outcome: Outcome) -> None:
        """Judge the text of a Dockerfile."""
        opened = self.open(target, file)
        self.judge_document(opened.document, opened, outcome, is_stdin=target.is_stdin)
        outcome.notices.extend(opened.notices(opened.plan.dispatch.rules))

    def judge_document(self, document: "Dockerfile", opened: "Opened", outcome: Outcome, *, is_stdin: bool = False) -> None:
        """Judge a Dockerfile that was parsed; `opened` is the file that findings are reported in."""
        from hardener.rules.context import Context, no_neighbour

        plan = opened.plan
        outcome.files[opened.path] = opened.absolute
        for rule in plan.dispatch.rules:
            outcome.rules[rule.id] = rule
        neighbour = no_neighbour if is_stdin else self._neighbour_of(os.path.dirname(opened.absolute))
        opened.weigh_all(plan.dispatch.judge(Context(document, plan.settings, neighbour)), outcome)
        if opened.config.images is not None:
            from hardener.engine import image_demands  # late: few policies ask for it

            for result in image_demands.judge_dockerfile(opened.config.images, document):
                opened.weigh_demand(result, outcome)

    def read(self, target: Target) -> SourceFile | FileError:
        """Return the text of a target's file."""
        if not target.is_stdin:
            return targets.read(target)
        return targets.decode(target, self.options.stdin() if self.options.stdin is not None else b"")

    def open(self, target: Target, file: SourceFile) -> "OpenedDockerfile":
        """Parse a Dockerfile, and find out what applies to it."""
        from hardener.sources import dockerfile

        config = self.config(target.file)
        document = dockerfile.parse(file, config.build_args)
        comments = None
        if self.options.honour_ignores:
            selector = self.plan(config).selector
            comments = ignores.read(document, selector, today=self.options.today, forbidden=config.forbidden_ignores)
        return OpenedDockerfile(document, target.file, config, self.plan(config), comments, self.options)

    def _neighbour_of(self, folder: str) -> Callable[[str], str | None]:
        def read(name: str) -> str | None:
            """Return a file beside the Dockerfile; nothing outside of its folder is ever opened."""
            path = os.path.normpath(os.path.join(folder, name))
            if not path.startswith(folder.rstrip(os.sep) + os.sep):
                return None
            if path not in self._neighbours:
                found = targets.read(Target(name, path)) if os.path.isfile(path) else None
                self._neighbours[path] = found.text if isinstance(found, SourceFile) else None
            return self._neighbours[path]

        return read


class Opened:
    """A file that findings are reported in, with what applies to it. `image`: the image that they are about, without tag and digest."""

    __slots__ = ("_comments", "_image", "_options", "absolute", "config", "file", "path", "plan")

    def __init__(
        self,
        file: SourceFile,
        absolute: str,
        config: Config,
        plan: _Plan,
        comments: ignores.Ignores | None,
        options: Options,
        *,
        image: str = "",
    ) -> None:
        self._image = image
        self.file = file
        self.path = file.path
        self.absolute = absolute
        self.config = config
        self.plan = plan
        self._comments = comments
        self._options = options

    def weigh_all(self, results: Iterable[Judged | Crash], outcome: Outcome) -> None:
        """Turn matches into findings, each rule once at each place, in the order of positions."""
        judged: dict[tuple[str, int, int], Judged] = {}
        for result in results:
            if isinstance(result, Crash):
                outcome.errors.append(crash_error(result, self.path))
            else:
                judged.setdefault((result.rule.id, *result.match.span), result)
        for result in sorted(judged.values(), key=_order):
            severity = self.plan.severity(result)
            if severity is not None:
                self.weigh(result, severity, outcome)

    def weigh(self, result: Judged, severity: Severity, outcome: Outcome) -> None:
        """Turn a match into a finding, reported or suppressed."""
        rule, match = result.rule, result.match
        file = self.file
        finding = Finding(
            rule,
            severity,
            result.message,
            locate(file, match.span),
            "",
            tuple((_locate(file, where), text) for where, text in match.related),
            match.fix,
            tuple((locate(file, edit.span), edit.text) for edit in match.fix.edits) if match.fix is not None else (),
            self._image,
            match.about,
        )
        ignore = self._ignore(rule, match)
        if ignore is None:
            outcome.findings.append(finding)
        else:
            outcome.suppressed.append(Suppressed(finding, "inline", ignore.reason, ignore.expires))

    def weigh_demand(self, result: Judged, outcome: Outcome) -> None:
        """Turn what a policy asks for beyond rules into a finding: no comment ignores it, and no configuration changes its severity."""
        outcome.rules[result.rule.id] = result.rule
        Opened(self.file, self.absolute, self.config, self.plan, None, self._options).weigh(result, result.rule.severity, outcome)

    def _ignore(self, rule: Rule, match: Match) -> ignores.Ignore | None:
        if self._comments is None:
            return None
        spans = [match.span]
        for anchor in match.anchors:
            if not isinstance(anchor, Place):
                spans.append(anchor)
            elif anchor.file.path == self.path:
                spans.append(anchor.span)
        return self._comments.match(rule, spans)

    def notices(self, ran: Iterable[Rule]) -> list[str]:
        """Return what there is to say about the ignore comments themselves; `ran` are the rules that an unused one may be reported for."""
        comments = self._comments
        if comments is None:
            return []
        notices = list(comments.notices)
        if self._options.warn_ignores or self.config.require_reason:
            notices += comments.reasonless()
        if self._options.warn_ignores:
            notices += comments.unused(ran) + comments.expired()
        return [f"{self.file.at(notice.span)}: {notice.message}" for notice in sorted(notices, key=lambda item: item.span)]


class OpenedDockerfile(Opened):
    """A Dockerfile being judged."""

    __slots__ = ("document",)

    def __init__(
        self, document: "Dockerfile", absolute: str, config: Config, plan: _Plan, comments: ignores.Ignores | None, options: Options
    ) -> None:
        super().__init__(document.file, absolute, config, plan, comments, options)
        self.document = document


def crash_error(crash: Crash, path: str) -> FileError:
    """Return what is reported of a rule that raised."""
    return FileError(path, 0, f"{crash.rule.id} failed on {crash.subject}: {crash.error}", "internal")


def _locate(file: SourceFile, where: Span | Place) -> Location:
    return locate(where.file, where.span) if isinstance(where, Place) else locate(file, where)


def _order(result: Judged) -> tuple[int, int, str]:
    return (result.match.span.start, result.match.span.end, result.rule.id)


def lint(files: Sequence[Target], configs: Configs, builtin: Sequence[RuleSource], options: Options) -> Outcome:
    """Judge files, over several processes where that pays; findings come back sorted by path and position."""
    linter = Linter(configs, builtin, options, files)
    if options.shellcheck is None or all(target.kind != "dockerfile" for target in files):
        whole = _lint(linter, files, options.jobs)
    else:
        whole = _lint_with_shellcheck(linter, files, builtin, options.shellcheck)
    finish(whole, fingerprints=options.fingerprints)
    return whole


def _lint(linter: Linter, files: Sequence[Target], jobs: int) -> Outcome:
    jobs = min(jobs, len(files) // WORTH_A_FORK + 1) if parallel.can_fork() else 1
    if jobs == 1:
        return linter.judge_all(files)
    # The first files are judged before others join in: what they make us import and compile, the processes share.
    whole = linter.judge_all(files[:WORTH_A_LOOK])
    for part in parallel.spread(linter.judge_all, files[WORTH_A_LOOK:], jobs):
        whole.join(part)
    return whole


def _lint_with_shellcheck(linter: Linter, files: Sequence[Target], builtin: Sequence[RuleSource], program: str) -> Outcome:
    """Judge files while ShellCheck judges the scripts in them."""
    from hardener.engine import shellcheck

    jobs = linter.options.jobs
    base = next((source for source in builtin if source.rule.on == shellcheck.KIND), None)
    if base is None:
        return _lint(linter, files, jobs)
    opened = [
        linter.open(target, file) for target in files if target.kind == "dockerfile" and isinstance(file := linter.read(target), SourceFile)
    ]
    run = shellcheck.Run(program, [list(shellcheck.scripts(found.document)) for found in opened])
    try:
        whole = _lint(linter, files, jobs)
        for found, comments in zip(opened, run.comments(), strict=True):
            _add_shell_findings(found, base, comments, whole)
    finally:
        run.close()
    return whole


def _add_shell_findings(opened: OpenedDockerfile, base: RuleSource, comments: "Iterable[shellcheck.Comment]", outcome: Outcome) -> None:
    from hardener.engine import shellcheck

    for comment in sorted(comments, key=lambda item: (item.span, item.code)):
        rule = shellcheck.rule_for(base, comment)
        severity = opened.config.severity(rule, opened.plan.selector)
        if severity is not None:
            outcome.rules[rule.id] = rule
            opened.weigh(Judged(rule, Match(comment.span), comment.message), severity, outcome)
