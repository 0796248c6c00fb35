"""Check a scenario: its size, its syntax, its types where TypeScript is at hand, its behaviour.

A deployed text may have been edited since it was rendered: the behaviour of that very text is
checked, in the configurations that each check needs, and its own configuration by the rules of
`render` and in calls played just as it says.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from mask_cli.errors import BadData
from mask_cli.redaction import redacted_text
from mask_cli.sandbox import (
    scenario_behaviour,
    scenario_behaviour_operator,
    scenario_behaviour_words,
)
from mask_cli.sandbox.scenario_bench import CHECKS, Bench, Check, as_configured
from mask_cli.sandbox.simulate_voximplant import syntax_error
from mask_cli.scenario.approved import complaint_about
from mask_cli.scenario.render import LONGEST_TEXT, template_of

ROWS = range(1, 26)
"""The defects of the guide's scenario, as numbered in the project's list of them."""
EXEMPT: dict[int, str] = {}
"""Rows without a check, and why; there are none: even wording is held by checks 23 and 24."""

# Importing them registers their checks.
_SUITES = (scenario_behaviour, scenario_behaviour_operator, scenario_behaviour_words)
_TSC_SECONDS = 60
_TSCONFIG = {
    "allowJs": True,
    "checkJs": True,
    "noEmit": True,
    "strict": True,
    "target": "ES2020",
    "lib": ["ES2020"],
    "types": [],
    "moduleDetection": "legacy",
}


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check; `passed` None means that it was skipped, `detail` says why."""

    name: str
    rows: tuple[int, ...]
    passed: bool | None
    detail: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


def check(text: str, *, tsc: str | None = None) -> list[CheckResult]:
    """Run every check on a rendered scenario; `tsc` is TypeScript's compiler when not on PATH."""
    results = [_size(text), _syntax(text)]
    if results[-1].passed is False:
        return results
    return [*results, types(text, tsc), *configuration_of_file(text), *behaviour_of(text)]


def configuration_of_file(text: str) -> list[CheckResult]:
    """Check a text's own configuration: by the rules of `render`, then in calls played with it."""
    wrong = complaint_about(text)
    detail = None if wrong is None else redacted_text(wrong)
    ruled = CheckResult("configuration", (), wrong is None, detail)
    if wrong is not None:
        return [ruled]
    played = Check("a-call-as-configured", (), lambda _: as_configured(text))
    return [ruled, run_check(played, Bench(template_of(text)))]


def behaviour_of(text: str) -> list[CheckResult]:
    """Run the behaviour suite on a rendered scenario."""
    bench = Bench(template_of(text))
    return [run_check(one, bench) for one in CHECKS]


def run_check(one: Check, bench: Bench) -> CheckResult:
    """Run one check; it fails on its first complaint, or when it cannot even be evaluated."""
    try:
        complaint = next(one.run(bench), None)
    except (LookupError, ValueError, TypeError, BadData) as error:
        complaint = f"{type(error).__name__}: {error}"
    detail = None if complaint is None else redacted_text(complaint)
    return CheckResult(one.name, one.rows, complaint is None, detail)


def covered() -> dict[int, list[str]]:
    """Return, for each row, the names of the checks that rule it out."""
    return {row: [one.name for one in CHECKS if row in one.rows] for row in ROWS}


def _size(text: str) -> CheckResult:
    size = len(text.encode())
    fits = size < LONGEST_TEXT
    return CheckResult("size", (), fits, f"{size} of {LONGEST_TEXT} bytes")


def _syntax(text: str) -> CheckResult:
    error = syntax_error(text)
    return CheckResult("syntax", (), error is None, error)


def types(text: str, tsc: str | None = None) -> CheckResult:
    """Check the types strictly with TypeScript; skipped when there is no `tsc`."""
    compiler = tsc or shutil.which("tsc")
    if compiler is None:
        return CheckResult("types", (16,), None, "skipped: tsc (TypeScript) is not on PATH")
    with tempfile.TemporaryDirectory() as folder:
        _lay_out(Path(folder), text)
        try:
            run = subprocess.run(  # noqa: S603 (the compiler that the caller named or PATH has)
                [compiler, "-p", folder],
                capture_output=True,
                text=True,
                timeout=_TSC_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return CheckResult("types", (16,), None, f"skipped: {error}")
    found = redacted_text(run.stdout.strip().replace(folder, "")) or None
    return CheckResult("types", (16,), run.returncode == 0, found)


def _lay_out(folder: Path, text: str) -> None:
    declarations = files("mask_cli.scenario").joinpath("voxengine.d.ts").read_text(encoding="utf-8")
    folder.joinpath("scenario.js").write_text(text, encoding="utf-8")
    folder.joinpath("voxengine.d.ts").write_text(declarations, encoding="utf-8")
    config = {"compilerOptions": _TSCONFIG, "files": ["scenario.js", "voxengine.d.ts"]}
    folder.joinpath("tsconfig.json").write_text(json.dumps(config), encoding="utf-8")
