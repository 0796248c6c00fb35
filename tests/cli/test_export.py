"""export: whole, private, and import reads it back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mask_cli.errors import ExitCode
from mask_cli.times import format_time
from tests.cli.conftest import DAY, NOON, PARTIES

if TYPE_CHECKING:
    from tests.cli.conftest import FixedClock, Mask

JSON = ("--format", "json")


def mappings(mask: Mask) -> list[Any]:
    return mask.query(
        "SELECT order_number, courier, client, virtual_number, note, expires_at FROM mappings"
    )


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize("to", ["file", "stdout"])
def test_what_is_exported_comes_back_as_it_was(mask: Mask, kind: str, to: str) -> None:
    notes = ["plain", 'q"uote', "com,ma;semi", "ünï • 日本", "=1+1", " spaces ", "'", "\\"]
    for n, note in enumerate(notes):
        more = ("--virtual-number", "+14155550100") if n % 2 else ()
        mask("add", f"0000{n}", *PARTIES, "--note", note, "--ttl", f"{n + 1}h", *more).done()
    before = mappings(mask)
    if to == "file":
        file = mask.home / f"export.{kind}"
        run = mask("export", str(file), *JSON).done()
        assert run.json == {"exported": len(notes), "file": str(file)}
        assert file.stat().st_mode & 0o777 == 0o600
        text = file.read_text()
    else:
        text = mask("export", "-", "--to", kind).done().out
    assert "+12222222222" in text
    assert mask("audit", "--limit", "1", *JSON).done().json[0]["action"] == "export"
    assert mask("import", "-", "--from", kind, *JSON, stdin=text).done().json["unchanged"] == 8
    mask("delete", *(f"0000{n}" for n in range(len(notes)))).done()
    assert mask("import", "-", "--from", kind, *JSON, stdin=text).done().json["added"] == 8
    assert mappings(mask) == before


def test_export_replaces_a_file_whole_and_private(mask: Mask) -> None:
    mask("add", "12345", *PARTIES).done()
    file = Path(mask.write("export.csv", "old"))
    file.chmod(0o644)
    mask("export", str(file)).done()
    assert (file.stat().st_mode & 0o777, "old" in file.read_text()) == (0o600, False)
    run = mask("export", "/proc/no/export.csv")
    run.failed(ExitCode.UNREADABLE, "cannot write")
    run = mask("export", str(mask.home))
    run.failed(ExitCode.UNREADABLE, "cannot write")
    assert not [path for path in mask.home.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("command", [("export",), ("calls", "export")])
def test_export_does_not_put_a_file_in_the_place_of_a_device_or_a_pipe(
    mask: Mask, command: tuple[str, ...]
) -> None:
    mask("add", "12345", *PARTIES).done()
    pipe, link, printed = (mask.home / name for name in ("pipe", "link", "printed"))
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    printed.symlink_to("/proc/self/fd/1")  # as /dev/stdout is
    for file in (pipe, link):
        run = mask(*command, str(file))
        run.failed(ExitCode.UNREADABLE, "it is no ordinary file", "Hint: -")
    mask.process(*command, str(printed)).failed(ExitCode.UNREADABLE, "it is no ordinary file")
    assert pipe.is_fifo()
    assert [file.readlink() for file in (link, printed)] == [pipe, Path("/proc/self/fd/1")]
    assert not [path for path in mask.home.iterdir() if path.name.startswith(".")]


def test_export_does_not_replace_the_file_that_stdout_goes_to(mask: Mask) -> None:
    mask("add", "12345", *PARTIES).done()
    log = Path(mask.write("log", "kept\n"))
    for file in (str(log), "/proc/self/fd/1"):
        with log.open("ab") as stdout:
            run = mask.process("export", file, stdout=stdout)
        run.failed(ExitCode.UNREADABLE, "it is no ordinary file")
    assert log.read_text() == "kept\n"


def test_export_follows_a_link_and_leaves_it_a_link(mask: Mask) -> None:
    mask("add", "12345", *PARTIES).done()
    (mask.home / "real").mkdir()
    link, file = mask.home / "orders.csv", mask.home / "real" / "today.csv"
    link.symlink_to(file)
    for _ in ("what it leads to is missing", "it is there"):
        mask("export", str(link)).done()
        assert link.readlink() == file
        assert "+12222222222" in file.read_text()
        assert file.stat().st_mode & 0o777 == 0o600
    link.unlink()
    link.symlink_to(link)
    mask("export", str(link)).failed(ExitCode.UNREADABLE, "symbolic links")


def test_rejects_are_refused_before_the_work_where_a_link_leads_nowhere(mask: Mask) -> None:
    link = mask.home / "rejects.csv"
    link.symlink_to(mask.home / "missing")
    rows = "order,courier,client\n12345,12222222222,13333333333\n1,x,y\n"
    run = mask("import", "-", "--keep-going", "--rejects", str(link), stdin=rows)
    run.failed(ExitCode.UNREADABLE, "exists already")
    assert link.is_symlink()


def test_expired_mappings_are_exported_too(mask: Mask, clock: FixedClock) -> None:
    mask("add", "12345", *PARTIES, "--ttl", "1h").done()
    clock.pass_(DAY)
    out = mask("export", "-", "--to", "jsonl").done().rows
    assert out[0]["expires_at"] == format_time(NOON + 3600)
