"""Checks on files of an image that lend privileges, or that the wrong people may write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from hardener.finding import Match, Severity
from hardener.rules import capabilities, file_capabilities, known_privileged
from hardener.rules.image_contents import DEFAULT_PATH

if TYPE_CHECKING:
    from hardener.rules.checks import Check
    from hardener.rules.context import ImageContext
    from hardener.rules.image_contents import Contents
    from hardener.rules.image_survey import Seen


def _is_known(contents: Contents, seen: Seen) -> bool:
    """Whether a distribution ships a file with its privileges, and, where that can be told, it is still that file."""
    if not known_privileged.ships(contents.family, seen.path):
        return False
    program = contents.programs.of(seen.path, seen.layer)
    if not contents.owned or program is None or not program.digests:
        return True  # no package manager says anything: an image that was stripped of it, or a hard link
    return contents.owned.is_pristine(seen.path, lambda algorithm: program.digests.get(algorithm, ""))


def _is_escalator(seen: Seen) -> bool:
    return seen.path.rpartition("/")[2] in known_privileged.ESCALATORS


def setuid_program(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI104: a program that runs with its owner's rights, and that the distribution does not ship so."""
    for seen in contents.survey.privileged:
        mode = seen.entry.mode
        if not mode & 0o6000 or _is_known(contents, seen) or _is_escalator(seen):
            continue
        bits, whom = [], []
        if mode & 0o4000:
            bits.append("setuid")
            whom.append(contents.accounts.user_name(seen.entry.uid))
        if mode & 0o2000:
            bits.append("setgid")
            whom.append(f"the group {contents.accounts.group_name(seen.entry.gid)}")
        severity = Severity.HIGH if mode & 0o002 else None if mode & 0o4000 and not seen.entry.uid else Severity.LOW
        changed = known_privileged.ships(contents.family, seen.path)
        note = ", and is not the file that the distribution ships" if changed else ""
        values = {"path": f"/{seen.path}", "bits": " and ".join(bits), "whom": " and ".join(whom), "note": note}
        yield Match(contents.at(seen.layer), values, severity=severity, about=f"file:{seen.path}")


_GRADES: Final = {
    capabilities.TAKEOVER: Severity.HIGH,
    capabilities.POWERFUL: Severity.HIGH,
    capabilities.SENSITIVE: Severity.MEDIUM,
}


