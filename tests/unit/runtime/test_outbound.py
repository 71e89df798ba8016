"""Nothing goes out but to where it may, and what comes in is measured."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer, unused_port

from cleanplate.contract.problems import (
    AddressRefused,
    FetchFailed,
    Invalid,
    Problem,
    TimedOut,
    TooLarge,
    UpstreamFailed,
)
from cleanplate.runtime.addresses import reach
from cleanplate.runtime.outbound import HEADER, AddressFilter, Outbound, sign, verify

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
REACHES = {
    "never": """
        0.0.0.0 0.1.2.3 169.254.169.254 169.254.0.1 192.0.0.192 192.0.2.1 192.88.99.1 198.18.0.1 198.51.100.1
        203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 100.100.100.200 168.63.129.16
        :: fe80::1 fe80::1%eth0 fec0::1 ff02::1 100::1 2001::1 2001:db8::1 3fff::1 5f00::1 fd00:ec2::254 fd20:ce::254
        64:ff9b:1::1 ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe 2002:a9fe:a9fe::1 ::ffff:0:169.254.169.254
        ::a9fe:a9fe 2001:db8::5efe:1.1.1.1 fe80::5efe:8.8.8.8 ::ffff:0.0.0.0
        localhost 127.1 2130706433 0x7f.0.0.1 0177.0.0.1 127.0.0.01
    """,
    "private": """
        10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.254 172.16.0.1 172.31.255.255
        192.168.1.1 ::1 fc00::1 fdff::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::127.0.0.1 2002:7f00:1::1 2002:c0a8:101::1
        64:ff9b::7f00:1 64:ff9b::10.0.0.1 2606:4700::5efe:10.0.0.1 2606:4700::200:5efe:192.168.0.1 ::ffff:0:127.0.0.1
    """,
    "public": """
        1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.1 172.15.255.255
        172.32.0.0 192.167.255.255 192.169.0.0 223.255.255.255 2606:4700::1111 2a00:1450::1 ::ffff:8.8.8.8
        64:ff9b::808:808 2002:808:808::1 2001:4860:4860::8888
    """,
}
TABLE = {address: reached for reached, addresses in REACHES.items() for address in addresses.split()}


def test_how_far_each_address_reaches() -> None:
    assert {address: reach(address) for address in TABLE} == TABLE


@pytest.mark.parametrize("allow_private", [False, True])
def test_the_filter_opens_only_what_it_is_told(allow_private: bool) -> None:
    addresses = AddressFilter(allow_private=allow_private)
    for address, reached in TABLE.items():
        if reached == "public" or (reached == "private" and allow_private):
            addresses.check(address)
        else:
            with pytest.raises(AddressRefused) as caught:
                addresses.check(address, field="callback_url")
            assert caught.value.field == "callback_url"


def test_a_named_host_may_lead_anywhere() -> None:
    named = AddressFilter(allowed_hosts=frozenset({"minio"}))
    named.check("10.0.0.1", host="MinIO.")
    with pytest.raises(AddressRefused):
        named.check("10.0.0.1", host="minio.example")


class Names(AbstractResolver):
    """Answers each look-up of any name with the next of its addresses."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        if not self.addresses:
            raise OSError("no such name")
        entries = self.addresses.pop(0).split()
        return [
            ResolveResult(hostname=host, host=entry, port=port, family=socket.AF_INET, proto=0, flags=0)
            for entry in entries
        ]

    async def close(self) -> None:
        pass


class Site:
    """A server whose paths are set by the test, and what it was asked."""

    def __init__(self) -> None:
        self.pages: dict[str, Handler] = {}
        self.asked: list[web.Request] = []
        self.bodies: list[bytes] = []
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self.server = TestServer(app)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        self.bodies.append(await request.read())
        return await self.pages[request.path](request)

    def url(self, path: str) -> str:
        return str(self.server.make_url(path))

    def show(self, path: str, data: bytes = b"", status: int = 200, headers: dict[str, str] | None = None) -> str:
        async def answer(request: web.Request) -> web.Response:
            return web.Response(body=data, status=status, headers=headers)

        self.pages[path] = answer
        return self.url(path)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    await site.server.start_server()
    yield site
    await site.server.close()


HOME = Outbound(AddressFilter(allow_private=True))
OUTSIDE = Outbound(AddressFilter())


def looking_up(addresses: AddressFilter, names: Names) -> Outbound:
    return Outbound(addresses, lambda: names)


async def fetched(outbound: Outbound, url: str, limit_bytes: int = 1000, timeout_s: float = 10) -> bytes:
    return await outbound.fetch(url, limit_bytes=limit_bytes, timeout_s=timeout_s, field="image_url")


