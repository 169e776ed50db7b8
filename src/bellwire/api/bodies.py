"""JSON bodies that may be left out (wire contract, 2.2).

SDKs send `Content-Type: application/json` with GET, DELETE and an empty POST, and JS the four bytes `null`: both are an
empty body, and no error.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, Signature
from typing import TypeVar

from fastapi import Body
from pydantic import BaseModel

M = TypeVar("M", bound=BaseModel)


def optional_json(model: type[M]) -> Callable[..., M | None]:
    """A dependency that reads a JSON body of `model`, or None when the body is empty or `null`.

    Use it as a default: `body: Renewal | None = Depends(optional_json(Renewal))`. OpenAPI shows the body as optional.
    Refused are: what is not JSON with CMN-103, what is not a `model` with CMN-101, another media type with 415.
    """

    async def body_or_none(body: M | None) -> M | None:
        return body

    # FastAPI reads a dependency's signature; this one's type is known only here.
    body_or_none.__signature__ = Signature(  # type: ignore[attr-defined]
        [Parameter("body", Parameter.POSITIONAL_OR_KEYWORD, default=Body(default=None), annotation=model | None)]
    )
    return body_or_none  # type: ignore[return-value]
