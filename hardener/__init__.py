"""Security linting and hardening for containers: read, judge, run, say."""

__version__ = "0.1.0"
