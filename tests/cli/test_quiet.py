"""What cron sees: nothing when all is well, everything when it is not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mask_cli.config import colors_wanted, environment_of_others
from mask_cli.errors import ExitCode

ROOT = Path(__file__).parent.parent.parent
ORDERS = str(ROOT / "sample_data" / "orders.csv")
BAD_ROWS = str(ROOT / "sample_data" / "bad_rows.csv")


def run(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**environment_of_others(), "HOME": str(home), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "mask_cli", "--database", str(home / "mask.db"), *words]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=30, check=False
    )


@pytest.mark.parametrize(
    "words",
    [
        ("import", ORDERS),
        ("import", ORDERS, "--dry-run"),
        ("sync",),
        ("sync", "--timeout", "5m"),
        ("prune",),
        ("prune", "--grace", "0"),
    ],
)
def test_a_quiet_run_that_went_well_does_not_make_cron_send_mail(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    done = run(tmp_path, *words, "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (ExitCode.DONE, "", "")


def test_without_quiet_the_counts_are_told(tmp_path: Path) -> None:
    assert '"added": 4' in run(tmp_path, "import", ORDERS, "--format", "json").stdout
    assert '"pruned": 0' in run(tmp_path, "prune", "--format", "json").stdout


def test_quiet_does_not_hide_rows_that_were_not_stored(tmp_path: Path) -> None:
    rejects = str(tmp_path / "rejects.csv")
    words = ("import", BAD_ROWS, "--keep-going", "--rejects", rejects, "--quiet")
    done = run(tmp_path, *words, "--format", "json")
    assert done.returncode == ExitCode.PARTLY
    assert '"rejected": 29' in done.stdout
    assert "line 3, column order" in done.stderr


def test_quiet_does_not_hide_what_was_asked_for(tmp_path: Path) -> None:
    parties = ("--courier", "12222222222", "--client", "13333333333")
    added = run(tmp_path, "add", *parties, "--quiet", "--format", "jsonl")
    assert '"order": "' in added.stdout  # the only place where the random order number is told
    assert run(tmp_path, "list", "--quiet", "--format", "jsonl").stdout
    assert run(tmp_path, "prune", "--dry-run", "--quiet").stdout


@pytest.mark.parametrize(("value", "wanted"), [(None, True), ("", True), ("1", False)])
def test_only_a_no_color_that_says_something_takes_colours_away(
    monkeypatch: pytest.MonkeyPatch, value: str | None, *, wanted: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    if value is not None:
        monkeypatch.setenv("NO_COLOR", value)
    assert colors_wanted() is wanted


def test_settings_of_the_operator_do_not_reach_what_runs_in_the_sandbox(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("MASK_DATABASE", "VOXIMPLANT_CREDENTIALS", "PLIVO_AUTH_TOKEN"):
        monkeypatch.setenv(name, "real")
    monkeypatch.setenv("LANG_OF_TEST", "kept")
    assert environment_of_others()["LANG_OF_TEST"] == "kept"
    assert "real" not in environment_of_others().values()
