"""Who calls an older wire: a key in the path, for clients that can send no header, or the usual one in a header."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from cleanplate.runtime import access


def caller(connection: HTTPConnection) -> access.Caller:
    """Return the caller's owner; a `{key}` in the route's path counts instead of the header. Raises Unauthorized."""
    keys: access.Keys = connection.app.state.keys
    given = connection.path_params.get("key")
    return keys.admit(connection, connection.headers.get("authorization") if given is None else f"Bearer {given}")


Caller = Annotated[access.Caller, Depends(caller)]
