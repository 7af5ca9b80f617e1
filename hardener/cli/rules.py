"""`harden rules`: the rules, as a table, Markdown or JSON."""

from typing import TYPE_CHECKING

from hardener.cli.inputs import cache_folder
from hardener.cli.terminal import say
from hardener.engine.selection import Selector
from hardener.errors import EXIT_CLEAN
from hardener.finding import SEVERITIES, Rule
from hardener.rules.load import PROFILES, builtin, custom

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


def configure(parser: "ArgumentParser") -> None:
    """Declare the options of `harden rules`."""
    parser.add_argument("select", nargs="*", metavar="RULE", help="only these: HD101, a name, HD1, a peer's id")
    parser.add_argument("--severity", choices=SEVERITIES, help="only this severity and worse")
    parser.add_argument("--profile", choices=PROFILES, help="only rules of this profile")
    parser.add_argument("--tag", help="only rules with this tag")
    parser.add_argument("--same-as", metavar="TOOL", help="only rules that this tool has too (hadolint, trivy, checkov, …)")
    parser.add_argument("--rules", action="append", default=[], metavar="DIR", help="also list the rules of this folder")
    parser.add_argument("--format", choices=("text", "markdown", "json"), default="text", help="default: text")


def run(args: "Namespace") -> int:
    """Print the rules that pass every filter."""
    sources = builtin(cache_folder())
    sources = (*sources, *custom(args.rules, sources)) if args.rules else sources
    rules = [source.rule for source in sources]
    if args.select:
        selector = Selector(rules)
        chosen = {rule.id for word in args.select for rule in selector.require(word)}
        rules = [rule for rule in rules if rule.id in chosen]
    rules = [
        rule
        for rule in rules
        if (args.severity is None or rule.severity >= SEVERITIES[args.severity])
        and (args.profile is None or args.profile in rule.profiles)
        and (args.tag is None or args.tag in rule.tags)
        and (args.same_as is None or any(tool == args.same_as for tool, _ in rule.same_as))
    ]
    render = {"text": _text, "markdown": _markdown, "json": _json}[args.format]
    say(render(rules))
    return EXIT_CLEAN


def _text(rules: list[Rule]) -> str:
    width = max((len(rule.name) for rule in rules), default=0)
    rows = [f"{rule.id}  {rule.severity.label:<8}  {rule.profiles[0]:<7}  {rule.name:<{width}}  {rule.title}" for rule in rules]
    return "\n".join([*rows, f"{len(rules)} rules"]) + "\n"


def _markdown(rules: list[Rule]) -> str:
    rows = ["| rule | name | severity | profile | what it finds | same as |", "|---|---|---|---|---|---|"]
    rows += [
        f"| {rule.id} | {rule.name} | {rule.severity.label} | {rule.profiles[0]} | {_cell(rule.title)} | {_cell(', '.join(rule.aliases))} |"
        for rule in rules
    ]
    return "\n".join(rows) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _json(rules: list[Rule]) -> str:
    from json import dumps

    rows = [
        {
            "id": rule.id,
            "name": rule.name,
            "on": rule.on,
            "severity": rule.severity.label,
            "confidence": rule.confidence.label,
            "title": rule.title,
            "why": rule.why,
            "how": rule.how,
            "references": rule.references,
            "aliases": rule.aliases,
            "tags": rule.tags,
            "profiles": rule.profiles,
        }
        for rule in rules
    ]
    return dumps(rows, indent=2, ensure_ascii=False) + "\n"
