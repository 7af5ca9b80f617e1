"""What the commands that judge and report share: the options on rules, on what is accepted and on output, and the way to a report."""

import os
import sys
from typing import TYPE_CHECKING, Final

from hardener.cli import inputs
from hardener.cli.terminal import color_wanted, say, today, write_report
from hardener.engine.configs import Configs
from hardener.errors import HardenError
from hardener.finding import SEVERITIES, FileError, Report, Suppressed
from hardener.reports import FORMATS, renderer
from hardener.rules.load import PROFILES

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable, Iterable

    from hardener.engine.baseline import Baseline
    from hardener.engine.lint import Linter
    from hardener.engine.outcome import Outcome
    from hardener.policies.model import Policy

    Text = Callable[[Report, bool], str]

_WITH_FINGERPRINTS: Final = frozenset({"json", "sarif", "gitlab", "html"})
_THRESHOLDS: Final = (*SEVERITIES, "never")


def configure(parser: "ArgumentParser", *, shellcheck: bool = True) -> None:
    """Declare the options that say which rules run, what is accepted, and where reports go."""
    rules = parser.add_argument_group("rules")
    add = rules.add_argument
    add("--profile", choices=PROFILES, help="how much to ask for: default (what a busy team would fix), strict, all")
    add("--select", action="append", default=[], metavar="RULE", help="run only these rules: HD101, a name, HD1, a peer's id (DL3006)")
    add("--extend-select", action="append", default=[], metavar="RULE", help="also run these rules")
    add("--ignore", action="append", default=[], metavar="RULE", help="do not run these rules")
    add("--severity", action="append", default=[], metavar="RULE=LEVEL", help="change how severe a rule is")
    add("--trusted-registry", action="append", default=[], metavar="HOST", help="images may come from here only; * is a wildcard")
    inputs.configure_rules(rules, shellcheck=shellcheck)
    add(
        "--policy",
        metavar="NAME|FILE",
        help="hold every file to a policy (default, strict, cis-docker-1.6, or a file): it tightens, whatever else is set",
    )
    ignoring = parser.add_argument_group("what is accepted")
    add = ignoring.add_argument
    add("--baseline", metavar="FILE", help="hide the findings that this file lists")
    add("--write-baseline", metavar="FILE", help="list all present findings in this file, and accept them")
    add("--no-ignores", action="store_true", help="take no notice of ignore comments")
    add("--warn-ignores", action="store_true", help="report ignore comments that are unused, expired or without a reason")
    out = parser.add_argument_group("output")
    add = out.add_argument
    add("--format", choices=FORMATS, default="text", help="what goes to standard output (default: text)")
    add("--output", action="append", default=[], metavar="FORMAT:FILE", help="write a further report; may be repeated")
    add("--show", choices=SEVERITIES, help="show findings from this severity on (default: info)")
    add("--fail-on", choices=_THRESHOLDS, help="exit 1 for findings from this severity on (default: medium)")
    add("--color", choices=("auto", "always", "never"), default="auto", help="colour the text report")


class Judging:
    """The configurations and the reports of one run, as its options have them."""

    def __init__(self, args: "Namespace", cwd: str) -> None:
        """Read what options name. Raises `HardenError` for what is not there, before any work is done."""
        self._args = args
        self._cwd = cwd
        self._outputs = [_output(text) for text in args.output]
        self.configs = Configs(cwd, explicit=args.config, isolated=args.isolated, overlay=_overlay(args), policy=_policy(args.policy))

    def prepare(self) -> bool:
        """Read the baseline; tell whether fingerprints are needed."""
        args = self._args
        self._baseline = _baseline(args, self.configs.for_folder(os.getcwd()).baseline)
        formats = {args.format, *(name for name, _ in self._outputs)}
        return bool(formats & _WITH_FINGERPRINTS) or self._baseline is not None or bool(args.write_baseline)

    def linter(self) -> "Linter":
        """Return what judges images as the options say; reads the baseline first."""
        from hardener.engine.lint import Linter, Options
        from hardener.rules.load import builtin

        args = self._args
        options = Options(
            today=today(),
            honour_ignores=not args.no_ignores,
            warn_ignores=args.warn_ignores,
            fingerprints=self.prepare(),
            cwd=self._cwd,
        )
        return Linter(self.configs, builtin(inputs.cache_folder()), options)

    def finish(self, outcome: "Outcome", errors: "Iterable[FileError]" = (), text: "Text | None" = None, *, noun: str = "file") -> int:
        """Write the reports; return the exit code.

        `text`: what the text report on standard output looks like, if not as usual. `noun`: what was judged, for people.
        """
        args = self._args
        report = _report(args, outcome, tuple(errors), self._baseline, self.configs)._replace(noun=noun)
        for name, path in self._outputs:
            write_report(renderer(name)(report), path)
        color = args.format in ("text", "concise") and color_wanted(args.color, sys.stdout)
        own = text if args.format == "text" else None
        say(own(report, color) if own is not None else renderer(args.format)(report, color=color))
        return report.exit_code


