"""Build hook: put the compiled form of the rules into the wheel, so that an installed `harden` never parses them."""

import os
import sys
import tempfile

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HERE = os.path.dirname(os.path.abspath(__file__))


class CustomBuildHook(BuildHookInterface):
    """Compiles `rules/` with hardener's own loader, which also refuses a rule that is not well-formed."""

    def initialize(self, version: str, build_data: dict) -> None:
        """Add the compiled file; an editable install reads the YAML files, which may still change."""
        if self.target_name != "wheel" or version == "editable":
            return
        sys.path.insert(0, HERE)
        try:
            from hardener.rules import load

            sources = load.read(load.rule_files(os.path.join(HERE, "rules")))
            # Where the files will be is not known here, and nothing needs it: `explain` finds them by name.
            text = load.dump(source._replace(path=os.path.basename(source.path)) for source in sources)
        finally:
            sys.path.remove(HERE)
        self.folder = tempfile.TemporaryDirectory(prefix="hardener-rules-")
        path = os.path.join(self.folder.name, load.COMPILED)
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(text)
        build_data["force_include"][path] = f"hardener/rules/data/{load.COMPILED}"

    def finalize(self, version: str, build_data: dict, artifact_path: str) -> None:
        """Remove the scratch folder."""
        folder = getattr(self, "folder", None)
        if folder is not None:
            folder.cleanup()
