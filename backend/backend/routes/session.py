"""Signing in to the console over HTTP."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, SecretStr

from cleanplate.contract.problems import NotFound
from cleanplate.runtime.bodies import read_body
from cleanplate.runtime.sessions import Sessions

LIMIT_BYTES = 8192
_UNKEPT = {"Cache-Control": "no-store"}


class Login(BaseModel):
    """What signs in."""

    password: SecretStr = Field(max_length=1000)


class SessionView(BaseModel):
    """Whether there is a password, and whether the caller has given it."""

    required: bool
    signed_in: bool


_BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": Login.model_json_schema()}}}}


class SessionRoutes:
    """The routes of `router`, with what they need; without sessions they say that there is no password."""

    def __init__(self, sessions: Sessions | None, body_timeout_s: float):
        self._sessions = sessions
        self._body_timeout_s = body_timeout_s
        self.router = APIRouter(prefix="/api/v1/session", tags=["session"])
        add = self.router.add_api_route
        add("", self.read, methods=["GET"])
        add("", self.sign_in, methods=["POST"], status_code=204, openapi_extra=_BODY)
        add("", self.sign_out, methods=["DELETE"], status_code=204)

    async def read(self, request: Request, response: Response) -> SessionView:
        """Say whether a password is asked for, and whether this browser has signed in."""
        response.headers.update(_UNKEPT)
        if self._sessions is None:
            return SessionView(required=False, signed_in=False)
        return SessionView(required=True, signed_in=self._sessions.signed_in(request))

    async def sign_in(self, request: Request) -> Response:
        """Sign in: the answer sets a cookie. 401 for another password; 429 when too many were tried."""
        if self._sessions is None:
            raise NotFound("there is no password to sign in with")
        body = await read_body(request, self._body_timeout_s, LIMIT_BYTES)
        response = Response(status_code=204, headers=_UNKEPT)
        password = Login.model_validate_json(body).password.get_secret_value()
        self._sessions.sign_in(request, password, response)
        return response

    async def sign_out(self, request: Request) -> Response:
        """Take the cookie from this browser."""
        response = Response(status_code=204, headers=_UNKEPT)
        if self._sessions is not None:
            self._sessions.sign_out(request, response)
        return response