def _output(text: str) -> tuple[str, str]:
    """Split `FORMAT:FILE`. Raises `HardenError`."""
    name, colon, path = text.partition(":")
    if not colon or not path:
        raise HardenError(f"--output takes FORMAT:FILE, not {text!r}", how="as in --output sarif:harden.sarif")
    renderer(name)  # an unknown format is told before any work is done
    return name, path


def _policy(what: str | None) -> "Policy | None":
    if what is None:
        return None
    from hardener.policies.load import load

    return load(what)


def _overlay(args: "Namespace") -> dict[str, object]:
    """Return the options that are settings, under the names of the configuration file."""
    given: dict[str, object] = {
        "profile": args.profile,
        "select": args.select,
        "extend-select": args.extend_select,
        "ignore": args.ignore,
        "severity": inputs.assignments("--severity", args.severity, "RULE=LEVEL"),
        "rules": args.rules,
        "trusted-registries": args.trusted_registry,
        "build-args": inputs.assignments("--build-arg", getattr(args, "build_arg", []), "NAME=VALUE"),
        "exclude": getattr(args, "exclude", []),
        "show": args.show,
        "fail-on": args.fail_on,
    }
    return {key: value for key, value in given.items() if value}


def _baseline(args: "Namespace", configured: str | None) -> "Baseline | None":
    path = args.baseline or configured
    if path is None or (args.write_baseline and not args.baseline):
        return None
    from hardener.engine.baseline import Baseline

    return Baseline.read(path, cwd=os.getcwd())


def _report(args: "Namespace", outcome: "Outcome", found: tuple[FileError, ...], baseline: "Baseline | None", configs: Configs) -> Report:
    """Sort what was found into new, accepted and out of sight."""
    cwd = os.getcwd()
    files = tuple(sorted(outcome.files))
    general = configs.for_folder(cwd)
    findings = outcome.findings
    suppressed = outcome.suppressed
    notices = outcome.notices
    rules = tuple(rule for _, rule in sorted(outcome.rules.items()))
    if getattr(args, "diff", None) is not None:
        from hardener.engine.changes import since

        changes = since(args.diff, cwd=cwd)
        findings = [
            finding
            for finding in findings
            if changes.touch(outcome.files[finding.location.path], finding.location.start.line, finding.location.end.line)
        ]
    if args.write_baseline:
        from hardener.engine.baseline import write

        write(findings, args.write_baseline, cwd=cwd)
        notices.append(f"{args.write_baseline}: accepts {len(findings)} findings")
        suppressed += [Suppressed(finding, "baseline", f"listed in {args.write_baseline}") for finding in findings]
        findings = []
    elif baseline is not None:
        images = {f"image {finding.image}" for finding in findings if finding.image}
        split = baseline.split(findings, files=(*files, *images), rules=rules)
        suppressed += [Suppressed(finding, "baseline", f"listed in {args.baseline or general.baseline}") for finding in split.known]
        findings = list(split.new)
        notices += split.notices
    own = {path: configs.for_file(file) for path, file in outcome.files.items()}
    failing = 0
    visible = []
    for finding in findings:
        config = own[finding.location.path]
        failing += config.fail_on is not None and finding.severity >= config.fail_on
        if finding.severity >= config.show:
            visible.append(finding)
    errors = (*found, *outcome.errors)
    return Report(tuple(visible), tuple(suppressed), files, errors, tuple(notices), rules, general.fail_on, failing)
