"""By which names a service may be called."""

from __future__ import annotations

import pytest

from cleanplate.contract.problems import Forbidden
from cleanplate.runtime.hosts import Hosts
from cleanplate.runtime.settings import JobSettings

HOSTS = Hosts(["Erase.example"])


@pytest.mark.parametrize(
    "host",
    [
        None, "", "localhost", "LOCALHOST:8000", "localhost.", "app.localhost:1", "127.0.0.1:8000", "192.168.1.9",
        "[::1]:8000", "[fe80::1]", "backend:8000", "erase.example", "ERASE.example.:443",
    ],
)  # fmt: skip
def test_addresses_short_names_and_known_ones_are_this_service(host: str | None) -> None:
    HOSTS.check(host)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:8000", "www.erase.example", "localhost.evil.example",
        "127.0.0.1.evil.example", "evil.example.", "a@evil.example", "[::1", "erase.example@evil.example", "..",
    ],
)  # fmt: skip
def test_any_other_name_is_a_strangers(host: str) -> None:
    with pytest.raises(Forbidden):
        HOSTS.check(host)
    Hosts("*").check(host)


def test_the_public_address_is_known_by_its_name() -> None:
    settings = JobSettings(hosts="a.example, b.example", public_url="https://Public.example:444/below")
    assert set(settings.host_names()) == {"a.example", "b.example", "public.example"}
