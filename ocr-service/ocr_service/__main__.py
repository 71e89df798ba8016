"""`python -m ocr_service`: read the settings and serve, or with `worker` run the jobs of those that serve."""

import sys

from cleanplate.runtime.service import is_worker, serve
from cleanplate.runtime.settings import read_settings
from ocr_service.app import make_app
from ocr_service.settings import PREFIXES, OcrSettings

if __name__ == "__main__":
    settings = read_settings(OcrSettings, PREFIXES)
    serve(make_app(settings, worker=is_worker(sys.argv[1:], settings)), settings)
