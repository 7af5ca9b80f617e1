"""Decisions about images; one module per topic."""
