"""What `harden gate` says: the verdict on a policy, and the policy itself, key by key; as text and as JSON."""

from collections.abc import Callable, Iterator
from typing import Final

from hardener import __version__
from hardener.policies.gate import Resolve, Verdict
from hardener.policies.images import IMAGES_KEYS, Images
from hardener.policies.model import GATE_KEYS, Check, Gate, Policy, Word
from hardener.policies.runtime import NO_SWAP, RUNTIME_KEYS, Runtime, size_text
from hardener.record import NamedTuple
from hardener.reports.encode import Json, encode
from hardener.reports.excerpt import one_line, scrub
from hardener.reports.json import finding_object
from hardener.reports.summary import count
from hardener.reports.text import BOLD, DIM, GREEN, RED, error_line, heading, painter

Shown = Callable[[str], str]
"""Makes a place in a policy readable: relative to where the user stands."""

VERSION: Final = 1


def verdict_text(verdict: Verdict, shown: Shown, *, color: bool = False) -> str:
    """Return a block for each violated key, then one line; that line alone when the gate passes."""
    paint = painter(color=color)
    out = []
    for violation in verdict.violations:
        word = violation.word
        out.append(f"{paint(BOLD, one_line(shown(word.where)))}: {paint(RED, word.key)}: {one_line(violation.message)}")
        out += [f"  {heading(finding, paint)}" for finding in violation.findings]
        out.append("")
    report = verdict.report
    out += [error_line(error, paint) for error in report.errors]
    what = f"{count(verdict.demands, 'demand')}, {count(len(report.files), 'file')}, {count(len(report.rules), 'rule')}"
    if verdict.violations:
        violated = f"{len(verdict.violations):,} of {what}"
        end = f"{paint(RED, 'violated')}: {violated}"
    elif report.errors:
        end = f"{paint(RED, 'not passed')}: {count(len(report.errors), 'error')}; {what}"
    else:
        end = f"{paint(GREEN, 'passed')}: {what}"
    signed = verdict.policy.images.signed if verdict.policy.images is not None else ()
    if signed:
        end += "; whether images are signed, `harden run` and `harden image verify` check"
    if verdict.unseen:
        end += f"; {count(len(verdict.unseen), 'part')} could not be seen, `harden lint` shows which"
    out.append(f"{paint(BOLD, _title(verdict.policy))}: {end}")
    return "\n".join(out) + "\n"


def verdict_json(verdict: Verdict, shown: Shown) -> str:
    """Return the verdict as one JSON object."""
    report = verdict.report
    document: dict[str, Json] = {
        "version": VERSION,
        "tool": {"name": "hardener", "version": __version__},
        "policy": _policy(verdict.policy, shown),
        "passed": verdict.exit_code == 0,
        "exit_code": verdict.exit_code,
        "demands": verdict.demands,
        "violations": [
            {
                "key": violation.word.key,
                "where": shown(violation.word.where),
                "asks": violation.message,
                "findings": [finding_object(finding) for finding in violation.findings],
            }
            for violation in verdict.violations
        ],
        "unseen": [finding_object(finding) for finding in verdict.unseen],
        "errors": [{"path": scrub(error.path), "line": error.line, "message": scrub(error.message)} for error in report.errors],
        "files": [scrub(path) for path in report.files],
        "rules": [rule.id for rule in report.rules],
    }
    return encode(document, depth=2) + "\n"


class Row(NamedTuple):
    """One demand of a policy: what it names, where it stands, and what that comes to."""

    key: str  # a key of GATE_KEYS
    value: str
    where: str
    notes: tuple[str, ...] = ()


def policy_text(policy: Policy, resolve: Resolve, shown: Shown, *, color: bool = False) -> str:
    """Return every key of a policy with its meaning, what it asks for, and which line of which file says so."""
    paint = painter(color=color)
    chain = " extends ".join([_title(policy), *(origin.name for origin in policy.extends)])
    out = [paint(BOLD, chain)]
    for path, why in ((policy.path, policy.why), *((origin.path, origin.why) for origin in policy.extends)):
        out.append(f"  {shown(path)}" + (f": {one_line(why)}" if why else ""))
    rows = [*_rows(policy.gate, resolve)]
    for key, meaning in GATE_KEYS.items():
        own = [row for row in rows if row.key == key]
        if not own:
            continue
        out += ["", paint(BOLD, f"gate.{key}"), f"  {meaning}"]
        wide = max(len(row.value) for row in own)
        for row in own:
            out.append(f"    {row.value:<{wide}}  {paint(DIM, shown(row.where))}")
            out += [f"      {note}" for note in row.notes]
    for demand in _runtime_rows(policy.runtime):
        out += ["", paint(BOLD, f"runtime.{demand.key}"), f"  {RUNTIME_KEYS[demand.key]}"]
        out.append(f"    {demand.value}  {paint(DIM, shown(demand.where))}")
    images = [*_images_rows(policy.images)]
    for key in dict.fromkeys(row.key for row in images):
        out += ["", paint(BOLD, f"images.{key}"), f"  {IMAGES_KEYS[key]}"]
        out += [f"    {row.value}  {paint(DIM, shown(row.where))}" for row in images if row.key == key]
    unset = [f"  gate.{key}: {meaning}" for key, meaning in GATE_KEYS.items() if key not in {row.key for row in rows}]
    if unset:
        out += ["", paint(BOLD, "not asked for"), *unset]
    return "\n".join(out) + "\n"


