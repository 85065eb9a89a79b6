"""A key of the alerting file that holds a template: compiled as the file is read."""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, GetCoreSchemaHandler, ValidationInfo
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from alerts.errors import TemplateRefused
from alerts.templates.sandbox import Dialect


class TemplateIn:
    """Marks text as a template of a dialect: ``Annotated[str, TemplateIn("plain")]``."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect: Dialect = dialect

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Have the text compiled once it is known to be text."""
        return core_schema.with_info_after_validator_function(self._compiled, handler(source))

    def _compiled(self, text: str, info: ValidationInfo) -> str:
        if info.context is not None:
            try:
                info.context.catalogue.check(self.dialect, text)
            except TemplateRefused as error:
                first, *_ = error.mistakes
                raise PydanticCustomError(
                    "template", "{message}", {"message": first[1], "within": list(error.mistakes)}
                ) from error
        return text


def template_fields(kind: type[BaseModel]) -> dict[str, Dialect]:
    """Return the fields of a config class that hold templates, each with its dialect."""
    found = {name: next(_markers(field), None) for name, field in kind.model_fields.items()}
    return {name: marker.dialect for name, marker in found.items() if marker is not None}


def given_templates(config: BaseModel) -> dict[str, tuple[Dialect, str]]:
    """Return the templates a config gives, by field; ``details.cause`` is the one named cause of a mapping."""
    found: dict[str, tuple[Dialect, str]] = {}
    for name, dialect in template_fields(type(config)).items():
        value = getattr(config, name)
        if isinstance(value, Mapping):
            found |= {f"{name}.{key}": (dialect, text) for key, text in value.items()}
        elif value is not None:
            found[name] = (dialect, value)
    return found


def _markers(field: FieldInfo) -> Iterator[TemplateIn]:
    yield from (one for one in field.metadata if isinstance(one, TemplateIn))
    yield from _within(field.annotation)


def _within(annotation: Any) -> Iterator[TemplateIn]:
    for one in get_args(annotation):
        if isinstance(one, TemplateIn):
            yield one
        metadata = getattr(one, "__metadata__", ())
        yield from (each for each in metadata if isinstance(each, TemplateIn))
        yield from _within(one) if not metadata else ()
