"""`harden explain`: why a rule exists, what to do about its findings, and how to write one; offline, from the rules' own files."""

import os
import sys
from textwrap import fill, indent
from typing import TYPE_CHECKING, Final

from hardener import data_folder
from hardener.cli.inputs import cache_folder
from hardener.cli.terminal import color_wanted, say
from hardener.engine.selection import Selector
from hardener.errors import EXIT_CLEAN, HardenError, suggest
from hardener.rules.load import Example, RuleSource, builtin, custom, parse_rule, rule_files
from hardener.text import SourceFile

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

WIDTH: Final = 100
TOPICS: Final = {
    "custom-rules": "how to write rules of your own",
    "ignores": "how to accept a finding in place",
    "image-examples": "how the examples of rules on images are written",
}


def configure(parser: "ArgumentParser") -> None:
    """Declare the options of `harden explain`."""
    parser.add_argument(
        "what", nargs="+", metavar="RULE|TOPIC", help="HD101, a rule's name, a peer's id (DL3006, CKV_DOCKER_3), or a topic"
    )
    parser.add_argument("--rules", action="append", default=[], metavar="DIR", help="also know the rules of this folder")
    parser.add_argument("--color", choices=("auto", "always", "never"), default="auto", help="colour the text")
    parser.epilog = "topics:\n" + "\n".join(f"  {name:<14}{text}" for name, text in TOPICS.items())


def run(args: "Namespace") -> int:
    """Print what there is to say about each rule or topic."""
    sources = builtin(cache_folder())
    sources = (*sources, *custom(args.rules, sources)) if args.rules else sources
    selector = Selector([source.rule for source in sources])
    by_id = {source.rule.id: source for source in sources}
    bold = "\x1b[1m{}\x1b[0m" if color_wanted(args.color, sys.stdout) else "{}"
    pages: list[str] = []
    for word in args.what:
        if word in TOPICS:
            pages.append(_topic(word, bold))
            continue
        rules = selector.resolve(word)
        if not rules:
            hint = selector.hint(word) or suggest(word, list(TOPICS))
            raise HardenError(
                f"no rule or topic {word!r}", how=hint or "`harden rules` lists the rules, `harden explain --help` the topics"
            )
        pages += [_page(by_id[rule.id], bold) for rule in rules]
    say("\n\n".join(pages) + "\n")
    return EXIT_CLEAN


def _page(source: RuleSource, bold: str) -> str:
    rule = source.rule
    fires, silent = _examples(source)
    parts = [
        bold.format(f"{rule.id} {rule.name}"),
        rule.title,
        f"severity {rule.severity.label} · confidence {rule.confidence.label} · profiles {', '.join(rule.profiles)}"
        + (f" · {', '.join(rule.tags)}" if rule.tags else ""),
        f"{bold.format('Why')}\n{_prose(rule.why)}",
        f"{bold.format('How to fix')}\n{_prose(rule.how)}",
    ]
    if fires:
        parts.append(f"{bold.format('Found')} (the marked part)\n{_listing(fires)}")
    if silent:
        parts.append(f"{bold.format('Accepted')}\n{_listing(silent)}")
    if rule.references:
        parts.append(f"{bold.format('References')}\n{_prose(', '.join(rule.references))}")
    if rule.aliases:
        parts.append(f"{bold.format('Same as')}\n{_prose(', '.join(rule.aliases))}")
    parts.append(f"{bold.format('Accept one')}\n  # harden: ignore[{rule.id}] why this is fine here")
    return "\n\n".join(parts)


def _examples(source: RuleSource) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """Read a rule's examples from its file; compiled rules do not carry them."""
    name = f"{source.rule.id}-{source.rule.name}.yaml"
    paths = [path for path in rule_files(data_folder("rules")) if os.path.basename(path) == name] or [source.path]
    with open(paths[0], "rb") as stream:
        return parse_rule(SourceFile.decode(paths[0], stream.read()))[1]


