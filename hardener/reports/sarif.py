"""SARIF 2.1.0, for code scanning and editors.

What consumers get wrong without help decides the details: every result has a place and a stable fingerprint, columns count
UTF-16 code units and select exactly the text of the finding, paths are relative to a declared root, every rule that ran is
described, and a run without findings is still a whole run. No times, host names or absolute paths: equal runs, equal reports.

Source: SARIF 2.1.0 Errata 01 (OASIS); GitHub's page on SARIF support for code scanning for the `properties` of rules.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import quote

from hardener import __version__
from hardener.finding import FileError, Finding, Location, Report, Rule, Severity, Suppressed
from hardener.record import NamedTuple
from hardener.reports.encode import Json, encode
from hardener.reports.excerpt import scrub
from hardener.reports.references import CIS, CWE, OWASP, Reference, reference
from hardener.text import Position

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
ROOT: Final = "SRCROOT"
AUTOMATION: Final = "hardener/lint/"
SNIPPET: Final = 2_000  # characters of source beyond which a snippet is left out: a wrong one would be worse
AROUND: Final = 120  # characters on either side that the context of a place in a long line has
TAGS: Final = 20  # GitHub refuses a rule with more

LEVELS: Final[Mapping[Severity, str]] = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}
PROBLEMS: Final[Mapping[Severity, str]] = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "recommendation",
    Severity.INFO: "recommendation",
}
# The middle of the bands in which GitHub shows critical, high, medium and low; 0.0 is none of them.
SCORES: Final[Mapping[Severity, str]] = {
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.5",
    Severity.LOW: "2.5",
    Severity.INFO: "0.0",
}
ORGANIZATIONS: Final[Mapping[str, str]] = {CIS: "Center for Internet Security", CWE: "MITRE", OWASP: "OWASP Foundation"}
ABOUT: Final[Mapping[str, str]] = {
    CIS: "Recommendations for the secure configuration of Docker",
    CWE: "Common Weakness Enumeration",
    OWASP: "The ten most important risks of Docker containers",
}
ERRORS: Final[Mapping[str, str]] = {
    "unreadable": "A file, or a part of it, that could not be checked",
    "internal": "A defect of hardener: a rule that failed on a file",
}

_ASTRAL: Final = re.compile("[\U00010000-\U0010ffff]")


class Taxon(NamedTuple):
    """Where one reference ended up: indices into `run.taxonomies` and into its `taxa`."""

    taxonomy: int
    taxon: int


def render(report: Report, *, color: bool = False, automation: str = AUTOMATION) -> str:
    """Return the report as one SARIF log with one run; `automation` keeps the runs of different commands apart."""
    return encode({"$schema": SCHEMA, "version": "2.1.0", "runs": [_Run(report, automation).json()]}, depth=6) + "\n"


def uri(path: str) -> str:
    """Return the percent-encoded URI reference of a path; bytes that are not UTF-8 come out as they are on disk."""
    plain = path.removeprefix("./")
    try:
        data = plain.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half of a UTF-16 pair in a Windows file name
        data = plain.encode("utf-8", "surrogatepass")
    return quote(data, safe="/")


class _Run:
    """Collects what the parts of a run refer to by index."""

    def __init__(self, report: Report, automation: str) -> None:
        self.report = report
        self.automation = automation
        rules = {rule.id: rule for rule in report.rules}
        for finding in (*report.findings, *(entry.finding for entry in report.suppressed)):
            rules.setdefault(finding.rule.id, finding.rule)
        self.rules = [rules[id_] for id_ in sorted(rules)]
        self.rule_index = {rule.id: index for index, rule in enumerate(self.rules)}
        self.artifact_index = {path: index for index, path in enumerate(report.files)}
        self.references = {text: reference(text) for rule in self.rules for text in rule.references}
        self.taxonomies: list[Json] = []
        self.toolbox: list[Json] = []  # a reference to each taxonomy
        self.taxa: dict[str, Taxon] = {}
        self._classify()
        self.wide: dict[str, list[int]] = {}

    def json(self) -> Json:
        report = self.report
        results = [self._result(finding, None) for finding in report.findings]
        results.extend(self._result(entry.finding, entry) for entry in report.suppressed)
        driver: dict[str, Json] = {
            "name": "hardener",
            "fullName": f"hardener {__version__}",
            "semanticVersion": __version__,
            "language": "en-US",
            "shortDescription": {"text": "Security linting and hardening for containers"},
            "rules": [self._rule(rule) for rule in self.rules],
            "notifications": [{"id": id_, "shortDescription": {"text": text}} for id_, text in ERRORS.items()],
        }
        if self.toolbox:
            driver["supportedTaxonomies"] = list(self.toolbox)
        run: dict[str, Json] = {
            "tool": {"driver": driver},
            "automationDetails": {"id": self.automation},
            "invocations": [self._invocation()],
            "originalUriBaseIds": {ROOT: {"description": {"text": "The folder in which hardener was run."}}},
            "columnKind": "utf16CodeUnits",
            "defaultEncoding": "utf-8",
            "artifacts": [{"location": self._artifact_location(path)} for path in report.files],
        }
        if self.taxonomies:
            run["taxonomies"] = self.taxonomies
        run["results"] = results
        return run

    def _classify(self) -> None:
        """Sort the references of all rules into taxonomies, one for each catalogue and version."""
        groups: dict[tuple[str, str], list[Reference]] = {}
        for item in self.references.values():
            if item.catalogue:
                groups.setdefault((item.catalogue, item.version), []).append(item)
        for number, ((catalogue, version), items) in enumerate(sorted(groups.items())):
            items.sort(key=lambda item: [int(part) for part in re.findall(r"\d+", item.id)])
            taxa: list[Json] = []
            for index, item in enumerate(items):
                self.taxa[item.text] = Taxon(number, index)
                taxon: dict[str, Json] = {"id": item.id, "shortDescription": {"text": item.title or item.label}, "helpUri": item.url}
                taxa.append(taxon)
            component: dict[str, Json] = {"name": catalogue}
            if version:
                component["version"] = version
            component["organization"] = ORGANIZATIONS[catalogue]
            component["shortDescription"] = {"text": ABOUT[catalogue]}
            component["isComprehensive"] = False
            component["taxa"] = taxa
            self.taxonomies.append(component)
            self.toolbox.append({"name": catalogue, "index": number})

    def _rule(self, rule: Rule) -> Json:
        described: dict[str, Json] = {
            "id": rule.id,
            "name": "".join(part.capitalize() for part in rule.name.split("-")),
            "shortDescription": {"text": rule.title},
            "fullDescription": {"text": rule.why.strip() or rule.title},
        }
        references = [self.references[text] for text in rule.references]
        address = next((item.url for item in references if not item.catalogue and item.url), "")
        if address:
            described["helpUri"] = address
        described["help"] = {"text": _help_text(rule, references), "markdown": _help_markdown(rule, references)}
        described["defaultConfiguration"] = {"level": LEVELS[rule.severity]}
        relationships: list[Json] = []
        for item in references:
            if (taxon := self.taxa.get(item.text)) is not None:
                target: Json = {"id": item.id, "index": taxon.taxon, "toolComponent": self.toolbox[taxon.taxonomy]}
                relationships.append({"target": target, "kinds": ["relevant"]})
        if relationships:
            described["relationships"] = relationships
        weaknesses = [f"external/cwe/{item.id.lower()}" for item in references if item.catalogue == CWE]
        # GitHub heeds the score of rules that are tagged so, and shows the others as mere quality findings.
        security = ["security"] if relationships and rule.severity > Severity.INFO else []
        tags = list(dict.fromkeys((*security, *rule.tags, *weaknesses)))[:TAGS]
        described["properties"] = {
            "tags": list(tags),
            "precision": rule.confidence.label,
            "security-severity": SCORES[rule.severity],
            "problem.severity": PROBLEMS[rule.severity],
            "severity": rule.severity.label,
            "confidence": rule.confidence.label,
            "aliases": list(rule.aliases),
        }
        return described

    def _result(self, finding: Finding, suppressed: Suppressed | None) -> Json:
        result: dict[str, Json] = {
            "ruleId": finding.rule.id,
            "ruleIndex": self.rule_index[finding.rule.id],
            "kind": "fail",
            "level": LEVELS[finding.severity],
            "message": {"text": scrub(finding.message)},
            "locations": [{"physicalLocation": self._physical(finding.location)}],
        }
        if finding.related:
            result["relatedLocations"] = [
                {"id": number, "physicalLocation": self._physical(place), "message": {"text": scrub(label)}}
                for number, (place, label) in enumerate(finding.related, 1)
            ]
        result["partialFingerprints"] = {"hardener/v1": finding.fingerprint}
        # Either all results of a run have the member or none has (3.27.23); empty says: known not to be suppressed.
        result["suppressions"] = [] if suppressed is None else [_suppression(suppressed)]
        fix = finding.fix
        if suppressed is None and fix is not None and fix.safety == "safe" and finding.edits:
            changes = self._changes(finding.edits)
            result["fixes"] = [{"description": {"text": fix.description}, "artifactChanges": changes}]
        result["properties"] = {"severity": finding.severity.label, "security-severity": SCORES[finding.severity]}
        return result

    def _changes(self, edits: Iterable[tuple[Location, str]]) -> Json:
        replacements: dict[str, list[Json]] = {}
        for place, text in edits:
            replacement: dict[str, Json] = {"deletedRegion": self._region(place)}
            if text:
                replacement["insertedContent"] = {"text": text}
            replacements.setdefault(place.path, []).append(replacement)
        return [{"artifactLocation": self._artifact_location(path), "replacements": items} for path, items in replacements.items()]

    def _artifact_location(self, path: str) -> dict[str, Json]:
        if path.startswith("/"):
            return {"uri": f"file://{uri(path)}"}
        return {"uri": uri(path), "uriBaseId": ROOT}

    def _physical(self, place: Location) -> Json:
        artifact = self._artifact_location(place.path)
        index = self.artifact_index.get(place.path)
        if index is not None:
            artifact["index"] = index
        region = self._region(place)
        snippet = _snippet(place)
        if snippet is not None:
            region["snippet"] = {"text": snippet}
        physical: dict[str, Json] = {"artifactLocation": artifact, "region": region}
        context = self._context(place)
        if context is not None:
            physical["contextRegion"] = context
        return physical

    def _region(self, place: Location) -> dict[str, Json]:
        if place.start.line == place.end.line:
            first = last = place.lines
        else:
            stop = place.lines.find("\n")
            first = place.lines if stop < 0 else place.lines[:stop]
            last = place.lines[place.lines.rfind("\n") + 1 :]
        return {
            "startLine": place.start.line,
            "startColumn": self._column(first, place.start),
            "endLine": place.end.line,
            "endColumn": self._column(last, place.end),
        }

    def _column(self, line: str, position: Position) -> int:
        """Return the column in UTF-16 code units; a line is scanned once, however many findings it has."""
        if line.isascii() or position.column == 1:
            return position.column
        wide = self.wide.get(line)
        if wide is None:
            wide = self.wide[line] = [match.start() for match in _ASTRAL.finditer(line)]
        return position.column + bisect_left(wide, position.column - 1)

    def _context(self, place: Location) -> Json:
        """Return the lines around a region, or a part of a long line; nothing when there is no more to show than the region."""
        start, end = place.start, place.end
        if start.line == end.line:
            line = place.lines
            left = max(0, start.column - 1 - AROUND)
            right = min(len(line), end.column - 1 + AROUND)
            if right - left > SNIPPET or (left, right) == (start.column - 1, end.column - 1):
                return None
            return {
                "startLine": start.line,
                "startColumn": self._column(line, Position(start.line, left + 1)),
                "endLine": start.line,
                "endColumn": self._column(line, Position(start.line, right + 1)),
                "snippet": {"text": line[left:right]},
            }
        text = _snippet(place)
        if text is None or len(place.lines) > SNIPPET or start.column == 1:
            return None
        ending = "\r\n" if "\r\n" in text else "\n"
        lines = place.lines.replace("\n", ending)
        if end.column == 1:  # the region takes the last line's terminator in, so its context must
            return {"startLine": start.line, "endLine": end.line, "endColumn": 1, "snippet": {"text": lines + ending}}
        return {"startLine": start.line, "endLine": end.line, "snippet": {"text": lines}}

    def _invocation(self) -> Json:
        invocation: dict[str, Json] = {"executionSuccessful": not self.report.errors, "exitCode": self.report.exit_code}
        notifications = [self._notification(error) for error in self.report.errors]
        notifications.extend({"level": "note", "message": {"text": scrub(notice)}} for notice in self.report.notices)
        if notifications:
            invocation["toolExecutionNotifications"] = notifications
        return invocation

    def _notification(self, error: FileError) -> Json:
        physical: dict[str, Json] = {"artifactLocation": self._artifact_location(error.path)}
        if error.line:
            physical["region"] = {"startLine": error.line}
        return {
            "descriptor": {"id": error.kind, "index": list(ERRORS).index(error.kind)},
            "level": "error",
            "message": {"text": scrub(error.message)},
            "locations": [{"physicalLocation": physical}],
        }


def _snippet(place: Location) -> str | None:
    """Return the exact text of a place; None when it is long, or mixes line ends so that it cannot be told."""
    length = place.span.end - place.span.start
    if length > SNIPPET:
        return None
    if place.start.line == place.end.line:
        return place.lines[place.start.column - 1 : place.end.column - 1]
    text = place.text
    if len(text) < length:
        text = text.replace("\n", "\r\n")
    return text if len(text) == length else None


def _suppression(entry: Suppressed) -> Json:
    suppression: dict[str, Json] = {
        "kind": "inSource" if entry.kind == "inline" else "external",
        "status": "accepted",
        "justification": scrub(entry.reason) or f"no reason given ({entry.kind})",
    }
    properties: dict[str, Json] = {"source": entry.kind}
    if entry.expires:
        properties["expires"] = entry.expires
    suppression["properties"] = properties
    return suppression


def _help_text(rule: Rule, references: list[Reference]) -> str:
    parts = [rule.why.strip(), rule.how.strip()]
    if references:
        parts.append("References:\n" + "\n".join(f"- {item.label}" for item in references))
    return "\n\n".join(part for part in parts if part) or rule.title


def _help_markdown(rule: Rule, references: list[Reference]) -> str:
    parts = [f"**{rule.title}**", rule.why.strip()]
    if rule.how:
        parts.append(f"### How to fix\n\n{rule.how.strip()}")
    if references:
        listed = (f"- [{item.label}]({item.url})" if item.url else f"- {item.label}" for item in references)
        parts.append("### References\n\n" + "\n".join(listed))
    if rule.aliases:
        parts.append("Same check elsewhere: " + ", ".join(f"`{alias}`" for alias in rule.aliases))
    return "\n\n".join(part for part in parts if part)
