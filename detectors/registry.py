"""Every detector of the package, found by looking: a new file is a new detector."""

import difflib
import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType, ModuleType
from typing import Any

from pydantic import ValidationError

import detectors as package
from detectors.base import Detector
from detectors.errors import DuplicateNameError, InvalidParamsError, UnknownDetectorError

AnyDetector = Detector[Any]


def discover(modules: Iterable[ModuleType]) -> Mapping[str, type[AnyDetector]]:
    """Return the detectors the modules define, by name, in the order of their names.

    A detector is a subclass of `Detector` that gives itself a ``name``; one without is a base for others.

    Raises
    ------
    DuplicateNameError
        When two classes claim one name.
    """
    found: dict[str, type[AnyDetector]] = {}
    for module in modules:
        for cls in _defined_in(module):
            other = found.setdefault(cls.name, cls)
            if other is not cls:
                raise DuplicateNameError(
                    f"detector name {cls.name!r} is claimed by {other.__module__}.{other.__qualname__} "
                    f"and {cls.__module__}.{cls.__qualname__}; rename one of them"
                )
    return MappingProxyType(dict(sorted(found.items())))


def build(name: str, params: Mapping[str, Any], column: str = "") -> AnyDetector:
    """Return a detector for a column.

    Parameters
    ----------
    name
        A key of `DETECTORS`.
    params
        Values for its ``Params``; what is left out keeps its default.
    column
        The column it judges; empty for a detector of the model as a whole.

    Raises
    ------
    UnknownDetectorError
        When there is no such detector.
    InvalidParamsError
        When a parameter is unknown or out of bounds; every one is named.

    Examples
    --------
    >>> build("psi", {"threshold": 0.3}, "age").params.threshold
    0.3
    """
    cls = DETECTORS.get(name)
    if cls is None:
        near = difflib.get_close_matches(name, DETECTORS, n=1)
        remedy = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(DETECTORS)}"
        raise UnknownDetectorError(f"there is no detector {name!r}: {remedy}")
    try:
        return cls(cls.params_class.model_validate(dict(params)), column)
    except ValidationError as error:
        raise InvalidParamsError(f"detector {name!r}: {_explain(error, cls)}") from error


def _explain(error: ValidationError, cls: type[AnyDetector]) -> str:
    problems = [
        f"{'.'.join(map(str, problem['loc'])) or 'params'} = {problem['input']!r}: {problem['msg']}"
        for problem in error.errors()
    ]
    return f"{'; '.join(problems)}. It takes {', '.join(cls.params_class.model_fields)}"


def _defined_in(module: ModuleType) -> Iterator[type[AnyDetector]]:
    for value in vars(module).values():
        is_detector = isinstance(value, type) and issubclass(value, Detector)
        if is_detector and value.__module__ == module.__name__ and "name" in vars(value):
            yield value


def _modules() -> Iterator[ModuleType]:
    for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if found.name != __name__:
            yield importlib.import_module(found.name)


#: Every detector class by name.
DETECTORS: Mapping[str, type[AnyDetector]] = discover(_modules())
#: Every alert kind a detector can raise, sorted; each has a runbook.
KINDS: tuple[str, ...] = tuple(sorted({cls.kind for cls in DETECTORS.values()}))
