"""The environment that points `mask`, or any program of the operator's, at the sandbox."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

from mask_cli.config import environment_of_others

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mask_cli.sandbox.plivo_api import PlivoSandbox
    from mask_cli.sandbox.voximplant import VoximplantSandbox


def surroundings(sandbox: VoximplantSandbox, plivo: PlivoSandbox | None = None) -> dict[str, str]:
    """Return the variables; database and settings file are the sandbox's own, and end with it."""
    settings = sandbox.folder / "config.toml"
    settings.touch(mode=0o600)
    return {
        **sandbox.environment(),
        **(plivo.environment() if plivo is not None else {}),
        "MASK_CONFIG": str(settings),
        "MASK_DATABASE": str(sandbox.folder / "mask.db"),
    }


def inside(variables: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment with the sandbox's in place of all that is ours."""
    return {**environment_of_others(), **variables}


def run_inside(command: Sequence[str], variables: Mapping[str, str]) -> int:
    """Run a command in the sandbox; return its exit code, 128 + n when signal n ended it.

    Raises FileNotFoundError or PermissionError when it cannot be started.
    """
    environment = inside(variables)
    scripts = Path(sysconfig.get_path("scripts"))
    if (scripts / "mask").exists():
        # `mask` in there is this one, also where its environment was not activated.
        environment["PATH"] = os.pathsep.join((str(scripts), environment.get("PATH", os.defpath)))
    process = subprocess.Popen(command, env=environment)  # noqa: S603 (the operator's own)
    try:
        code = process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise
    return 128 - code if code < 0 else code
