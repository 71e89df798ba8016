"""Who calls this wire: who has a key as everywhere, who signed in to its console, or anybody where it is told so."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from cleanplate.contract.problems import Unauthorized
from cleanplate.runtime import access
from cleanplate.runtime.access import Keys
from cleanplate.runtime.links import Links
from ocr_service.wires.dsocr.settings import DsocrSettings

COOKIE = "dsocr_console"


class Door:
    """Lets callers of this wire in. `sessions` are the console's, None without a password. Blocking to make."""

    def __init__(self, settings: DsocrSettings, links: Links):
        password = settings.app_console_password.get_secret_value() if settings.app_console_enabled else ""
        self.sessions = None
        if password:
            from cleanplate.runtime.sessions import Sessions, kept_secret  # its library signs, and is not needed else

            secret = settings.app_session_secret.get_secret_value() or kept_secret(settings.data / "session.secret")
            self.sessions = Sessions(
                password,
                secret,
                COOKIE,
                links,
                secure=settings.app_cookie_secure,
                max_age_s=settings.app_console_session_max_age,
            )
        keys = [] if settings.app_require_auth is False else settings.keys()
        origins, hosts = settings.page_origins(), settings.host_names()
        self._keys = Keys(keys, origins, hosts=hosts)
        self._keys_or_cookie = Keys(keys, origins, self.sessions, hosts)
        self._shut = settings.app_require_auth is True and not keys

    def signed_in(self, connection: HTTPConnection) -> bool:
        """Say whether the caller has signed in to the console."""
        return self.sessions is not None and self.sessions.signed_in(connection)

    def owner(self, connection: HTTPConnection) -> access.Caller:
        """Return the caller's owner.

        Raises:
            Forbidden: a stranger's web page, or a key that is not for this.
            Unauthorized: a key is needed.
        """
        signed_in = self.signed_in(connection)
        if self._shut and not signed_in:
            raise Unauthorized("APP_REQUIRE_AUTH is set and there is no key: set APP_API_KEYS")
        keys = self._keys_or_cookie if signed_in else self._keys
        return keys.admit(connection, connection.headers.get("authorization"))


def caller(connection: HTTPConnection) -> access.Caller:
    """Return the owner that calls; see `Door`."""
    door: Door = connection.app.state.dsocr
    return door.owner(connection)


Caller = Annotated[access.Caller, Depends(caller)]
