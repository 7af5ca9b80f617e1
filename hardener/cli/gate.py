"""`harden gate`: hold texts to a policy and say which of its keys they violate."""

import os
import sys
from typing import TYPE_CHECKING

from hardener.cli import inputs
from hardener.cli.terminal import color_wanted, say, today
from hardener.engine.configs import Configs
from hardener.engine.lint import Options, lint
from hardener.engine.selection import Selector
from hardener.errors import EXIT_CLEAN, HardenError, suggest
from hardener.finding import SEVERITIES, Report
from hardener.policies.gate import verdict
from hardener.policies.load import in_environment, load, names
from hardener.policies.model import Gate, Policy
from hardener.rules.load import builtin, custom

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterable

    from hardener.finding import Rule


def configure(parser: "ArgumentParser") -> None:
    """Declare the options of `harden gate`."""
    policy = parser.add_argument_group("the policy")
    add = policy.add_argument
    add("--policy", default="default", metavar="NAME|FILE", help=f"{', '.join(names())}, or a file (default: default)")
    add("--environment", metavar="NAME", help="also ask for what the policy's `environments:` adds for this one")
    add("--explain-policy", action="store_true", help="print every key of the policy, what it means and where it stands; judge nothing")
    inputs.configure(parser)
    inputs.configure_rules(parser.add_argument_group("rules"))
    out = parser.add_argument_group("output")
    add = out.add_argument
    add("--format", choices=("text", "json"), default="text", help="what goes to standard output (default: text)")
    add("--color", choices=("auto", "always", "never"), default="auto", help="colour the text")
    parser.epilog = (
        "Unlike `harden lint --policy`, the gate asks about every key of the policy and about nothing else: it prints each key that is\n"
        "violated, where it stands, and by what. It takes no notice of baselines; `thresholds:` are the way to tighten step by step.\n"
        "exit codes: 0 passed, 1 violated, 2 usage, configuration or unreadable input, 3 a bug in hardener"
    )


def run(args: "Namespace") -> int:
    """Judge, say what is violated, and return the exit code."""
    policy = load(args.policy)
    if args.environment is not None:
        policy = in_environment(policy, args.environment)
    color = args.format == "text" and color_wanted(args.color, sys.stdout)
    if args.explain_policy:
        return _explain(args, policy, color=color)
    # What comments ignore must be seen to be judged, so forbidding it is the verdict's business here and not the linter's.
    report = _judge(args, policy._replace(gate=policy.gate._replace(forbid_ignores=())))
    selector = _selector(report.rules)
    _check(policy.gate, selector, shellcheck=args.shellcheck)
    result = verdict(policy, report, selector.resolve)
    from hardener.reports import gate as reports

    say(reports.verdict_json(result, _shown) if args.format == "json" else reports.verdict_text(result, _shown, color=color))
    return result.exit_code


def _judge(args: "Namespace", policy: "Policy") -> Report:
    """Judge what the options name under a policy, and return all that was found: nothing is hidden, no baseline taken notice of."""
    cwd = os.getcwd()
    given: dict[str, object] = {
        "rules": args.rules,
        "exclude": args.exclude,
        "build-args": inputs.assignments("--build-arg", args.build_arg, "NAME=VALUE"),
    }
    overlay = {key: value for key, value in given.items() if value}
    configs = Configs(cwd, explicit=args.config, isolated=args.isolated, overlay=overlay, policy=policy)
    found = inputs.find(args, configs, cwd)
    options = Options(
        today=today(),
        jobs=os.cpu_count() or 1,
        fingerprints=args.format == "json",
        shellcheck=inputs.shellcheck(args.shellcheck),
        stdin=inputs.reader(args),
        cwd=cwd,
        compose=inputs.compose_options(args, cwd),
    )
    outcome = lint(found.files, configs, builtin(inputs.cache_folder()), options)
    return Report(
        tuple(outcome.findings),
        tuple(outcome.suppressed),
        tuple(sorted(outcome.files)),
        (*found.errors, *outcome.errors),
        tuple(outcome.notices),
        tuple(rule for _, rule in sorted(outcome.rules.items())),
        policy.gate.fail_on,
    )


def _explain(args: "Namespace", policy: Policy, *, color: bool) -> int:
    from hardener.reports import gate as reports

    selector = _selector([source.rule for source in custom(args.rules, builtin(inputs.cache_folder()))] if args.rules else ())
    if args.format == "json":
        say(reports.policy_json(policy, selector.resolve, _shown))
    else:
        say(reports.policy_text(policy, selector.resolve, _shown, color=color))
    return EXIT_CLEAN


def _selector(further: "Iterable[Rule]") -> Selector:
    """Return what words mean: our rules, and those that a configuration or an option brought in."""
    rules = {source.rule.id: source.rule for source in builtin(inputs.cache_folder())}
    rules.update((rule.id, rule) for rule in further)
    return Selector(rules.values())


def _check(gate: Gate, selector: Selector, *, shellcheck: bool | None) -> None:
    """Raise `HardenError` for a word of the policy that names no rule, and for rules that cannot run here."""
    for word in gate.forbid_ignores:
        selector.require(word.text, where=_shown(word.where))
    for limit in gate.limits:
        word = limit.word
        if limit.severity is None and not selector.is_known(word.text):
            how = suggest(word.text, tuple(SEVERITIES)) or selector.hint(word.text)
            raise HardenError(f"{word.text!r} is neither a severity nor a rule", where=_shown(word.where), how=how)
    outside = [word for word in gate.forced if not selector.resolve(word.text)]
    if outside and inputs.shellcheck(shellcheck) is None:
        raise HardenError(
            f"the policy requires {outside[0].text}, which is ShellCheck's, and that is not at hand",
            where=_shown(outside[0].where),
            how="pip install 'hardener[shell]', or run with --shellcheck",
        )


def _shown(where: str) -> str:
    """Return a place relative to the current folder when it lies in there."""
    folder = os.path.join(os.getcwd(), "")
    return where.removeprefix(folder)
