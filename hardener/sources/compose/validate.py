"""What is wrong with a project."""

from hardener.sources.compose.tree import Keys
from hardener.sources.service import Project


def check(project: Project, tree: Keys) -> None:
    pass
