"""cleanplate: its client, and what its services share: `contract` says what crosses the wire, `runtime` runs the jobs.

The client is imported when it is asked for: the services, which import this package too, need nothing of it.
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = ["AsyncClient", "Client", "__version__"]

if TYPE_CHECKING:
    from cleanplate.client import AsyncClient, Client
else:

    def __getattr__(name: str) -> type:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from cleanplate import client

        return getattr(client, name)
