"""`python -m backend.cli`: run the command line."""

from backend.cli.app import app
from backend.cli.completions import answer_shells

if __name__ == "__main__":
    answer_shells()
    app(prog_name="cleanplate")
