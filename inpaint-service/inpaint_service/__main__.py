"""`python -m inpaint_service`: read the settings and serve."""

from cleanplate.runtime.service import serve
from cleanplate.runtime.settings import read_settings
from inpaint_service.app import make_app
from inpaint_service.settings import PREFIXES, InpaintSettings

if __name__ == "__main__":
    settings = read_settings(InpaintSettings, PREFIXES)
    serve(make_app(settings), settings)
