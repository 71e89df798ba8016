"""What the backend costs and how it holds up, beside targets; the backend is always the real one, in its own process.

    PYTHONPATH=backend inpaint-service/.venv/bin/python -m tests.bench.jobs

| row | measures |
|---|---|
| one | a 1 MP picture through the three services, against bare calls of OCR, masks and repainting in turn |
| many | a queue of pictures, against the time of the slower model while both are at work; one copy of the OCR engine |
| submits, pushes, lists, memory | the backend alone; the other two services are stand-ins, each a process |

The floor of a job that is verified has the second look too. Each row tells the load of the machine when it ended; on
one that is busy only ratios mean something, and since Linux shares processors among sessions, of which each service is
one, these only when this is another: `setsid -w`. A probe is a request that does nothing, beside those that are timed.
"""

from __future__ import annotations

import argparse
import os

from tests.bench.jobs import costs, load
from tests.bench.targets import WHAT

ROWS = {
    "one": costs.one,
    "many": costs.many,
    "submits": load.submits,
    "pushes": load.pushes,
    "lists": load.lists,
    "memory": load.memory,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--pictures", type=int, default=100, help="how many are queued")
    parser.add_argument("--jobs", type=int, default=1000, help="how many are run for the memory")
    asked = parser.parse_args()
    counts = {"many": asked.pictures, "memory": asked.jobs}
    print(f"{'what':<{WHAT}} {'target':>8} {'figure':>9}  met  load")
    for row in asked.rows:
        for target in ROWS[row](counts.get(row, 0)):
            print(f"{target}  {os.getloadavg()[0]:.1f}", flush=True)


if __name__ == "__main__":
    main()
