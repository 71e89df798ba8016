"""Options under a name."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.presets import applied, read_presets
from backend.settings import PREFIXES, BackendSettings
from cleanplate.contract.problems import Invalid
from cleanplate.runtime.settings import read_settings

FILE = """
[watermark]
mask_dilation = 0.3
match = "©"

[print]
output_format = "same"
"""


def test_a_preset_gives_its_options_and_what_is_given_beside_it_counts_more(tmp_path: Path) -> None:
    (tmp_path / "presets.toml").write_text(FILE)
    presets = read_presets(tmp_path / "presets.toml")
    assert set(presets) == {"watermark", "print"}
    given = {"preset": "watermark", "mask_dilation": 0.1}
    assert applied(presets, given) == {"preset": "watermark", "mask_dilation": 0.1, "match": "©"}
    assert applied(presets, {"quality": 3}) == {"quality": 3}


@pytest.mark.parametrize("name", ["nothing", 3, ["watermark"]])
def test_a_preset_that_is_not_there_is_refused(name: object) -> None:
    with pytest.raises(Invalid, match="known: print"):
        applied({"print": {}}, {"preset": name})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[a]\nmask_dilatoin = 1", "[a] mask_dilatoin"),
        ("[a]\nquality = 300", "[a] quality"),
        ("[a]\npreset = 'b'", "without `preset`"),
        ("a = 3", "[a] must be a table"),
        ("[a", "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_is_wrong_ends_the_start_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str | None, told: str
) -> None:
    if text is not None:
        (tmp_path / "presets.toml").write_text(text)
    monkeypatch.setenv("BACKEND_PRESETS", str(tmp_path / "presets.toml"))
    with pytest.raises(SystemExit):
        read_settings(BackendSettings, PREFIXES)
    said = capsys.readouterr().err
    assert "BACKEND_PRESETS" in said
    assert told in said
