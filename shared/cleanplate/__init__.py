"""cleanplate: what its services share. `contract` says what crosses the wire, `runtime` how jobs are run."""

__version__ = "0.1.0"
