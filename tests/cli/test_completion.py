"""Completion of order numbers through Typer's own protocol: read-only, few, silent."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import PARTIES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import FixedClock, Mask, Run


def completed(mask: Mask, typed: str) -> Run:
    """Ask as bash does when somebody presses the tab key."""
    asking = {
        "_MASK_COMPLETE": "complete_bash",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(typed.split(" ")) - 1),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in asking.items():
            patch.setenv(name, value)
        script = "import sys; from mask_cli.cli import main; sys.argv = ['mask']; main()"
        return mask.process(started=["-c", script])


@pytest.fixture
def orders(mask: Mask, clock: FixedClock) -> None:
    clock.run()
    for order in ("12345", "12399", "20001"):
        mask("add", order, *PARTIES).done()
    mask("expire", "12399").done()


@pytest.mark.usefixtures("orders")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("mask show 12", ["12345"]),
        ("mask show ", ["12345", "20001"]),
        ("mask rm 2", ["20001"]),
        ("mask expire 12345 2", ["20001"]),
        ("mask show 9", []),
        ("mask show %", []),
        ("mask show ' OR", []),
    ],
)
def test_active_orders_are_offered_and_nothing_is_written(
    mask: Mask, typed: str, offered: list[str]
) -> None:
    before = mask.everything()
    run = completed(mask, typed).done()
    assert (run.out.split(), run.err) == (offered, "")
    assert mask.everything() == before


def test_at_most_fifty_orders_are_offered(mask: Mask, clock: FixedClock) -> None:
    clock.run()
    rows = "".join(f"{n:05},12222222222,13333333333\n" for n in range(200))
    mask("import", "-", stdin="order,courier,client\n" + rows).done()
    assert len(completed(mask, "mask show 0").done().out.split()) == 50


@pytest.mark.parametrize("content", [None, b"", b"no database " * 500])
def test_completion_makes_no_database_and_tells_no_error(
    mask: Mask, home: Path, content: bytes | None
) -> None:
    if content is not None:
        mask.database.write_bytes(content)
    run = completed(mask, "mask show 1")
    assert (run.out.strip(), run.err) == ("", "")
    assert mask.database.exists() == (content is not None)
    assert not [name for name in os.listdir(home) if "-wal" in name]  # noqa: PTH208 (names)


def test_completion_survives_a_broken_settings_file(mask: Mask) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MASK_CONFIG", mask.write("settings.toml", "broken = "))
        run = completed(mask, "mask show 1")
    assert (run.out.strip(), run.err) == ("", "")


def test_commands_are_offered_but_not_the_hidden_names(mask: Mask) -> None:
    offered = completed(mask, "mask ").done().out.split()
    assert {"add", "delete", "voximplant"} <= set(offered)
    assert "rm" not in offered
