"""`mask voximplant up` and `scenario deploy`, killed at each request: run again, they converge."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mask_cli.sandbox.surroundings import surroundings
from mask_cli.sandbox.voximplant import VoximplantSandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
NUMBER = "12065550100"
UP = ("up", "--app", "fresh", "--number", NUMBER, "--report-url", "https://mask.example/x")
DEPLOY = (
    *("scenario", "deploy", "--app", "fresh", "--operator", "+14155550109"),
    *("--report-url", "https://mask.example/x"),
)


@pytest.fixture(scope="module")
def running() -> Iterator[VoximplantSandbox]:
    with VoximplantSandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: VoximplantSandbox) -> VoximplantSandbox:
    running.reset()
    for side in ("", "-wal", "-shm"):
        (running.folder / f"mask.db{side}").unlink(missing_ok=True)
    for phone in running.account.phones.values():
        if phone.number == NUMBER:
            phone.purchased = running.clock.now()
    return running


def start(sandbox: VoximplantSandbox, *words: str) -> subprocess.Popen[bytes]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MASK_")}
    environment = kept | surroundings(sandbox) | {"MASK_VOXIMPLANT_REPORT_SECRET": "the secret"}
    command = [sys.executable, "-m", "mask_cli", "voximplant", *words]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe)


def run(sandbox: VoximplantSandbox, *words: str) -> None:
    with start(sandbox, *words) as process:
        told = process.communicate(timeout=60)[1]
    assert process.returncode == 0, told


def run_killed(sandbox: VoximplantSandbox, *words: str, **fault: Any) -> bool:
    """Run it with a fault that kills it; tell whether it came to that."""
    # It needs far longer to start than this to be told.
    with start(sandbox, *words) as process:
        sandbox.faults.add("kill", pid=process.pid, **fault)
        process.communicate(timeout=60)
    sandbox.faults.clear()
    return process.returncode == -signal.SIGKILL


def standing(sandbox: VoximplantSandbox) -> dict[str, Any]:
    account = sandbox.account
    names = {number: one.name for number, one in account.scenarios.items()}
    return {
        "applications": sorted(one.name for one in account.applications.values()),
        "scenarios": [(one.name, one.text) for one in account.scenarios.values()],
        "rules": [
            (one.name, one.pattern, [names[number] for number in one.scenarios])
            for one in account.rules.values()
        ],
        "numbers": [
            account.rules[phone.rule_id].name
            for phone in account.phones.values()
            if phone.rule_id is not None
        ],
        "secrets": [
            (secret.name, secret.value)
            for one in account.applications.values()
            for secret in one.secrets.values()
        ],
        "balance": account.balance,
    }


@pytest.fixture(scope="module")
def undisturbed(running: VoximplantSandbox) -> dict[str, Any]:
    running.reset()
    for phone in running.account.phones.values():
        if phone.number == NUMBER:
            phone.purchased = running.clock.now()
    run(running, *UP)
    up = standing(running)
    run(running, *DEPLOY)
    return {"up": up, "deploy": standing(running)}


def no_rule_is_empty(sandbox: VoximplantSandbox) -> bool:
    return all(rule.scenarios for rule in sandbox.account.rules.values())


@pytest.mark.parametrize(
    "command",
    [
        *("AddApplication", "AddSecret", "AddScenario", "AddRule"),
        "BindPhoneNumberToApplication",
    ],
)
def test_up_killed_once_the_platform_has_acted_is_finished_by_the_next_run(
    sandbox: VoximplantSandbox, undisturbed: dict[str, Any], command: str
) -> None:
    assert run_killed(sandbox, *UP, command=command, before=False)
    assert no_rule_is_empty(sandbox)
    run(sandbox, *UP)
    assert standing(sandbox) == undisturbed["up"]


def test_deploy_killed_at_the_upload_is_finished_by_the_next_run(
    sandbox: VoximplantSandbox, undisturbed: dict[str, Any]
) -> None:
    run(sandbox, *UP)
    assert run_killed(sandbox, *DEPLOY, command="SetScenarioInfo", before=False)
    assert no_rule_is_empty(sandbox)
    run(sandbox, *DEPLOY)
    assert standing(sandbox) == undisturbed["deploy"]


@pytest.mark.slow
@pytest.mark.parametrize("before", [True, False])
def test_up_and_deploy_killed_at_any_request_converge(
    sandbox: VoximplantSandbox, undisturbed: dict[str, Any], before: bool
) -> None:
    for words, stands in ((UP, "up"), (DEPLOY, "deploy")):
        position = 0
        while run_killed(sandbox, *words, skip=position, before=before):
            assert no_rule_is_empty(sandbox)
            position += 1
            if words is UP:
                # From the beginning, one request further.
                run(sandbox, *words)
                assert standing(sandbox) == undisturbed[stands]
                fresh = next(
                    one for one in sandbox.account.applications.values() if "fresh" in one.name
                )
                from mask_cli.sandbox.voximplant_account import delete_application

                delete_application(sandbox.account, fresh)
        assert position > 3
        run(sandbox, *words)
        assert standing(sandbox) == undisturbed[stands]
