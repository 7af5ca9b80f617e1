"""Installed packages against a mirror of OSV: what they are affected by, what cannot be decided, and what nothing is known of.

Packages of the distribution are looked up as it lists them, mostly by source package; what it brought of another language (a Python
package of Debian's) is its own and mended by it, so the language's advisories do not apply. Records that tell of the same vulnerability
are one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Protocol

from hardener.finding import Severity
from hardener.images.advisories import ecosystems, ranges
from hardener.images.advisories.versions import comparison
from hardener.record import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from hardener.images.advisories.database import Database
    from hardener.images.advisories.ecosystems import Home, System
    from hardener.images.advisories.index import Coverage
    from hardener.images.advisories.osv import Advisory
    from hardener.images.advisories.ranges import Answer

MATCHED: Final = "matched"
NO_DATA: Final = "no data"  # the mirror has nothing on this ecosystem, or on this release
NO_HOME: Final = "not in OSV"  # nobody publishes advisories for it in this format
_CVE: Final = re.compile(r"CVE-[0-9]{4}-[0-9]{4,}")
_RANKS: Final = ("CVE-", "GHSA-", "GO-", "PYSEC-", "MAL-")  # under which name people know a vulnerability


class Installed(Protocol):
    """An installed package, as the readers of package databases tell it."""

    @property
    def kind(self) -> str:
        """`deb`, `apk`, `rpm`, `pypi`, `npm` or `golang`."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def version(self) -> str:
        """Its version, with the epoch."""

    @property
    def source(self) -> str:
        """The name of what it was built from; "" when that is its own."""

    @property
    def source_version(self) -> str:
        """The version of that; "" when it is its own."""

    @property
    def path(self) -> str:
        """What names it in the image."""

    @property
    def places(self) -> tuple[str, ...]:
        """Where else the same is installed."""

    @property
    def purl(self) -> str:
        """Its package URL."""


class Vulnerability(NamedTuple):
    """One vulnerability of one package, however many records tell of it."""

    id: str
    aliases: tuple[str, ...]
    severity: Severity | None  # None: nobody says
    score: float | None
    summary: str
    ecosystem: str
    name: str  # as advisories list it: of a source package, perhaps
    installed: str  # the version that was compared
    fixed: str  # "" when there is none yet
    remark: str  # what the distribution says of it; "" for nothing
    packages: tuple[int, ...]  # indices into the packages that were judged


class Undecided(NamedTuple):
    """An advisory of which it cannot be told whether it holds."""

    id: str
    aliases: tuple[str, ...]
    ecosystem: str
    name: str
    installed: str
    reason: str
    packages: tuple[int, ...]


class Scope(NamedTuple):
    """How much is known of the packages of one ecosystem: `state` is `MATCHED`, `NO_DATA` or `NO_HOME`."""

    label: str
    packages: int
    state: str
    records: int
    newest: str  # when the latest record was modified, RFC 3339; "" when none says
    note: str = ""


class Matches(NamedTuple):
    """What came of it all."""

    vulnerabilities: tuple[Vulnerability, ...]  # the worst first
    undecided: tuple[Undecided, ...]
    scopes: tuple[Scope, ...]
    notices: tuple[str, ...]


class _Group:
    """Packages that advisories list under one name and version."""

    __slots__ = ("home", "name", "packages", "version")

    def __init__(self, home: Home, name: str, version: str) -> None:
        self.home = home
        self.name = name
        self.version = version
        self.packages: list[int] = []


class _Hit(NamedTuple):
    advisory: Advisory
    answer: Answer
    severity: Severity | None
    remark: str


def bases(packages: Iterable[Installed], system: System | None) -> frozenset[str]:
    """Return the ecosystems, without releases, that packages are of: the folders of a mirror that are worth reading."""
    homes = [ecosystems.home(kind, system) for kind in {package.kind for package in packages}]
    return frozenset(home.base for home in homes if home is not None)


def match(packages: tuple[Installed, ...], system: System | None, database: Database, owner: Callable[[str], str]) -> Matches:
    """Return what a mirror says of packages. Raises `HardenError` when an index of it is damaged.

    `owner` gives the package of the distribution that a path of the image is of, "" when it is of none.
    """
    known = database.ecosystems()
    scopes: dict[str, tuple[Home | None, int]] = {}
    groups: dict[tuple[str, str, str], _Group] = {}
    brought = 0
    for index, package in enumerate(packages):
        home = ecosystems.home(package.kind, system)
        if home is not None and package.kind in ecosystems.LANGUAGES and all(owner(path) for path in (package.path, *package.places)):
            brought += 1
            continue
        label = home.label if home else _homeless(package.kind, system)
        scopes[label] = (home, scopes.get(label, (home, 0))[1] + 1)
        if home:
            for name, version in _lookups(home, package):
                groups.setdefault((home.base, name, version), _Group(home, name, version)).packages.append(index)
    found: list[Vulnerability] = []
    undecided: list[Undecided] = []
    held = {label: _ecosystems_of(home, known) for label, (home, _) in scopes.items() if home}
    headers: dict[str, int] = {}
    for group in groups.values():
        hits = list(_hits(group, held[group.home.label], database))
        if hits and all(ecosystems.is_of_kernel(packages[index].source, packages[index].name) for index in group.packages):
            name = packages[group.packages[0]].name
            headers[name] = headers.get(name, 0) + len(hits)
            continue
        affected, unknown = _merge(group, hits)
        found += affected
        undecided += unknown
    found = _once(found)
    notices = [f"{name} is only headers: {count} advisories on the kernel's own code are left out" for name, count in headers.items()]
    if brought:
        notices.append(f"{brought} packages of Python, npm or Go that the distribution brought are judged as its packages")
    found.sort(key=lambda each: (-_rank(each.severity), each.name, each.installed, each.id))
    undecided.sort(key=lambda each: (each.name, each.installed, each.id))
    return Matches(
        tuple(found), tuple(undecided), tuple(_scope(label, *each, known) for label, each in sorted(scopes.items())), tuple(notices)
    )


