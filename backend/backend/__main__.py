"""`python -m backend`: read the settings and serve, or with `worker` run the jobs of those that serve."""

import sys

from backend import heap
from backend.app import make_app
from backend.settings import PREFIXES, BackendSettings
from cleanplate.runtime.service import is_worker, serve
from cleanplate.runtime.settings import read_settings

if __name__ == "__main__":
    heap.keep_small()
    settings = read_settings(BackendSettings, PREFIXES)
    serve(make_app(settings, worker=is_worker(sys.argv[1:], settings)), settings)
