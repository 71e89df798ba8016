"""`python -m backend.cli`: run the command line."""

from backend.cli.app import app

if __name__ == "__main__":
    app(prog_name="cleanplate")
