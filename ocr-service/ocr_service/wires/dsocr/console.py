"""This wire's console: one page that hands documents in and lists tasks, behind a password where one is set."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse

from cleanplate.contract.problems import Forbidden, NotFound, Problem, TooManyAttempts, Unauthorized
from cleanplate.runtime.bodies import read_upload
from ocr_service.wires import refusals
from ocr_service.wires.dsocr.access import Door

PAGES = Path(__file__).with_name("pages")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with less a browser says no origin when it sends the form
    "Cache-Control": "no-cache",
}
NOTE = "<!-- note -->"  # the place for it on the page to sign in
SIGN_OUT = '<a href="/logout">Sign out</a>'


class ConsoleRoutes:
    """The routes of `router`, with what they need."""

    def __init__(self, door: Door, body_timeout_s: float):
        self._door = door
        self._body_timeout_s = body_timeout_s
        self._login = (PAGES / "login.html").read_text()
        index = (PAGES / "index.html").read_text()
        self._index = index if door.sessions is not None else index.replace(SIGN_OUT, "")
        self.router = APIRouter(include_in_schema=False)
        self.router.add_api_route("/", self.page, methods=["GET"])
        self.router.add_api_route("/console.js", self.script, methods=["GET"])
        self.router.add_api_route("/console.css", self.style, methods=["GET"])
        self.router.add_api_route("/login", self.login_page, methods=["GET"])
        self.router.add_api_route("/login", self.login, methods=["POST"])
        self.router.add_api_route("/logout", self.logout, methods=["GET"])

    async def page(self, request: Request) -> Response:
        """Return the console, or the page to sign in."""
        if self._door.sessions is not None and not self._door.signed_in(request):
            return self._login_page(401)
        return HTMLResponse(self._index, headers=HEADERS)

    async def script(self) -> Response:
        """Return what the console does."""
        return _file("console.js")

    async def style(self) -> Response:
        """Return what both pages look like."""
        return _file("console.css")

    async def login_page(self) -> Response:
        """Return the page to sign in."""
        return self._login_page(200)

    async def login(self, request: Request) -> Response:
        """Sign in with the password, and go to the console."""
        if self._door.sessions is None:
            raise NotFound("there is no password: APP_CONSOLE_PASSWORD is not set")
        upload = await read_upload(request, self._body_timeout_s)
        answer = RedirectResponse("/", 303)
        try:
            self._door.sessions.sign_in(request, str(upload.fields.get("password", "")), answer)
        except (Forbidden, TooManyAttempts, Unauthorized) as problem:
            return self._login_page(problem.status, problem)
        return answer

    async def logout(self, request: Request) -> Response:
        """Sign out."""
        answer = RedirectResponse("/", 303)
        if self._door.sessions is not None:
            self._door.sessions.sign_out(request, answer)
        return answer

    def _login_page(self, status: int, problem: Problem | None = None) -> Response:
        headers = refusals.headers(problem) if problem else {}
        headers.pop("www-authenticate", None)  # a browser would ask for a user and a password of its own
        note = problem.detail if problem else ""
        return HTMLResponse(self._login.replace(NOTE, note), status, {**HEADERS, **headers})


def _file(name: str) -> Response:
    return FileResponse(PAGES / name, headers=HEADERS)
