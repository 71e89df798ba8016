"""`python -m inpaint_service`: read the settings and serve, or with `worker` run the jobs of those that serve."""

import sys

from cleanplate.runtime.service import is_worker, serve
from cleanplate.runtime.settings import read_settings
from inpaint_service.app import make_app
from inpaint_service.settings import PREFIXES, InpaintSettings

if __name__ == "__main__":
    settings = read_settings(InpaintSettings, PREFIXES)
    serve(make_app(settings, worker=is_worker(sys.argv[1:], settings)), settings)