def file_capability(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI105: a program that has capabilities whoever starts it, and that the distribution does not ship so."""
    for seen in contents.survey.privileged:
        value = seen.entry.xattrs.get(file_capabilities.ATTRIBUTE)
        if value is None or _is_known(contents, seen):
            continue
        found = file_capabilities.parse(value)
        if found.trouble or not (found.permitted or found.inheritable):
            continue
        severity = max((_severity(name) for name in found.permitted), default=Severity.LOW)
        yield Match(contents.at(seen.layer), {"path": f"/{seen.path}", "what": found.text}, severity=severity, about=f"file:{seen.path}")


_TAKING: Final = frozenset({"SETUID", "SETGID", "DAC_OVERRIDE", "CHOWN", "FOWNER", "SETFCAP", "SETPCAP", "FSETID"})
"""Capabilities of Docker's default set with which a program in the container becomes root in it."""


def _severity(name: str) -> Severity:
    if name in _TAKING:
        return Severity.HIGH
    known = capabilities.CAPABILITIES.get(name)
    return _GRADES.get(known.grade, Severity.LOW) if known is not None else Severity.MEDIUM


def broken_capability(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI106: an attribute of capabilities that the kernel does not understand."""
    for seen in contents.survey.privileged:
        value = seen.entry.xattrs.get(file_capabilities.ATTRIBUTE)
        if value is not None and (trouble := file_capabilities.parse(value).trouble):
            yield Match(contents.at(seen.layer), {"path": f"/{seen.path}", "why": trouble}, about=f"file:{seen.path}")


_PROGRAMS: Final = ("etc/", "bin/", "sbin/", "lib/", "lib64/", "usr/bin/", "usr/sbin/", "usr/lib/", "usr/local/", "opt/")


def writable_file(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI107: files that everybody may write; those of one folder and layer together."""
    groups: dict[tuple[str, int], list[Seen]] = {}
    for seen in contents.survey.writable_files:
        folder = seen.path.rpartition("/")[0]
        if not f"{folder}/".startswith(("dev/", "proc/", "sys/")):
            groups.setdefault((_top(folder), seen.layer.index), []).append(seen)
    for (folder, _), group in groups.items():
        worst = next((seen for seen in group if seen.entry.mode & 0o111 or seen.path.startswith(_PROGRAMS[:6])), None)
        first = worst or group[0]
        more = f", like {len(group) - 1} more below /{folder}" if len(group) > 1 else ""
        severity = Severity.HIGH if worst is not None and worst.path.startswith(_PROGRAMS) else None
        values = {"path": f"/{first.path}", "mode": f"{first.entry.mode & 0o7777:04o}", "more": more}
        yield Match(contents.at(first.layer), values, severity=severity, about=f"writable:{folder or first.path}")


def _top(folder: str) -> str:
    """Return the first two names of a folder: what is together below them is told together."""
    return "/".join(folder.split("/")[:2])


def writable_folder(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI108: folders in which everybody may replace what others have put there; those in one are not told, those beside it with it."""
    groups: dict[tuple[str, int], list[Seen]] = {}
    reported: list[str] = []
    searched = {folder.strip("/") for folder in contents.env.get("PATH", DEFAULT_PATH).split(":")}
    for seen in contents.survey.writable_folders:
        path = seen.path
        if path.startswith(("dev/", "proc/", "sys/")) or path in ("dev", "proc", "sys"):
            continue
        if any(path.startswith(f"{above}/") for above in reported):
            continue
        reported.append(path)
        groups.setdefault((path.rpartition("/")[0] or path, seen.layer.index), []).append(seen)
    for (folder, _), group in groups.items():
        worst = next((seen for seen in group if seen.path in searched or f"{seen.path}/".startswith(_PROGRAMS[:8])), None)
        first = worst or group[0]
        more = f" (like {len(group) - 1} more in /{folder})" if len(group) > 1 else ""
        values = {"path": f"/{first.path}", "mode": f"{first.entry.mode & 0o7777:04o}", "more": more}
        severity = None if worst is None else Severity.HIGH
        yield Match(contents.at(first.layer), values, severity=severity, about=f"folders:{folder}")


def own_program_writable(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI115: the program that an image starts may be replaced by the user that it runs as."""
    uid = contents.who.uid
    if not uid or not contents.argv:
        return
    found = contents.program(contents.argv[0])
    if found is not None and found[1].entry.uid == uid and found[1].entry.mode & 0o200:
        path, where = found
        yield Match(contents.at(where.layer), {"path": f"/{path}", "user": contents.accounts.user_name(uid)}, about=f"file:{path}")


# Root filesystems that were packed while they were in use have these.
_EVERYWHERE: Final = frozenset(
    {f"dev/{name}" for name in ("console", "full", "null", "ptmx", "random", "tty", "urandom", "zero", "fuse", "net/tun", "core")}
)


def device_node(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI116: devices in an image, other than those that every container has; those of one folder together: one command put them there."""
    groups: dict[str, list[Seen]] = {}
    for seen in contents.survey.devices:
        if seen.entry.kind != "char" or seen.path not in _EVERYWHERE:
            groups.setdefault(seen.path.rpartition("/")[0], []).append(seen)
    for folder, group in groups.items():
        disks = [seen for seen in group if seen.entry.kind == "block"]
        first = (disks or group)[0]
        kind = "block" if disks else "character"
        names = [seen.path.rpartition("/")[2] for seen in group if seen is not first]
        shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        more = f", beside {len(names)} more in /{folder}: {shown}" if names else ""
        values = {"path": f"/{first.path}", "kind": kind, "more": more}
        severity = None if disks else Severity.LOW
        yield Match(contents.at(first.layer), values, severity=severity, about=f"devices:{folder}")


def distribution_programs(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI118: what the distribution itself ships with privileges; all together, because there is one answer to them."""
    known = [seen for seen in contents.survey.privileged if _is_known(contents, seen)]
    if known:
        names = [seen.path.rpartition("/")[2] for seen in known]
        shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
        yield Match(contents.at(known[0].layer), {"count": str(len(names)), "names": shown}, about="distribution")


CHECKS: Final[Mapping[str, Check]] = {
    "HI104": setuid_program,
    "HI105": file_capability,
    "HI106": broken_capability,
    "HI107": writable_file,
    "HI108": writable_folder,
    "HI115": own_program_writable,
    "HI116": device_node,
    "HI118": distribution_programs,
}
