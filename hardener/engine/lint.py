"""Files x rules -> findings: read, parse, judge, and weigh each match against configuration and ignore comments.

The page to read for "what happens to my file":

    config    nearest file wins; decides which rules run and how severe they are
    document  parsed once; syntax trouble is a finding like any other
    matches   of every rule that runs (dispatch.py)
    ignores   a comment may suppress a match, unless the configuration forbids it
    finding   the match with its place, its lines and a fingerprint that survives moved lines
"""

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from hardener.engine import ignores, parallel, shellcheck, targets
from hardener.engine.baseline import fingerprint
from hardener.engine.config import Config
from hardener.engine.configs import Configs
from hardener.engine.dispatch import Crash, Dispatch, Judged
from hardener.engine.selection import Selector
from hardener.engine.targets import Target
from hardener.finding import FileError, Finding, Match, Rule, Severity, Suppressed, locate
from hardener.record import NamedTuple
from hardener.rules.context import Context, Settings, no_neighbour
from hardener.rules.load import RuleSource, custom
from hardener.sources import dockerfile
from hardener.sources.dockerfile import Dockerfile
from hardener.text import SourceFile

WORTH_A_FORK: Final = 24
"""Files from which on a second process pays: starting one costs about as much as ten files."""


class Options(NamedTuple):
    """What one run is told beyond the configuration."""

    today: str  # ISO date, for ignores that expire
    honour_ignores: bool = True
    warn_ignores: bool = False  # report ignores that are unused, expired or without a reason
    fingerprints: bool = True  # work them out: for reports that carry them, and for baselines
    jobs: int = 1
    shellcheck: str | None = None  # path of the program; None: do without
    stdin: Callable[[], bytes] | None = None


class Outcome(NamedTuple):
    """What came of some files."""

    findings: list[Finding]
    suppressed: list[Suppressed]
    errors: list[FileError]
    notices: list[str]
    rules: dict[str, Rule]  # that ran on at least one file


class _Plan:
    """The rules that run under one configuration."""

    __slots__ = ("dispatch", "selector", "settings", "severities")

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
        self.dispatch = Dispatch(chosen)
        self.settings = Settings(tuple(config.trusted_registries), dict(config.required_labels), config.strict_labels)


class Linter:
    """Judges files one after another; what two files share is worked out once."""

    def __init__(self, configs: Configs, builtin: Sequence[RuleSource], options: Options) -> None:
        self._configs = configs
        self._builtin = builtin
        self._options = options
        self._plans: dict[int, tuple[Config, _Plan]] = {}
        self._neighbours: dict[str, str | None] = {}

    def plan(self, config: Config) -> _Plan:
        """Return the rules that run under a configuration."""
        found = self._plans.get(id(config))
        if found is None:  # the configuration is kept beside its plan, so that its id stays its own
            found = self._plans[id(config)] = (config, _Plan(config, self._builtin))
        return found[1]

    def judge_all(self, files: Iterable[Target]) -> Outcome:
        """Judge files in order."""
        outcome = Outcome([], [], [], [], {})
        for target in files:
            self.judge(target, outcome)
        return outcome

    def judge(self, target: Target, outcome: Outcome) -> None:
        """Judge one file and add what comes of it to `outcome`."""
        opened = self.open(target)
        if isinstance(opened, FileError):
            outcome.errors.append(opened)
            return
        plan = opened.plan
        for rule in plan.dispatch.rules:
            outcome.rules[rule.id] = rule
        neighbour = no_neighbour if target.is_stdin else self._neighbour_of(os.path.dirname(target.file))
        judged: dict[tuple[str, int, int], Judged] = {}
        for result in plan.dispatch.judge(Context(opened.document, plan.settings, neighbour)):
            if isinstance(result, Crash):
                message = f"{result.rule.id} failed on {result.subject}: {result.error}"
                outcome.errors.append(FileError(target.path, 0, message, "internal"))
            else:
                judged.setdefault((result.rule.id, *result.match.span), result)
        for result in sorted(judged.values(), key=_order):
            severity = plan.severities[result.rule.id]
            if result.match.severity is not None and severity == result.rule.severity:
                severity = result.match.severity
            opened.weigh(result, severity, outcome)
        outcome.notices.extend(opened.notices())

    def open(self, target: Target) -> "_Opened | FileError":
        """Read and parse one file, and find out what applies to it."""
        config = self._configs.for_file(target.file)
        if target.is_stdin:
            data = self._options.stdin() if self._options.stdin is not None else b""
            file = targets.decode(target, data)
        else:
            file = targets.read(target)
        if isinstance(file, FileError):
            return file
        return _Opened(dockerfile.parse(file, config.build_args), config, self.plan(config), self._options)

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


