"""What the docs say is what the code says."""

from __future__ import annotations

import re
import runpy
from pathlib import Path


def test_the_pages_made_from_the_settings_are_up_to_date(root: Path) -> None:
    for page, made in runpy.run_path(str(root / "docs" / "settings.py"))["PAGES"].items():
        assert page.read_text().splitlines() == list(made()), f"run docs/settings.py: {page.name} is old"


def test_every_link_in_the_docs_leads_somewhere(root: Path) -> None:
    for page in [root / "README.md", *(root / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
