"""Rules: what is wrong, said in YAML, decided by `match:` or by a function in `checks`."""