class _Opened:
    """One file being judged."""

    __slots__ = ("_comments", "_options", "_seen", "config", "document", "plan")

    def __init__(self, document: Dockerfile, config: Config, plan: _Plan, options: Options) -> None:
        self.document = document
        self.config = config
        self.plan = plan
        self._options = options
        self._comments = (
            ignores.read(document, plan.selector, today=options.today, forbidden=config.forbidden_ignores)
            if options.honour_ignores
            else None
        )
        self._seen: dict[tuple[str, str], int] = {}  # how often a rule met a text, for fingerprints

    def weigh(self, result: Judged, severity: Severity, outcome: Outcome) -> None:
        """Turn a match into a finding, reported or suppressed. Call it in the order of positions."""
        rule, match = result.rule, result.match
        file = self.document.file
        location = locate(file, match.span)
        finding = Finding(
            rule,
            severity,
            result.message,
            location,
            fingerprint(rule, location, self._seen) if self._options.fingerprints else "",
            tuple((locate(file, span), text) for span, text in match.related),
            match.fix,
            tuple((locate(file, edit.span), edit.text) for edit in match.fix.edits) if match.fix is not None else (),
        )
        ignore = self._comments.match(rule, (match.span, *match.anchors)) if self._comments is not None else None
        if ignore is None:
            outcome.findings.append(finding)
        else:
            outcome.suppressed.append(Suppressed(finding, "inline", ignore.reason, ignore.expires))

    def notices(self) -> list[str]:
        """Return what there is to say about the ignore comments themselves."""
        comments = self._comments
        if comments is None:
            return []
        notices = list(comments.notices)
        if self._options.warn_ignores or self.config.require_reason:
            notices += comments.reasonless()
        if self._options.warn_ignores:
            notices += comments.unused(self.plan.dispatch.rules) + comments.expired()
        file = self.document.file
        return [f"{file.at(notice.span)}: {notice.message}" for notice in sorted(notices, key=lambda item: item.span)]


def _order(result: Judged) -> tuple[int, int, str]:
    return (result.match.span.start, result.match.span.end, result.rule.id)


def lint(files: Sequence[Target], configs: Configs, builtin: Sequence[RuleSource], options: Options) -> Outcome:
    """Judge files, over several processes where that pays; findings come back sorted by path and position."""
    linter = Linter(configs, builtin, options)
    base = next((source for source in builtin if source.rule.on == shellcheck.KIND), None)
    if options.shellcheck is None or base is None:
        return _lint(linter, files, options.jobs)
    opened = [(target, found) for target in files if isinstance(found := linter.open(target), _Opened)]
    run = shellcheck.Run(options.shellcheck, [list(shellcheck.scripts(found.document)) for _, found in opened])
    try:
        whole = _lint(linter, files, options.jobs)
        for (target, found), comments in zip(opened, run.comments(), strict=True):
            _add_shell_findings(target, found, base, comments, whole)
    finally:
        run.close()
    _sort(whole, files)
    return whole


def _lint(linter: Linter, files: Sequence[Target], jobs: int) -> Outcome:
    jobs = min(jobs, len(files) // WORTH_A_FORK + 1) if parallel.can_fork() else 1
    outcomes = parallel.spread(linter.judge_all, files, jobs) if jobs > 1 else [linter.judge_all(files)]
    whole = outcomes[0]
    for part in outcomes[1:]:
        whole.findings.extend(part.findings)
        whole.suppressed.extend(part.suppressed)
        whole.errors.extend(part.errors)
        whole.notices.extend(part.notices)
        whole.rules.update(part.rules)
    if len(outcomes) > 1:
        _sort(whole, files)
    return whole


def _add_shell_findings(
    target: Target, opened: _Opened, base: RuleSource, comments: Iterable[shellcheck.Comment], outcome: Outcome
) -> None:
    for comment in sorted(comments, key=lambda item: (item.span, item.code)):
        rule = shellcheck.rule_for(base, comment)
        severity = opened.config.severity(rule, opened.plan.selector)
        if severity is not None:
            outcome.rules[rule.id] = rule
            opened.weigh(Judged(rule, Match(comment.span), comment.message), severity, outcome)


def _sort(outcome: Outcome, files: Sequence[Target]) -> None:
    order = {target.path: index for index, target in enumerate(files)}

    def key(finding: Finding) -> tuple[int, int, int, str]:
        return (order[finding.location.path], *finding.location.span, finding.rule.id)

    outcome.findings.sort(key=key)
    outcome.suppressed.sort(key=lambda item: key(item.finding))
    outcome.errors.sort()
    outcome.notices.sort()
