"""Checks on who an image's containers run as, and on the accounts in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from hardener.finding import Match, Severity
from hardener.rules import accounts

if TYPE_CHECKING:
    from hardener.rules.checks import Check
    from hardener.rules.context import ImageContext
    from hardener.rules.image_contents import Contents
    from hardener.text import Span


def root_user(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI101: containers run as uid 0, however the image comes to that."""
    user = contents.image.defaults.user or ""
    who = contents.who
    if contents.is_windows or who.uid != 0 or not (contents.argv or user):
        return
    if not user:
        what = "no USER is set, so containers run as root"
    elif who.account is not None and who.account.name != "root" and user.partition(":")[0] == who.account.name:
        what = f"the user {who.account.name} has uid 0 in /etc/passwd, so containers run as root"
    else:
        what = f"USER {user} is root"
    reference = contents.image.reference
    severity = None
    if reference is not None and not user and accounts.steps_down_image(f"{_shown(reference.name)}:{reference.tag or 'latest'}"):
        severity = Severity.LOW
        what += ", and its entrypoint goes on as another user"
    yield Match(user_place(contents), {"what": what}, severity=severity, about="user")


def _shown(name: str) -> str:
    return name.removeprefix("docker.io/").removeprefix("library/")


def user_place(contents: Contents) -> Span:
    """Return where an image says who it runs as, or else what it starts."""
    keys = ("entrypoint", "cmd")
    return contents.document.place("user", *keys) if contents.image.defaults.user else contents.document.place(*keys)


def unknown_user(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI102: USER names somebody whom the image does not know: nothing starts."""
    user = contents.image.defaults.user or ""
    who = contents.who
    if contents.is_windows or not user:
        return
    if who.uid is None:
        missing = f"user {who.name}", "/etc/passwd"
    elif who.gid is None:
        missing = f"group {who.group}", "/etc/group"
    else:
        return
    yield Match(user_place(contents), {"who": missing[0], "file": missing[1]}, about="user")


def root_group(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI103: an ordinary user whose group is root's."""
    who = contents.who
    if contents.is_windows or not who.uid or who.gid != 0:
        return
    user = contents.image.defaults.user or ""
    if who.group:
        why = f"USER {user} says so"
    elif who.account is not None:
        why = f"/etc/passwd says so of {who.account.name}"
    else:
        why = f"no account has the uid {who.uid}, and then the group is 0"
    yield Match(user_place(contents), {"why": why}, about="group")


def _at(contents: Contents, path: str) -> Span:
    found = contents.view.find(path)
    return contents.document.file.line_span(1) if found is None else contents.at(found.layer)


def empty_password(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI109: an account that needs no password."""
    for account in contents.accounts.accounts:
        if account.password == "":
            yield Match(_at(contents, "etc/passwd"), {"name": account.name, "file": "/etc/passwd"}, about=f"account:{account.name}")
    for name, password in contents.accounts.shadow.items():
        if password == "":
            yield Match(_at(contents, "etc/shadow"), {"name": name, "file": "/etc/shadow"}, about=f"account:{name}")


def _is_usable(password: str) -> bool:
    """Whether the second field of shadow is a hash that a password can match: crypt(5)."""
    return password.startswith(("$", "_")) or (len(password) == 13 and password[0] not in "!*")


def account_password(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI110: a password that is the same in every container of the image."""
    for path, fields in (
        ("etc/shadow", list(contents.accounts.shadow.items())),
        ("etc/passwd", [(account.name, account.password) for account in contents.accounts.accounts]),
    ):
        for name, password in fields:
            if _is_usable(password):
                severity = Severity.HIGH if name == "root" else None
                yield Match(_at(contents, path), {"name": name, "file": f"/{path}"}, severity=severity, about=f"account:{name}")


def duplicate_account(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI111: two accounts share a name or an id, or two groups do."""
    known = contents.accounts
    for path, what, values in (
        ("etc/passwd", "name", [account.name for account in known.accounts]),
        ("etc/passwd", "uid", [account.uid for account in known.accounts if account.uid]),
        ("etc/group", "group name", [group.name for group in known.groups]),
        ("etc/group", "gid", [group.gid for group in known.groups]),
    ):
        for value, number in Counter(values).items():
            if number > 1:
                who = [account.name for account in known.accounts if account.uid == value] if what == "uid" else []
                who = [group.name for group in known.groups if group.gid == value] if what == "gid" else who
                values_shown = {"what": f"{what} {value}", "file": f"/{path}", "who": f": {', '.join(who)}" if who else ""}
                yield Match(_at(contents, path), values_shown, about=f"{what}:{value}")


def root_twin(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI112: another name for root."""
    for account in contents.accounts.accounts:
        if account.uid == 0 and account.name != "root":
            yield Match(_at(contents, "etc/passwd"), {"name": account.name}, about=f"account:{account.name}")


_ACCOUNT_FILES: Final = ("etc/passwd", "etc/group", "etc/shadow", "etc/gshadow", "etc/sudoers", "etc/doas.conf", "etc/ld.so.preload")


def loose_account_file(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI113: others than root may write who is who."""
    for path in _ACCOUNT_FILES:
        found = contents.view.find(path)
        if found is None or found.entry.kind not in ("file", "hardlink"):
            continue
        entry = found.entry
        who = []
        if entry.uid:
            who.append(contents.accounts.user_name(entry.uid))
        if entry.mode & 0o020:
            who.append(f"the group {contents.accounts.group_name(entry.gid)}")
        if entry.mode & 0o002:
            who.append("everybody")
        if who:
            yield Match(contents.at(found.layer), {"path": f"/{path}", "who": " and ".join(who)}, about=f"file:{path}")


def readable_hashes(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI117: everybody may read the hashes of passwords."""
    found = contents.view.find("etc/shadow")
    if found is not None and found.entry.mode & 0o004:
        has = any(_is_usable(password) for password in contents.accounts.shadow.values())
        yield Match(contents.at(found.layer), severity=None if has else Severity.LOW, about="file:etc/shadow")


def _rules(contents: Contents) -> Iterator[tuple[str, str, Span]]:
    """Yield path, line and place of the rules of sudo and doas."""
    paths = ["etc/sudoers", "etc/doas.conf"]
    folder = contents.view.find("etc/sudoers.d")
    if folder is not None:
        paths += sorted(path for path, _ in contents.below("etc/sudoers.d/"))
    for path in paths:
        text = contents.text(path)
        for line in (text or b"").decode("utf-8", "replace").splitlines():
            rule = line.partition("#")[0].strip()
            if rule:
                yield path, rule, _at(contents, path)


def passwordless_sudo(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI114: somebody becomes root for the asking."""
    for path, rule, place in _rules(contents):
        if "NOPASSWD" in rule or (path == "etc/doas.conf" and rule.startswith("permit") and " nopass" in rule):
            who = rule.split()[0] if path != "etc/doas.conf" else rule
            yield Match(place, {"who": who, "path": f"/{path}"}, about=f"file:{path}:{rule}")


CHECKS: Final[Mapping[str, Check]] = {
    "HI101": root_user,
    "HI102": unknown_user,
    "HI103": root_group,
    "HI109": empty_password,
    "HI110": account_password,
    "HI111": duplicate_account,
    "HI112": root_twin,
    "HI113": loose_account_file,
    "HI114": passwordless_sudo,
    "HI117": readable_hashes,
}
