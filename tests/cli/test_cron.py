"""The crontab lines and units that we ship are ones that work."""

from __future__ import annotations

import configparser
import re
import shlex
from typing import TYPE_CHECKING

import pytest

from mask_cli.cli.context import AppContext
from mask_cli.errors import ExitCode
from tests.cli.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Mask

PAGE = (ROOT / "docs" / "cron.md").read_text()
UNITS = sorted((ROOT / "docs" / "systemd").glob("*.service"))
LINES = re.findall(r"^[*\d/]+ [^\n]*?\bmask ([^\n;]+)$", PAGE, re.MULTILINE)


def unit(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def commands() -> list[str]:
    started = [unit(path.read_text())["ExecStart"][0] for path in UNITS]
    return [*LINES, *(command.partition(" ")[2] for command in started)]


def test_the_page_and_the_units_are_really_read() -> None:
    assert len(LINES) == 3
    assert len(UNITS) == 3


@pytest.mark.parametrize("command", commands())
def test_no_line_that_we_ship_is_refused_or_talks_when_all_is_well(
    mask: Mask, command: str
) -> None:
    mask("list").done()
    run = mask(*shlex.split(command)).done()
    assert (run.out, run.err) == ("", "")


def test_what_monitoring_is_told_to_use_alarms_of_a_cron_that_never_ran(mask: Mask) -> None:
    (command,) = re.findall(r"^mask (doctor .*--exit-code.*)$", PAGE, re.MULTILINE)
    mask("list").done()
    assert mask(*shlex.split(command)).code == ExitCode.CONFIGURATION
    for name in ("sync", "prune"):
        with AppContext().running(name):
            pass
    mask(*shlex.split(command)).done()


def test_a_percent_sign_in_a_crontab_is_escaped() -> None:
    crontab = PAGE.partition("## crontab")[2].partition("```")[2].partition("```")[0]
    lines = [line for line in crontab.splitlines() if re.match(r"[*\d]", line)]
    assert not [line for line in lines if re.search(r"(?<!\\)%", line)]


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_a_unit_is_bounded_and_has_no_more_rights_than_it_needs(path: Path) -> None:
    found = unit(path.read_text())
    assert found["SuccessExitStatus"] == [str(int(ExitCode.TRY_LATER))]
    assert found["TimeoutStartSec"]
    assert found["User"] == ["mask"]
    wanted = {"NoNewPrivileges": "yes", "ProtectSystem": "strict", "UMask": "0077"}
    assert {name: found[name][0] for name in wanted} == wanted


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_each_unit_has_a_timer_with_a_random_delay(path: Path) -> None:
    timer = configparser.ConfigParser()
    timer.read(path.with_suffix(".timer"))
    assert timer["Timer"]["RandomizedDelaySec"]
    assert timer["Timer"]["OnCalendar"]
