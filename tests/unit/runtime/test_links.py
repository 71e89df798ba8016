"""The service's own address: from the setting, from a trusted proxy, else from the request."""

from __future__ import annotations

import pytest
from starlette.requests import HTTPConnection

from cleanplate.runtime.links import Links


def asked(host: str = "own.test", scheme: str = "http", client: str = "9.9.9.9", **headers: str) -> HTTPConnection:
    named = {"host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return HTTPConnection(
        {
            "type": "websocket" if scheme.startswith("ws") else "http",
            "scheme": scheme,
            "server": ("1.2.3.4", 8000),
            "path": "/asked",
            "query_string": b"",
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in named.items()],
            "client": (client, 1),
        }
    )


FORGED = {"x_forwarded_host": "evil.test", "x_forwarded_proto": "https", "forwarded": "host=evil.test;proto=https"}


def test_the_request_says_where_it_went() -> None:
    assert Links().http(asked(), "/p") == "http://own.test/p"
    assert Links().http(asked("own.test:8443", "https"), "/p") == "https://own.test:8443/p"
    assert Links().http(asked("a_service:80", "https"), "/p") == "https://a_service:80/p"
    assert Links().websocket(asked(scheme="ws"), "/p") == "ws://own.test/p"
    assert Links().websocket(asked(scheme="https"), "/p") == "wss://own.test/p"


def test_the_setting_counts_more_than_anything() -> None:
    links = Links("https://public.test/base/", ["9.9.9.9"])
    assert links.http(asked(**FORGED), "/p") == "https://public.test/base/p"
    assert links.websocket(asked(), "/p") == "wss://public.test/base/p"
    assert (links.fixed("/p"), Links().fixed("/p")) == ("https://public.test/base/p", "/p")


def test_only_a_trusted_proxy_is_believed() -> None:
    links = Links("", ["10.0.0.0/8", "fd00::/8"])
    assert links.http(asked(**FORGED), "/p") == "http://own.test/p"
    assert links.http(asked(client="not an address", **FORGED), "/p") == "http://own.test/p"
    said = {"x_forwarded_host": "front.test, inner.test", "x_forwarded_proto": "https, http"}
    assert links.http(asked(client="10.1.2.3", **said), "/p") == "https://front.test/p"
    assert links.websocket(asked(client="fd00::1", **said), "/p") == "wss://front.test/p"
    forwarded = 'for=1.1.1.1;Host="front.test:8443";Proto=https, for=2.2.2.2;host=inner.test'
    assert links.http(asked(client="10.1.2.3", forwarded=forwarded), "/p") == "https://front.test:8443/p"


@pytest.mark.parametrize("host", ["evil.test/path", "a b", 'evil"', "evil?x", "user@evil", "<x>", ""])
def test_a_host_that_is_none_is_not_repeated(host: str) -> None:
    links = Links("", ["10.0.0.1"])
    assert links.http(asked(host=host, scheme="https"), "/p") == "https://1.2.3.4:8000/p"
    for forwarded in (host, "a" * 261):
        assert links.http(asked(client="10.0.0.1", x_forwarded_host=forwarded), "/p") == "http://own.test/p"


def test_a_scheme_that_is_none_is_not_repeated() -> None:
    links = Links("", ["10.0.0.1"])
    assert links.http(asked(client="10.0.0.1", x_forwarded_proto="javascript"), "/p") == "http://own.test/p"
