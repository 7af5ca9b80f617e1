"""Packages held against a mirror of OSV advisories, offline."""