def _lookups(home: Home, package: Installed) -> Iterator[tuple[str, str]]:
    """Yield the names under which advisories may list a package, each with the version that they mean."""
    source = package.source or package.name
    if home.by == "source":
        yield source, package.source_version or package.version
        return
    yield ecosystems.listed_name(package.kind, package.name), package.version
    if home.by == "both" and source != package.name:
        yield source, package.source_version or package.version


def _homeless(kind: str, system: System | None) -> str:
    return (
        f"{kind} of {f'{system.id} {system.version_id}'.strip()}"
        if system is not None and system.id
        else f"{kind} of an unknown distribution"
    )


def _ecosystems_of(home: Home, known: dict[str, Coverage]) -> list[str]:
    """Return the ecosystems of the mirror that hold; those with fixes for subscribers only when there are no others."""
    return [name for name in known if home.holds(name)] or [name for name in known if name in home.paid]


def _scope(label: str, home: Home | None, count: int, known: dict[str, Coverage]) -> Scope:
    if home is None:
        return Scope(label, count, NO_HOME, 0, "")
    names = _ecosystems_of(home, known)
    if not any(known[name].records for name in names):
        others = [name for name in known if name.partition(":")[0] == home.base]
        return Scope(label, count, NO_DATA, 0, "", "the mirror has other releases only" if others else "")
    paid = "the fixes come with a subscription" if any(name in home.paid for name in names) else ""
    newest = max(known[name].newest for name in names)
    return Scope(label, count, MATCHED, sum(known[name].records for name in names), newest, paid)


def _hits(group: _Group, names: list[str], database: Database) -> Iterator[_Hit]:
    seen = set()
    for ecosystem in names:
        for advisory in database.find(ecosystem, group.name):
            key = (advisory.id, ecosystem)
            if key in seen:
                continue
            seen.add(key)
            answer = ranges.judge(advisory.affected, group.version, group.home.scheme)
            if answer.state == ranges.CLEAR:
                continue
            told = [block.severity for block in advisory.affected if block.severity is not None]
            remark = next((block.remark for block in advisory.affected if block.remark), "")
            yield _Hit(advisory, answer, max(told) if told else advisory.severity, remark)


def _merge(group: _Group, hits: list[_Hit]) -> tuple[list[Vulnerability], list[Undecided]]:
    """Return one row for each vulnerability that the records tell of."""
    links: dict[str, str] = {}

    def root(name: str) -> str:
        while links.setdefault(name, name) != name:
            name = links[name]
        return name

    told: list[tuple[str, _Hit]] = []
    for hit in hits:
        advisory = hit.advisory
        names = (advisory.id, *advisory.aliases, *advisory.upstream)
        cves = sorted({found[0] for name in names if (found := _CVE.search(name))})
        if len(cves) > 1:  # an advisory of a distribution on several: each is counted, and itself is another name of all
            told += [(cve, hit) for cve in cves]
            continue
        for name in (*names, *cves):
            links[root(name)] = root(advisory.id)
        told.append((advisory.id, hit))
    classes: dict[str, list[_Hit]] = {}
    members: dict[str, set[str]] = {}
    for name, hit in told:
        key = root(name)
        classes.setdefault(key, []).append(hit)
        members.setdefault(key, set()).update((name, hit.advisory.id))
    for name in links:
        if root(name) in members:
            members[root(name)].add(name)
    vulnerabilities, undecided = [], []
    for key, same in classes.items():
        ids = sorted(members[key], key=_by_fame)
        certain = [hit for hit in same if hit.answer.state == ranges.AFFECTED]
        if certain:
            vulnerabilities.append(_vulnerability(group, ids, certain))
        else:
            row = Undecided(
                ids[0], tuple(ids[1:]), group.home.label, group.name, group.version, same[0].answer.reason, tuple(group.packages)
            )
            undecided.append(row)
    return vulnerabilities, undecided


def _vulnerability(group: _Group, ids: list[str], hits: list[_Hit]) -> Vulnerability:
    severities = [hit.severity for hit in hits if hit.severity is not None]
    scores = [hit.advisory.score for hit in hits if hit.advisory.score is not None]
    fixes = [hit.answer.fixed for hit in hits if hit.answer.fixed]
    return Vulnerability(
        ids[0],
        tuple(ids[1:]),
        max(severities) if severities else None,
        max(scores) if scores else None,
        next((hit.advisory.summary for hit in hits if hit.advisory.summary), ""),
        group.home.label,
        group.name,
        group.version,
        ranges.highest(fixes, comparison(group.home.scheme)),
        next((hit.remark for hit in hits if hit.remark), ""),
        tuple(group.packages),
    )


def _once(found: list[Vulnerability]) -> list[Vulnerability]:
    """Return rows without those that another has too: of a package that advisories list under its own name and under its source's."""
    rows: list[Vulnerability] = []
    taken: set[tuple[str, int]] = set()
    for each in sorted(found, key=lambda row: -len(row.packages)):
        fresh = tuple(index for index in each.packages if (each.id, index) not in taken)
        if fresh:
            taken.update((each.id, index) for index in fresh)
            rows.append(each._replace(packages=fresh))
    return rows


def _by_fame(name: str) -> tuple[int, str]:
    return next((rank for rank, prefix in enumerate(_RANKS) if name.startswith(prefix)), len(_RANKS)), name


def _rank(severity: Severity | None) -> float:
    return Severity.MEDIUM - 0.5 if severity is None else severity  # it counts as medium; see verdict.UNGRADED
