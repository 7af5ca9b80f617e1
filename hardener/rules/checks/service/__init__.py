"""Checks on services, by topic: the counterpart of the modules above for compose files, stacks and run lines."""
