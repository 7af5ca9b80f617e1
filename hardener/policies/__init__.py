"""Policies: one file says what may be merged."""
