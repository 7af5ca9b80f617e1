"""Compose projects from texts, for tests."""

from hardener.sources import compose
from hardener.sources.service import Project
from hardener.text import Place, SourceFile

FOLDER = "/project"


def project(files: dict[str, str], *names: str, options: compose.Options | None = None) -> Project:
    """Return the project of files by name (relative to the project's folder): those named, or the first."""
    texts = {f"{FOLDER}/{name}": text for name, text in files.items()}

    def read(path: str) -> SourceFile | None:
        return SourceFile(path.removeprefix(f"{FOLDER}/"), texts[path]) if path in texts else None

    chosen = [SourceFile(name, files[name]) for name in names or (next(iter(files)),)]
    return compose.load(chosen, FOLDER, read, options or compose.Options())


def at(place: Place) -> str:
    """Return where a place is and what stands there: `compose.yaml:3:5 nginx`."""
    return f"{place.at} {place.text}"


def notes(history: tuple[tuple[Place, str], ...]) -> list[str]:
    """Return the notes of a value."""
    return [f"{at(place)}: {text}" for place, text in history]


def problems(found: Project, *codes: str) -> list[str]:
    """Return the problems (of some codes) with their places."""
    return [f"{problem.code} {at(problem.place)}" for problem in found.problems if not codes or problem.code in codes]
