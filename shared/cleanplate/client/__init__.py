"""The client of a backend, for Python; it needs httpx and nothing else.

    with Client() as client:
        client.erase("in.png").save("out.png")

What is asked, tried again and understood is written once, in `flows`, `retries` and `log`, without any I/O; `Client`
and `AsyncClient` carry it out.
"""

from cleanplate.client.asynchronous import AsyncClient, AsyncJob
from cleanplate.client.errors import ClientError, JobFailed, NotUnderstood, Refused, Unreachable
from cleanplate.client.results import Result
from cleanplate.client.synchronous import Client, Job
from cleanplate.client.views import Event, Region, View

__all__ = [
    "AsyncClient",
    "AsyncJob",
    "Client",
    "ClientError",
    "Event",
    "Job",
    "JobFailed",
    "NotUnderstood",
    "Refused",
    "Region",
    "Result",
    "Unreachable",
    "View",
]
