"""Two gates made one that asks for what both ask: how a policy extends another, and how an environment adds to its policy."""

from fnmatch import fnmatchcase

from hardener.policies.model import COVERAGE, Check, Gate, Limit, Word


def tighter(base: Gate, own: Gate) -> Gate:
    """Return the gate that asks for what both ask. A value that both set is placed where the stricter one stands."""
    places = {**own.places, **base.places}  # the base's, unless the other is stricter
    fail_on = base.fail_on
    if own.fail_on is not None and (fail_on is None or own.fail_on < fail_on):
        fail_on = own.fail_on
        places |= _own(own, "fail-on")
    coverage = max(base.coverage, own.coverage, key=("", *COVERAGE).index)
    if coverage != base.coverage:
        places |= _own(own, "coverage")
    if own.require_reason and not base.require_reason:
        places |= _own(own, "require-reason")
    if own.runtime and not base.runtime:
        places |= _own(own, "runtime")
    registries = base.allowed_registries or own.allowed_registries
    if base.allowed_registries and own.allowed_registries:
        registries = narrowed(base.allowed_registries, own.allowed_registries)
        places |= _own(own, "allowed-registries")
    environments = dict(base.environments)
    for name, gate in own.environments.items():
        environments[name] = tighter(environments[name], gate) if name in environments else gate
    return Gate(
        fail_on,
        base.require + own.require,
        base.forbid_ignores + own.forbid_ignores,
        base.require_reason or own.require_reason,
        registries,
        _limits(base.limits, own.limits),
        coverage,
        _checks(base.checks, own.checks),
        base.runtime or own.runtime,
        environments,
        places,
    )


def narrowed(base: tuple[str, ...], own: tuple[str, ...]) -> tuple[str, ...]:
    """Return the registries that both lists allow; a pattern of one list allows what it matches in the other."""
    kept = [name for name in own if any(fnmatchcase(name, pattern) for pattern in base)]
    kept += [name for name in base if name not in kept and any(fnmatchcase(name, pattern) for pattern in own)]
    return tuple(kept)


def _own(gate: Gate, key: str) -> dict[str, Word]:
    return {key: gate.places[key]} if key in gate.places else {}


def _limits(base: tuple[Limit, ...], own: tuple[Limit, ...]) -> tuple[Limit, ...]:
    """Return a limit for each word, the lower where both have one."""
    limits = {limit.word.text: limit for limit in base}
    for limit in own:
        if limit.word.text not in limits or limit.most < limits[limit.word.text].most:
            limits[limit.word.text] = limit
    return tuple(limits.values())


def _checks(base: tuple[Check, ...], own: tuple[Check, ...]) -> tuple[Check, ...]:
    """Return every check of both. Saying again that one cannot be checked takes no rule away from it."""
    checks = {check.word.text: check for check in base}
    for check in own:
        old = checks.get(check.word.text)
        if old is None or old.reason:
            checks[check.word.text] = check
        elif not check.reason:
            checks[check.word.text] = old._replace(rules=(*old.words, *check.words))
    return tuple(checks.values())
