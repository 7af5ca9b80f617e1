"""Remove a folder that containers have written to. Links are not followed."""

from __future__ import annotations

import posix


def remove_tree(folder: str) -> None:
    """Remove a folder with all that is in it; one that is not there is removed already."""
    from shutil import rmtree

    try:
        rmtree(folder)
    except FileNotFoundError:
        return
    except PermissionError:
        if posix.geteuid() == 0:
            raise
        from hardener.runtime import borrowed

        borrowed.as_root(lambda: rmtree(folder))
