"""The files of templates that the alerting file names."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from alerts.templates.catalogue import Catalogue, Source
from driftline.configfile import YamlFile, read_text
from driftline.errors import ConfigError, Problem

#: Files of templates that are read; more are a mistake in a glob.
MAX_FILES = 200


def load_templates(file: YamlFile) -> tuple[Catalogue, list[Problem], list[Problem]]:
    """Return the templates that an alerting file names, with what is wrong with them, and what may be.

    Globs are from the alerting file's own folder.
    """
    sources: list[Source] = []
    problems: list[Problem] = []
    warnings: list[Problem] = []
    for index, glob in enumerate(_globs(file.data)):
        loc = ("templates", index)
        found = _files(file.path.parent, glob)
        if not found:
            warnings.append(
                file.problem(loc, f"no file is named {glob[:200]!r}; correct it, or leave it out")
            )
        for path in found:
            if any(source.name == str(path) for source in sources):
                continue
            try:
                sources.append(Source(str(path), read_text(path)))
            except ConfigError as error:
                problems += error.problems
            if len(sources) > MAX_FILES:
                told = f"more than {MAX_FILES} files of templates; narrow the globs"
                problems.append(file.problem(loc, told))
                return Catalogue(), problems, warnings
    catalogue = Catalogue(tuple(sources))
    problems += [Problem(Path(one.name), one.line, "", one.message) for one in catalogue.mistakes]
    return catalogue, problems, warnings


def _files(folder: Path, glob: str) -> list[Path]:
    pattern = Path(glob)
    root = Path(pattern.anchor) if pattern.is_absolute() else folder
    try:
        found = root.glob(str(pattern.relative_to(pattern.anchor)))
        return sorted(path for path in found if path.is_file())
    except (ValueError, NotImplementedError, OSError):
        return []


def _globs(data: Any) -> Sequence[str]:
    """Return the globs; what is none is told of where the file is validated."""
    held = data.get("templates")
    return [one for one in held if isinstance(one, str) and one] if isinstance(held, list) else []