async def test_what_a_url_holds_is_fetched(site: Site) -> None:
    assert await fetched(HOME, site.show("/a", b"picture")) == b"picture"
    assert await fetched(HOME, site.url("/a"), limit_bytes=7) == b"picture"
    assert await fetched(HOME, site.url("/a"), limit_bytes=0) == b"picture"


async def test_a_literal_address_inside_is_refused(site: Site) -> None:
    port = site.server.port
    for host in ("127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "127.1", "127。0。0。1"):
        with pytest.raises(AddressRefused):
            await fetched(OUTSIDE, f"http://{host}:{port}/a")
    assert not site.asked


def test_a_url_can_be_checked_without_a_look_up() -> None:
    OUTSIDE.check("https://inside.test/a")
    with pytest.raises(AddressRefused):
        OUTSIDE.check("https://[::1]/a")
    with pytest.raises(Invalid):
        OUTSIDE.check("ftp://inside.test/a")


async def test_a_name_that_leads_inside_is_refused(site: Site) -> None:
    for answer in ("127.0.0.1", "8.8.8.8 127.0.0.1", "169.254.169.254", "::1"):
        names = Names(answer)
        with pytest.raises(AddressRefused) as caught:
            await fetched(looking_up(AddressFilter(), names), f"http://inside.test:{site.server.port}/a")
        assert caught.value.field == "image_url"
        assert names.asked == ["inside.test"]
    with pytest.raises(AddressRefused):
        await fetched(OUTSIDE, f"http://localhost:{site.server.port}/a")
    with pytest.raises(AddressRefused):
        await fetched(OUTSIDE, f"http://0x7f.1:{site.server.port}/a")
    assert not site.asked


async def test_the_checked_address_is_the_one_connected_to(site: Site) -> None:
    names = Names("127.0.0.1", "8.8.8.8")  # a second look-up would get another answer
    addresses = AddressFilter(allowed_hosts=frozenset({"flips.test"}))
    site.show("/a", b"picture")
    assert await fetched(looking_up(addresses, names), f"http://flips.test:{site.server.port}/a") == b"picture"
    assert names.asked == ["flips.test"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_followed(site: Site, status: int) -> None:
    site.show("/there/b", b"picture")
    assert await fetched(HOME, site.show("/a", b"x" * 5000, status, {"Location": "there/b"})) == b"picture"
    assert [request.path for request in site.asked] == ["/a", "/there/b"]


async def test_every_hop_is_filtered(site: Site) -> None:
    only_here = AddressFilter(allowed_hosts=frozenset({"127.0.0.1"}))
    names = Names("127.0.0.1")
    for target in ("http://10.0.0.1/", "http://[::1]:1/", "http://inside.test/", "//169.254.169.254/latest"):
        start = site.show("/a", status=302, headers={"Location": target})
        with pytest.raises(AddressRefused):
            await fetched(looking_up(only_here, names), start)
    for target in ("file:///etc/passwd", "ftp://127.0.0.1/", "http://a:99999/"):
        with pytest.raises(Invalid):
            await fetched(HOME, site.show("/a", status=302, headers={"Location": target}))


async def test_a_circle_of_redirects_ends(site: Site) -> None:
    with pytest.raises(FetchFailed, match="more than 5"):
        await fetched(HOME, site.show("/a", status=302, headers={"Location": "/a"}))
    assert len(site.asked) == 6


@pytest.mark.parametrize(
    "url",
    [
        "",
        "picture.png",
        "/a",
        "ftp://a/b",
        "file:///etc/passwd",
        "http://",
        "http://[::1",
        "http://a:b/",
        "http://a:0/",
        "data:,x",
        "http://" + "a" * 70 + ".test/",
        "http://a..b/",
    ],
)
async def test_what_is_not_a_web_address_is_invalid(url: str) -> None:
    for attempt in (fetched(HOME, url), HOME.post_signed(url, {}, "s")):
        with pytest.raises(Invalid) as caught:
            await attempt
        assert caught.value.field in ("image_url", "callback_url")


async def test_the_body_is_measured_while_it_arrives(site: Site) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(bytes(10_000))
        except ConnectionError:
            return response

    site.pages["/endless"] = endless
    for url in (site.url("/endless"), site.show("/declared", bytes(1001))):
        with pytest.raises(TooLarge, match="1000 bytes") as caught:
            await fetched(HOME, url)
        assert caught.value.extra == {"limit": 1000, "limit_name": "max_bytes"}


async def test_packed_bodies_are_not_unpacked(site: Site) -> None:
    assert (
        await fetched(HOME, site.show("/a", b"\x1f\x8b packed", headers={"Content-Encoding": "gzip"}))
        == b"\x1f\x8b packed"
    )
    assert site.asked[0].headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("status", [204, 304, 404, 500])
async def test_only_success_is_success(site: Site, status: int) -> None:
    url = site.show("/a", status=status)
    if status == 204:
        assert await fetched(HOME, url) == b""
        return
    with pytest.raises(FetchFailed, match=str(status)) as caught:
        await fetched(HOME, url)
    assert caught.value.extra == {"upstream_status": status}


async def test_failures_to_connect_are_problems(site: Site) -> None:
    for outbound, url in (
        (HOME, f"http://127.0.0.1:{unused_port()}/"),
        (HOME, site.url("/").replace("http:", "https:")),
        (Outbound(AddressFilter(), Names), "http://nowhere.test/"),
    ):
        with pytest.raises(FetchFailed) as caught:
            await fetched(outbound, url)
        assert caught.value.field == "image_url"
        with pytest.raises(UpstreamFailed):
            await outbound.post_signed(url, {}, "s")


async def test_a_broken_answer_is_a_problem() -> None:
    for answer in (b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", b""):

        async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: bytes = answer) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            writer.close()

        server = await asyncio.start_server(reply, "127.0.0.1", 0)
        async with server:
            with pytest.raises(FetchFailed):
                await fetched(HOME, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")


async def test_a_slow_answer_times_out(site: Site) -> None:
    released = asyncio.Event()

    async def slow(request: web.Request) -> web.Response:
        await released.wait()
        return web.Response()

    site.pages["/slow"] = slow
    with pytest.raises(FetchFailed, match="in time"):
        await fetched(HOME, site.url("/slow"), timeout_s=0.05)
    with pytest.raises(TimedOut):
        await HOME.post_signed(site.url("/slow"), {}, "s", timeout_s=0.05)
    released.set()


async def test_a_callback_is_signed(site: Site) -> None:
    outbound = Outbound(AddressFilter(allow_private=True), clock=lambda: 1_700_000_000.9)
    body = {"task_id": "1", "status": "completed", "message": "好"}
    assert await outbound.post_signed(site.show("/done", status=202), body, "secret") == 202
    request, data = site.asked[0], site.bodies[0]
    assert (request.method, request.content_type) == ("POST", "application/json")
    assert json.loads(data) == body
    assert request.headers[HEADER] == sign("secret", data, 1_700_000_000)
    assert await outbound.post_signed(site.url("/done"), body, "") == 202
    assert HEADER not in site.asked[1].headers


async def test_a_callback_reports_its_status_and_follows_nothing(site: Site) -> None:
    assert await HOME.post_signed(site.show("/a", status=503), {}, "s") == 503
    assert await HOME.post_signed(site.show("/a", status=302, headers={"Location": "/b"}), {}, "s") == 302
    assert len(site.asked) == 2


async def test_a_callback_inside_is_refused(site: Site) -> None:
    with pytest.raises(AddressRefused) as caught:
        await OUTSIDE.post_signed(site.show("/a"), {}, "s")
    assert (caught.value.field, site.asked) == ("callback_url", [])


async def test_every_failure_is_one_of_ours() -> None:
    for url in ("http://nul\0.test/", "http://a b/", "http://%/", "http://\u202e.test/", "http://user:pass@[::]:1/"):
        with pytest.raises(Problem):
            await fetched(Outbound(AddressFilter(), Names), url)


def test_a_signature_is_what_the_documentation_says() -> None:
    expected = hmac.new(b"secret", b"1700000000.body", hashlib.sha256).hexdigest()
    assert sign("secret", b"body", 1_700_000_000) == f"t=1700000000,v1={expected}"


def test_only_a_fresh_genuine_signature_verifies() -> None:
    header = sign("secret", b"body", 1000)
    assert verify("secret", header, b"body", 1000)
    assert verify("secret", header, b"body", 1300)
    assert verify("secret", header, b"body", 700)
    assert verify("secret", "t=1000, v1=old, " + header.split(",")[1], b"body", 1000)
    assert not verify("secret", header, b"body", 1301)
    assert not verify("secret", header, b"body", 699)
    assert verify("secret", header, b"body", 1301, tolerance_s=301)
    assert not verify("other", header, b"body", 1000)
    assert not verify("secret", header, b"bodY", 1000)
    assert not verify("secret", header.replace("t=1000", "t=1001"), b"body", 1000)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=,v1=",
        "t=1000",
        "v1=ab",
        "t=x,v1=ab",
        "t=1000,v1=é",
        "t=1,t=2,v1=a",
        "t=²,v1=a",
        "t=" + "9" * 5000 + ",v1=a",
    ],
)
def test_an_unreadable_signature_does_not_verify(header: str) -> None:
    assert not verify("secret", header, b"body", 1000)
