"""Remove folders, ours and those that containers have written to. Links are not followed."""

from __future__ import annotations

import posix


def remove_tree(folder: str) -> None:
    """Remove a folder that containers have written to, with all that is in it; one that is not there is removed already."""
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


def remove_own(folder: str) -> None:
    """Remove a folder that we alone write to, with all that is in it; other commands may be doing the same."""
    try:
        names = posix.listdir(folder)
    except FileNotFoundError:
        return
    for name in names:
        path = f"{folder}/{name}"
        try:
            if posix.lstat(path).st_mode & 0o170000 == 0o040000:
                remove_own(path)
            else:
                posix.unlink(path)
        except FileNotFoundError:  # another command sweeps as well
            continue
    try:
        posix.rmdir(folder)
    except FileNotFoundError:
        return
