"""`python -m backend`: read the settings and serve."""

from backend.app import make_app
from backend.settings import PREFIXES, BackendSettings
from cleanplate.runtime.service import serve
from cleanplate.runtime.settings import read_settings

if __name__ == "__main__":
    settings = read_settings(BackendSettings, PREFIXES)
    serve(make_app(settings), settings)
