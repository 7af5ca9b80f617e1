"""Files x rules -> findings: read, parse, judge, and weigh each match against configuration and ignore comments.

The page to read for "what happens to my file":

    config    nearest file wins; decides which rules run and how severe they are
    document  parsed once; syntax trouble is a finding like any other
    matches   of every rule that runs (dispatch.py)
    ignores   a comment may suppress a match, unless the configuration forbids it
    finding   the match with its place, its lines and a fingerprint that survives moved lines
"""

import gc
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from hardener.engine import ignores, parallel, targets
from hardener.engine.baseline import fingerprint
from hardener.engine.config import Config
from hardener.engine.configs import Configs
from hardener.engine.dispatch import Crash, Dispatch, Judged
from hardener.engine.selection import Selector
from hardener.engine.targets import Target
from hardener.finding import FileError, Finding, Rule, Severity, Suppressed, locate
from hardener.rules.context import Context, Settings, no_neighbour
from hardener.rules.load import RuleSource, custom
from hardener.sources import dockerfile
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
        # Documents are full of cycles; the default thresholds would spend a fifth of the run looking for them.
        thresholds = gc.get_threshold()
        gc.set_threshold(30_000, 20, 50)
        try:
            for target in files:
                self.judge(target, outcome)
        finally:
            gc.set_threshold(*thresholds)
        return outcome

    def judge(self, target: Target, outcome: Outcome) -> None:
        """Judge one file and add what comes of it to `outcome`."""
        config = self._configs.for_file(target.file)
        plan = self.plan(config)
        for rule in plan.dispatch.rules:
            outcome.rules[rule.id] = rule
        if target.is_stdin:
            data = self._options.stdin() if self._options.stdin is not None else b""
            file = targets.decode(target, data)
        else:
            file = targets.read(target)
        if isinstance(file, FileError):
            outcome.errors.append(file)
            return
        self.judge_text(file, target, config, plan, outcome)

    def judge_text(self, file: SourceFile, target: Target, config: Config, plan: _Plan, outcome: Outcome) -> None:
        """Judge the text of one file."""
        options = self._options
        document = dockerfile.parse(file, config.build_args)
        neighbour = no_neighbour if target.is_stdin else self._neighbour_of(os.path.dirname(target.file))
        judged: dict[tuple[str, int, int], Judged] = {}
        for result in plan.dispatch.judge(Context(document, plan.settings, neighbour)):
            if isinstance(result, Crash):
                message = f"{result.rule.id} failed on {result.subject}: {result.error}"
                outcome.errors.append(FileError(file.path, 0, message, "internal"))
            else:
                judged.setdefault((result.rule.id, *result.match.span), result)
        comments = (
            ignores.read(document, plan.selector, today=options.today, forbidden=config.forbidden_ignores)
            if options.honour_ignores
            else None
        )
        seen: dict[tuple[str, str], int] = {}
        for result in sorted(judged.values(), key=_order):
            rule, match = result.rule, result.match
            severity = plan.severities[rule.id]
            if match.severity is not None and severity == rule.severity:
                severity = match.severity
            location = locate(file, match.span)
            finding = Finding(
                rule,
                severity,
                result.message,
                location,
                fingerprint(rule, location, seen) if options.fingerprints else "",
                tuple((locate(file, span), text) for span, text in match.related),
                match.fix,
            )
            ignore = comments.match(rule, (match.span, *match.anchors)) if comments is not None else None
            if ignore is None:
                outcome.findings.append(finding)
            else:
                outcome.suppressed.append(Suppressed(finding, "inline", ignore.reason, ignore.expires))
        if comments is not None:
            notices = list(comments.notices)
            if options.warn_ignores or config.require_reason:
                notices += comments.reasonless()
            if options.warn_ignores:
                notices += comments.unused(plan.dispatch.rules) + comments.expired()
            outcome.notices.extend(f"{file.at(notice.span)}: {notice.message}" for notice in sorted(notices, key=lambda item: item.span))

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


def _order(result: Judged) -> tuple[int, int, str]:
    return (result.match.span.start, result.match.span.end, result.rule.id)


def lint(files: Sequence[Target], configs: Configs, builtin: Sequence[RuleSource], options: Options) -> Outcome:
    """Judge files, over several processes where that pays; findings come back sorted by path and position."""
    jobs = min(options.jobs, len(files) // WORTH_A_FORK + 1) if parallel.can_fork() else 1
    linter = Linter(configs, builtin, options)
    outcomes = parallel.spread(linter.judge_all, files, jobs) if jobs > 1 else [linter.judge_all(files)]
    whole = outcomes[0]
    for part in outcomes[1:]:
        whole.findings.extend(part.findings)
        whole.suppressed.extend(part.suppressed)
        whole.errors.extend(part.errors)
        whole.notices.extend(part.notices)
        whole.rules.update(part.rules)
    if len(outcomes) > 1:
        order: Mapping[str, int] = {target.path: index for index, target in enumerate(files)}
        whole.findings.sort(key=lambda finding: order[finding.location.path])
        whole.suppressed.sort(key=lambda item: order[item.finding.location.path])
    whole.errors.sort()
    whole.notices.sort()
    return whole