def _prose(text: str) -> str:
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n")]
    return "\n\n".join(
        fill(part, WIDTH, initial_indent="  ", subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
        for part in paragraphs
    )


def _listing(examples: tuple[Example, ...]) -> str:
    blocks = []
    for example in examples:
        lines = "\n".join(line.replace("\t", "→   ") for line in example.text.rstrip("\n").splitlines())
        extra = [f"# with {name}: {value}" for name, value in (*example.build_args.items(), *example.settings.items())]
        extra += [f"# beside it, {name}: {' '.join(text.split())}" for name, text in example.files.items()]
        blocks.append(indent("\n".join([*extra, lines]), "    "))
    return "\n\n".join(blocks)


def _topic(word: str, bold: str) -> str:
    match word:
        case "custom-rules":
            return _custom_rules(bold)
        case "ignores":
            return _ignores(bold)
    return "\n\n".join([bold.format("The examples of rules on images"), indent(_IMAGE_EXAMPLES, "  ")])


def _custom_rules(bold: str) -> str:
    from hardener.rules import match, vocabulary
    from hardener.rules.load import KINDS

    parts = [
        bold.format("Rules of your own"),
        "One YAML file per rule in a folder that `rules:` in .harden.yaml or --rules names:",
        indent(_CUSTOM_EXAMPLE, "    "),
        f"{bold.format('The match: language')}\n{indent((match.__doc__ or '').strip(), '  ')}",
        bold.format("Facts by subject (`on:`)"),
    ]
    for kind in KINDS:
        if kind in ("shell.script", "file.secret"):
            continue  # ShellCheck decides the one, our detectors of credentials the other
        subject = vocabulary.kind(kind)
        facts = ", ".join(subject.facts) or "(none: such rules need a check in code)"
        places = ", ".join(subject.places)
        extra = {"dockerfile.command": ", option.--NAME", "dockerfile.instruction": ", flag.NAME"}.get(kind, "")
        parts.append(f"  {kind}\n{_prose(facts + extra)}" + (f"\n{_prose('at: ' + places)}" if places else ""))
    parts.append("  `instructions: [RUN]` and `commands: [curl]` narrow a rule to some instructions or programs.")
    return "\n\n".join(parts)


_CUSTOM_EXAMPLE: Final = """\
id: ACME001
name: internal-mirror-bypassed
on: dockerfile.command
commands: [pip, pip3]
severity: medium
confidence: high
title: pip index other than the internal mirror
message: "pip installs from {option.--index-url}"
why: Packages from elsewhere have not been reviewed.
how: Leave --index-url out; the base image points at the mirror.
match:
  command.subcommand: install
  option.--index-url: {not-matches: "^https://pypi[.]acme[.]example/"}
fires:
  - RUN «pip install --index-url https://example.org/simple flask»
silent:
  - RUN pip install flask"""


def _ignores(bold: str) -> str:
    return "\n\n".join([bold.format("Accepting a finding in place"), indent(_IGNORES, "  ")])


_IMAGE_EXAMPLES: Final = """\
An example is the history of an image: one instruction a line as a Dockerfile has it, and indented below it what the step leaves.

FROM debian                     what is below it is the base image's: debian, alpine, distroless; scratch has nothing
«RUN make install»              a finding must stand at the marked part
  /opt/tool 4755 0:0 12KB       a file with mode, owner and size, in any order; 0644, 0:0 and empty unless said
  /opt/tool 0755 +net_raw       with a file capability
  /opt/tool 0755 elf:arm64      a program for a machine; elf-static:arm64 is one without a loader
  /opt/data/ 0777               a folder
  /opt/link -> tool             a symbolic link
  /etc/motd = hello\\n           a file with this text
  /disk block                   a device; also char, fifo
  - /opt/old                    deletes it
  with TOKEN=abc                the step was given a build argument
USER 1000                       changes the configuration, as do ENV, CMD, EXPOSE, VOLUME, LABEL …

IMAGE web:1.2, CREATED 2026-01-31 and PLATFORM linux/arm64 stand before all that."""

_IGNORES: Final = """\
# harden: ignore[HD101, HD203] reason            the next instruction; inside a RUN, the next line
# harden: ignore-stage[HD201] reason             the stage it stands in; before a FROM, that stage
# harden: ignore-file[HD706] reason              the whole file
# harden: ignore[HD101] expires=2027-01-31 reason

Ids of other tools are understood (ignore[DL3006]), and so are their own comments:
# hadolint ignore=DL3006    # hadolint global ignore=…    # checkov:skip=CKV_DOCKER_2:reason
# check=skip=JSONArgsRecommended    # tally ignore=…    # trivy:ignore:DS-0002

--warn-ignores reports ignores that are unused, expired or give no reason; `forbid-ignores:` in the configuration
takes the right away."""
