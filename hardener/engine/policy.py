"""A policy laid over a configuration: it can ask for more, never for less."""

from hardener.engine.config import Choice, Config
from hardener.policies.model import Policy


def tighten(config: Config, policy: Policy) -> None:
    """Change a configuration so that it satisfies the gate of a policy."""
    gate = policy.gate
    if gate.fail_on is not None and (config.fail_on is None or config.fail_on > gate.fail_on):
        config.fail_on = gate.fail_on
        config.note("fail-on", gate.fail_on.label, policy.path)
    config.choices.append([Choice(word.text, True, word.where) for word in gate.forced])
    for word in gate.forced:
        config.floors.append(word.text)
        config.note("extend-select", word.text, word.where, adds=True)
    for word in gate.forbid_ignores:
        config.forbidden_ignores.append(word.text)
        config.note("forbid-ignores", word.text, word.where, adds=True)
    if gate.require_reason and not config.require_reason:
        config.require_reason = True
        config.note("require-reason", "true", policy.path)
    if gate.runtime:
        config.runtime = policy.runtime
        config.note("runtime", "true", gate.places["runtime"].where)
    if policy.images is not None:
        config.images = policy.images
        config.note("images", "true", policy.path)
    if gate.allowed_registries:
        config.trusted_registries[:] = gate.allowed_registries
        for registry in gate.allowed_registries:
            config.note("trusted-registries", registry, policy.path, adds=True)
