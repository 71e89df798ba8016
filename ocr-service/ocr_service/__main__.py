"""`python -m ocr_service`: read the settings and serve."""

from cleanplate.runtime.service import serve
from cleanplate.runtime.settings import read_settings
from ocr_service.app import make_app
from ocr_service.settings import PREFIXES, OcrSettings

if __name__ == "__main__":
    settings = read_settings(OcrSettings, PREFIXES)
    serve(make_app(settings), settings)
