"""Spec -> process: the executor. Each step module has a pure `plan(spec)` and an `apply` that does it, outside or inside the container."""
