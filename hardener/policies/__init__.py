"""Policies: one file says what may be merged, and what may be run."""
