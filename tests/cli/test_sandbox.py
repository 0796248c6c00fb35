"""sandbox and demo: everything without an account, nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
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


@pytest.mark.parametrize(
    ("name", "code"),
    [("no-such-command", 127), ("14156667777", 127), ("1-415-666-7777", 127), ("/", 126)],
)
def test_a_command_that_cannot_be_run_is_not_taken_for_a_missing_order(
    mask: Mask, name: str, code: int
) -> None:
    run = mask("sandbox", "--", name)
    assert (run.code, run.out) == (code, "")
    assert run.err.startswith("Error: cannot run")
    shell = subprocess.run(["sh", "-c", f"exec {name}"], capture_output=True, check=False)
    assert shell.returncode == code


def test_mask_in_the_sandbox_is_this_one_whatever_the_path_says(
    mask: Mask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    script = "command -v mask && mask add 12345 --courier 12222222222 --client 13333333333"
    run = mask.process("sandbox", "--", "sh", "-c", script).done()
    assert Path(run.out.splitlines()[0]).parent == Path(sys.executable).parent


def test_a_file_that_may_not_be_executed_is_told_as_shells_do(mask: Mask) -> None:
    script = mask.write("script", "#!/bin/sh\n")
    assert mask("sandbox", "--", script).code == 126


@pytest.mark.parametrize("text", ["14155550100", "nan", "inf", "-5s", "601s", "ms", "5 s", "1e2"])
def test_a_latency_that_nobody_can_mean_is_refused(mask: Mask, text: str) -> None:
    for words in ((f"--latency={text}",), ("--fault", f"latency:{text}")):
        run = mask("sandbox", *words, "--", "true")
        run.failed(ExitCode.BAD_DATA, "write 50ms, 2s, at most 10m")


@pytest.mark.parametrize("seconds", ["14155550100", "-14155550100", str(10**30)])
def test_a_phone_number_is_not_taken_for_a_clock(mask: Mask, seconds: str) -> None:
    mask("sandbox", f"--clock-off={seconds}", "--", "true").failed(ExitCode.USAGE, "<=604800")


def test_what_can_be_meant_is_taken(mask: Mask) -> None:
    for text in ("0ms", "1.5ms", "2s", "0.1", "600s"):
        mask.process("sandbox", "--latency", text, "--clock-off=-90", "--", "true").done()


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


@pytest.mark.slow
def test_the_demo_shows_the_main_job_and_leaves_nothing_behind(mask: Mask) -> None:
    before = set(mask.home.rglob("*"))
    run = mask.process("demo").done()
    for word in ("import", "list --remote", "reassign", "prune", "Nothing is left behind"):
        assert word in run.out
    assert "+1•••••••2222" in run.out
    assert set(mask.home.rglob("*")) == before
    assert os.environ["MASK_DATABASE"] == str(mask.database)