def policy_json(policy: Policy, resolve: Resolve, shown: Shown) -> str:
    """Return every key of a policy as one JSON object."""
    rows = [*_rows(policy.gate, resolve)]
    keys: list[Json] = [
        {
            "key": f"gate.{key}",
            "meaning": meaning,
            "demands": [{"asks": row.value, "where": shown(row.where), "notes": list(row.notes)} for row in rows if row.key == key],
        }
        for key, meaning in GATE_KEYS.items()
    ]
    runtime: list[Json] = [
        {
            "key": f"runtime.{row.key}",
            "meaning": RUNTIME_KEYS[row.key],
            "demands": [{"asks": row.value, "where": shown(row.where), "notes": []}],
        }
        for row in _runtime_rows(policy.runtime)
    ]
    images: list[Json] = [
        {
            "key": f"images.{key}",
            "meaning": meaning,
            "demands": [
                {"asks": row.value, "where": shown(row.where), "notes": []} for row in _images_rows(policy.images) if row.key == key
            ],
        }
        for key, meaning in IMAGES_KEYS.items()
        if policy.images is not None
    ]
    document: dict[str, Json] = {
        "version": VERSION,
        "tool": {"name": "hardener", "version": __version__},
        "policy": _policy(policy, shown),
        "keys": keys,
        "runtime": runtime,
        "images": images,
    }
    return encode(document, depth=2) + "\n"


def _title(policy: Policy) -> str:
    return policy.name + (f" ({policy.environment})" if policy.environment else "")


def _policy(policy: Policy, shown: Shown) -> Json:
    return {
        "name": policy.name,
        "environment": policy.environment or None,
        "path": shown(policy.path),
        "why": policy.why,
        "extends": [{"name": origin.name, "path": shown(origin.path), "why": origin.why} for origin in policy.extends],
    }


def _rows(gate: Gate, resolve: Resolve) -> Iterator[Row]:
    def single(key: str, value: str) -> Row:
        return Row(key, value, gate.places[key].where)

    if gate.fail_on is not None:
        yield single("fail-on", gate.fail_on.label)
    for word in dict.fromkeys(gate.require):
        yield Row(
            "require", word.text + (f": {word.severity.label}" if word.severity is not None else ""), word.where, _named(word, resolve)
        )
    for limit in gate.limits:
        yield Row("thresholds", f"{limit.word.text}: {limit.most}", limit.word.where)
    for word in gate.forbid_ignores:
        yield Row("forbid-ignores", word.text, word.where, () if word.text == "all" else _named(word, resolve))
    if gate.require_reason:
        yield single("require-reason", "true")
    if gate.allowed_registries:
        yield single("allowed-registries", ", ".join(gate.allowed_registries))
    if gate.coverage:
        yield single("coverage", gate.coverage)
    if gate.runtime:
        yield single("runtime", "true")
    for check in gate.checks:
        yield Row("checks", f"{check.word.text}: {check.title}", check.word.where, _answers(check, resolve))
    for name, own in gate.environments.items():
        demands = [f"{row.key}: {row.value}  {row.where}" for row in _rows(own, resolve)]
        yield Row("environments", name, next(iter(own.places.values())).where if own.places else "", tuple(demands))


def _runtime_rows(runtime: Runtime | None) -> Iterator[Row]:
    """Yield every key of `runtime:` that is set, with its value as people would write it."""
    if runtime is None:
        return
    given = runtime.dump()
    for key in RUNTIME_KEYS:
        if key not in given:
            continue
        value = given[key]
        if key == "seccomp":
            value = runtime.seccomp_name
        elif runtime.capabilities is not None and key == "capabilities":
            value = {"given": [*runtime.capabilities.given], "allowed": [*runtime.capabilities.allowed]}
        elif key == "memory-swap" and value == NO_SWAP:
            value = "none"
        elif key in ("memory", "memory-swap", "shm-size"):
            value = _size(value)
        yield Row(key, _written(value), runtime.where(key))


def _images_rows(images: Images | None) -> Iterator[Row]:
    """Yield every demand of `images:`."""
    if images is None:
        return
    for allowed in images.allowed:
        yield Row("allowed-registries", ", ".join(allowed.registries), allowed.where)
    if images.digest_where is not None:
        yield Row("require-digest", "true", images.digest_where)
    for rule in images.signed:
        keys = " or ".join(key.name for key in rule.keys)
        as_what = f", as {' or '.join(rule.signed_as)}" if rule.signed_as else ""
        yield Row("require-signature", f"{rule.registry}: {keys}{as_what}", rule.where)


def _size(value: object) -> str:
    return size_text(value) if isinstance(value, int) else str(value)


def _written(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case dict():
            return "{" + ", ".join(f"{name}: {_size(each) if name == 'size' else _written(each)}" for name, each in value.items()) + "}"
        case list():
            return "[" + ", ".join(_written(each) for each in value) + "]"
        case _:
            return str(value)


def _named(word: Word, resolve: Resolve) -> tuple[str, ...]:
    """Return the rules that a word names, unless it is already all there is to say."""
    names = [f"{rule.id} {rule.name}" for rule in resolve(word.text)]
    return (", ".join(names),) if names else ()


def _answers(check: Check, resolve: Resolve) -> tuple[str, ...]:
    if check.reason:
        return (f"not checkable on text: {check.reason}",)
    names = {f"{rule.id} {rule.name}": None for word in check.words for rule in resolve(word.text)}
    return (", ".join(names) or "no rule answers it yet",)
