"""`harden config`: every key and what it does, or what applies to one file and which line of which file says so."""

import os
from typing import TYPE_CHECKING

from hardener.engine.config import Config, Setting
from hardener.engine.configs import NAMES, Configs
from hardener.engine.keys import KEYS
from hardener.engine.selection import Selector

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


def configure(parser: "ArgumentParser") -> None:
    """Declare the options of `harden config`."""
    parser.add_argument("--why", metavar="FILE", help="show what applies to a file (it need not exist), and where each setting comes from")
    parser.add_argument("--config", metavar="FILE", help="use this configuration instead of the nearest one")
    parser.epilog = "Without --why, lists every key with an example."


def run(args: "Namespace") -> int:
    """Print the keys, or what applies to a file."""
    if args.why is None:
        print(_keys(), end="")
        return 0
    cwd = os.getcwd()
    config = Configs(cwd, explicit=args.config).for_file(os.path.abspath(args.why))
    config.check(_selector(config))
    print(_why(config, args.why, cwd), end="")
    return 0


def _selector(config: Config) -> Selector:
    from hardener.cli.inputs import cache_folder
    from hardener.rules.load import builtin, custom

    ours = builtin(cache_folder())
    further = custom(config.rules, ours) if config.rules else ()
    return Selector(source.rule for source in (*ours, *further))


def _keys() -> str:
    """Return every key, what it does, and an example."""
    lines = [f"Looked for from the folder of each file up to the root of the repository: {', '.join(NAMES)} ([tool.hardener])."]
    for key in KEYS:
        lines += ["", key.name, f"  {key.help}", f"  {key.example}"]
    return "\n".join(lines) + "\n"


def _why(config: Config, path: str, cwd: str) -> str:
    """Return the settings that are in force, each with its place, and what it replaced."""
    if config.source is None:
        lines = [f"No configuration applies to {path}: every key has its default, as `harden config` lists them."]
    else:
        lines = [f"{os.path.relpath(config.source, cwd)} applies to {path}."]
    rows = in_force(config.settings)
    if rows:
        lines.append("")
    key_width = max((len(setting.key) for setting, _ in rows), default=0)
    value_width = max((len(setting.value) for setting, _ in rows), default=0)
    for setting, replaced in rows:
        line = f"{setting.key:<{key_width}}  {setting.value:<{value_width}}  {setting.where}"
        lines.append(line + "".join(f", instead of {old.value} ({old.where})" for old in replaced))
    return "\n".join(lines) + "\n"


def in_force(settings: list[Setting]) -> list[tuple[Setting, list[Setting]]]:
    """Return the settings that hold, in the order of the keys, each with those that it replaced, the last one first."""
    order = {key.name: index for index, key in enumerate(KEYS)}
    rows: list[tuple[Setting, list[Setting]]] = []
    for setting in settings:
        replaced: list[Setting] = []
        if not setting.adds:
            for old in [row for row in rows if row[0].key == setting.key]:
                rows.remove(old)
                replaced = [old[0], *old[1], *replaced]
        rows.append((setting, replaced))
    return sorted(rows, key=lambda row: order[row[0].key.partition(".")[0]])
