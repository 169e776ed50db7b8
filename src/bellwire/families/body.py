"""What the body models of all families are made of.

Models check a body and describe it to readers (JSON schema). Nothing reads their attributes, and a body is never
written from a model: it goes out as it was published. So a field that may be left out has `ABSENT` as its default
whatever its type; `null` in its place is refused, as the published schemas do, unless the type says `None`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, RootModel
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, core_schema

from bellwire.families.phone_numbers import E164_PATTERN

ABSENT: Any = None
"""Default of a field that may be left out."""

_RFC_3339 = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})$"


class _Rfc3339:
    """A string that is a date-time of RFC 3339, calendar included; checked without a call into Python."""

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.chain_schema(
            [
                # The form first: the date-time parser alone would also take a number of seconds, or a blank for the T.
                core_schema.str_schema(pattern=_RFC_3339, max_length=40, strict=True),
                core_schema.datetime_schema(tz_constraint="aware", strict=False),
            ]
        )

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "format": "date-time"}


Id = Annotated[str, Field(min_length=1, max_length=256)]
NumberOrText = Annotated[str, Field(min_length=1, max_length=256)] | int
"""An id that is a string, and a number in old samples."""
PhoneNumber = Annotated[str, Field(pattern=E164_PATTERN, description="E.164")]
Timestamp = Annotated[datetime, _Rfc3339()]
Count = Annotated[int, Field(ge=0)]
Cost = Annotated[float, Field(ge=0)]
Email = Annotated[str, Field(min_length=3, max_length=256, pattern=r"^[^@\s]+@[^@\s]+$")]
Direction = Literal["Inbound", "Outbound"]


def _tidy(schema: dict[str, Any]) -> None:
    """Leave out of a JSON schema what models say by accident: generated titles, and `ABSENT` as a default."""
    schema.pop("title", None)
    for field in schema.get("properties", {}).values():
        field.pop("title", None)
        if "default" in field and field["default"] is None:
            del field["default"]


class Body(BaseModel):
    """Base of bodies and their parts. Unknown fields pass; types are exact: no number written as a string."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        strict=True,
        allow_inf_nan=False,
        alias_generator=to_camel,
        json_schema_extra=_tidy,
        defer_build=True,
    )


class EitherBody(RootModel[Any]):
    """Base of bodies that come in several shapes; a subclass annotates `root` with their union."""

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False, json_schema_extra=_tidy, defer_build=True)
