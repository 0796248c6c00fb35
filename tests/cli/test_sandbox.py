"""sandbox and demo: everything without an account, nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mask_cli.errors import ExitCode
from tests.cli.conftest import PARTIES

if TYPE_CHECKING:
    from tests.cli.conftest import FixedClock, Mask

MASK = (sys.executable, "-m", "mask_cli")


def test_a_command_inside_touches_nothing_outside_and_its_exit_code_is_ours(
    mask: Mask, clock: FixedClock
) -> None:
    clock.run()
    run = mask.process("sandbox", "--", *MASK, "add", "12345", *PARTIES, "--format", "json")
    assert run.done().json["remote"] == "live"
    assert not mask.database.exists()
    run = mask.process("sandbox", "--", *MASK, "show", "99999")
    run.failed(ExitCode.NOT_FOUND, "there is no order")
    assert mask.process("sandbox", "--", "sh", "-c", "kill -9 $$").code == 128 + 9


@pytest.mark.parametrize("name", ["no-such-command", "14156667777", "1-415-666-7777", "/"])
def test_a_command_that_cannot_be_run_is_told(mask: Mask, name: str) -> None:
    mask("sandbox", "--", name).failed(ExitCode.NOT_FOUND, "cannot run")


def test_the_sandbox_prints_what_points_at_it_and_goes_quietly(
    mask: Mask, clock: FixedClock
) -> None:
    clock.run()
    with mask.start("sandbox", "--format", "json") as process:
        assert process.stdout
        variables = json.loads(process.stdout.readline())
        folder = Path(variables["VOXIMPLANT_CREDENTIALS"]).parent
        with pytest.MonkeyPatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            run = mask("add", "12345", *PARTIES, "--format", "json")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert run.done().json["remote"] == "live"
    assert (process.returncode, b"Traceback" in err) == (ExitCode.INTERRUPTED, False)
    assert not folder.exists()


def test_the_demo_shows_the_main_job_and_leaves_nothing_behind(mask: Mask) -> None:
    before = set(mask.home.rglob("*"))
    run = mask.process("demo").done()
    for word in ("import", "list --remote", "reassign", "prune", "Nothing is left behind"):
        assert word in run.out
    assert "+1•••••••2222" in run.out
    assert set(mask.home.rglob("*")) == before
    assert os.environ["MASK_DATABASE"] == str(mask.database)
