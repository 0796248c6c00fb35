"""What programs rely on: formats, global options anywhere, streams, exit codes."""

from __future__ import annotations

import csv
import io
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from mask_cli import __version__
from mask_cli.errors import ExitCode
from mask_cli.records import MAPPING_FIELDS
from tests.cli.conftest import PARTIES
from tests.cli.every_command import EVERY
from tests.cli.leaks import CLIENT, COURIER, GUIDE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import FixedClock, Mask

JSON = ("--format", "json")


@pytest.fixture
def two(mask: Mask, mapping_record: Callable[..., dict[str, object]]) -> list[dict[str, object]]:
    mask("add", "12345", *PARTIES).done()
    words = ("add", "20001", "--courier", GUIDE[1], "--client", GUIDE[0], "--note", 'a\u00e9, "b"')
    mask(*words).done()
    second = mapping_record(
        order="20001",
        courier="+1•••••••7778",
        client="+1•••••••7777",
        note='aé, "b"',
        revision=2,
    )
    return [mapping_record(), second]


def cells(record: dict[str, object]) -> dict[str, str]:
    return {name: "" if value is None else str(value) for name, value in record.items()}


def test_list_in_json_and_json_lines_is_whole(mask: Mask, two: list[dict[str, object]]) -> None:
    assert mask("list", *JSON).done().json == two
    assert mask("list", "--format", "jsonl").done().rows == two


@pytest.mark.parametrize(("form", "delimiter"), [("csv", ","), ("tsv", "\t"), ("auto", "\t")])
def test_list_for_spreadsheets_has_a_header_and_one_line_each(
    mask: Mask, two: list[dict[str, object]], form: str, delimiter: str
) -> None:
    run = mask("list", "--format", form).done()
    rows = list(csv.DictReader(io.StringIO(run.out), delimiter=delimiter))
    assert rows == [cells(record) for record in two]
    assert len(run.out.splitlines()) == 3


def test_a_table_is_for_people(mask: Mask, two: list[dict[str, object]]) -> None:
    run = mask("list", "--format", "table").done()
    for text in ("12345", "20001", "+1•••••••2222", "active", "2026-12-11 12:00Z"):
        assert text in run.out.replace("\u00a0", " ")
    assert len(two) == 2
    assert "created" not in run.out


def test_show_in_every_format(mask: Mask, two: list[dict[str, object]]) -> None:
    assert mask("show", "20001", *JSON).done().json == two[1]
    assert mask("show", "20001", "--format", "jsonl").done().rows == [two[1]]
    for form, delimiter in (("csv", ","), ("tsv", "\t")):
        run = mask("show", "20001", "--format", form).done()
        assert list(csv.DictReader(io.StringIO(run.out), delimiter=delimiter)) == [cells(two[1])]
    assert "revision" in mask("show", "20001", "--format", "table").done().out


@pytest.mark.parametrize(("form", "expected"), [("json", "[]\n"), ("jsonl", "")])
def test_an_empty_list_is_still_an_answer(mask: Mask, form: str, expected: str) -> None:
    assert mask("list", "--format", form).done().out == expected
    header = ",".join(MAPPING_FIELDS) + "\n"
    assert mask("list", "--format", "csv").done().out == header


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "tsv", "table"])
@pytest.mark.parametrize(
    "words",
    [
        ("list",),
        ("show", "12345"),
        ("add", "12345", *PARTIES),
        ("expire", "12345", "20001", "--dry-run"),
        ("extend", "12345", "--by", "1h"),
        ("reassign", "12345", "--courier", GUIDE[3]),
        ("delete", "12345"),
        ("prune",),
        ("sync",),
        ("audit",),
        ("doctor",),
        ("config", "show"),
    ],
    ids=lambda words: words[0],
)
def test_every_command_answers_in_every_format_wherever_the_option_stands(
    mask: Mask, words: tuple[str, ...], form: str
) -> None:
    before = mask("--format", form, *words, *(["--dry-run"] if words[0] == "delete" else []))
    after = mask(*words, "--format", form)
    assert bool(before.done().out) == bool(after.done().out)
    if form == "json":
        json.loads(before.out)
    if form == "jsonl":
        assert all(isinstance(row, dict) for row in before.rows)
    if form in ("csv", "tsv"):
        rows = list(csv.reader(io.StringIO(after.out), delimiter="," if form == "csv" else "\t"))
        assert len({len(row) for row in rows}) == 1


def test_global_options_work_between_group_and_command(mask: Mask) -> None:
    for words in (
        ("--format", "json", "config", "show"),
        ("config", "--format", "json", "show"),
        ("config", "show", "--format", "json"),
    ):
        assert {"name", "value", "source", "environment", "help"} == set(mask(*words).json[0])


def test_the_option_nearest_to_the_command_wins(mask: Mask) -> None:
    assert mask("--format", "csv", "list", "--format", "json").done().out == "[]\n"


def test_database_and_config_may_stand_anywhere(mask: Mask, home: Path) -> None:
    other = str(home / "other.db")
    mask("--database", other, "add", "12345", *PARTIES).done()
    assert len(mask("list", "--database", other, *JSON).done().json) == 1
    assert mask("list", *JSON).done().json == []
    settings = mask.write("settings.toml", f'database = "{other}"\norder_digits = 6\n')
    run = mask("config", "show", "--config", settings, *JSON).done()
    shown = {row["name"]: (row["value"], row["source"]) for row in run.json}
    assert shown["order_digits"] == ("6", settings)
    assert shown["database"] == (str(home / "mask.db"), "MASK_DATABASE")


@pytest.mark.usefixtures("two")
def test_quiet_says_nothing_when_all_is_well_but_still_tells_what_is_wrong(mask: Mask) -> None:
    run = mask("delete", "12345", "--dry-run", "--quiet").done()
    assert (run.err, bool(run.out)) == ("", True)
    mask("show", "99999", "--quiet").failed(ExitCode.NOT_FOUND, "99999")


@pytest.mark.usefixtures("two")
def test_list_selects(mask: Mask, clock: FixedClock) -> None:
    mask("expire", "20001", "--in", "1h").done()
    clock.pass_(3600)

    def listed(*options: str) -> list[str]:
        return [row["order"] for row in mask("list", *options, *JSON).done().json]

    assert listed() == listed("--active") == ["12345"]
    assert listed("--expired") == ["20001"]
    assert listed("--all") == ["12345", "20001"]
    assert listed("--all", "--limit", "1") == ["12345"]
    assert listed("--courier", COURIER) == ["12345"]
    assert listed("--courier", CLIENT) == []
    assert listed("--all", "--client", "+1 415 666 7777") == ["20001"]
    assert listed("--pending") == []


def test_lists_that_exclude_each_other_are_wrong_usage(mask: Mask) -> None:
    mask("list", "--active", "--expired").failed(ExitCode.USAGE, "exclude")
    mask("list", "--all", "--pending").failed(ExitCode.USAGE, "exclude")


@pytest.mark.usefixtures("two")
def test_reveal_shows_whole_numbers_and_leaves_a_trace(mask: Mask) -> None:
    run = mask("show", "12345", "--reveal", *JSON).done()
    assert (run.json["courier"], run.json["client"]) == ("+" + COURIER, "+" + CLIENT)
    row = mask("audit", "--limit", "1", *JSON).done().json[0]
    assert (row["action"], row["order"], row["detail"]) == ("reveal", "12345", "mask show")
    actions = [row["action"] for row in mask("audit", "--order", "12345", *JSON).done().json]
    assert actions == ["reveal", "add"]


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("list", "--nonsense"),
        ("show",),
        ("add", "12345"),
        ("list", "--format", "xml"),
        ("list", "--limit", "0"),
        ("list", "--limit", "many"),
        ("config", "nonsense"),
        ("voximplant", "kv", "nonsense"),
        ("import", "x.csv", "--on-conflict", "perhaps"),
        ("import", "-", "--from", "xml"),
        ("import", "x.csv", "--keep-going"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_told_from_bad_data(mask: Mask, words: tuple[str, ...]) -> None:
    mask(*words).failed(ExitCode.USAGE)


def test_a_wrong_format_is_found_before_anything_is_done(mask: Mask) -> None:
    mask("add", "12345", *PARTIES).done()
    file = mask.home / "export.csv"
    for words in (("export", str(file)), ("delete", "12345"), ("show", "99999")):
        mask(*words, "--format", "jsn").failed(ExitCode.USAGE, "'jsn'")
        mask("--format", "jsn", *words).failed(ExitCode.USAGE, "'jsn'")
    assert not file.exists()


@pytest.mark.parametrize("kind", ["--remote", "--pending"])
def test_a_filter_that_does_not_count_is_not_ignored(mask: Mask, kind: str) -> None:
    mask("list", kind, "--courier", "+14155550103").failed(ExitCode.USAGE, "--courier")
    mask("list", kind, "--client", "+14155550103").failed(ExitCode.USAGE, "--client")


def test_version_and_help_are_answers(mask: Mask) -> None:
    assert mask("--version").done().out == f"mask {__version__}\n"
    for words in (("--help",), ("list", "-h"), ("voximplant", "kv", "set", "--help")):
        assert "Usage: mask" in mask(*words).done().out


@pytest.mark.parametrize("words", [(), ("voximplant",), ("plivo", "number")])
def test_a_group_without_a_command_shows_its_help_and_no_empty_error(
    mask: Mask, words: tuple[str, ...]
) -> None:
    run = mask(*words)
    assert (run.code, run.err) == (ExitCode.USAGE, "")
    assert "Commands" in run.out


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_help_hides_no_word_as_markup(mask: Mask, path: tuple[str, ...]) -> None:
    shown = "".join(mask(*path, "--help").done().out.replace("│", " ").split())
    for parameter in EVERY[path].params:
        assert "".join((parameter.help or "").split()) in shown, parameter.name


def test_config_init_writes_a_private_file_once_that_changes_nothing(mask: Mask) -> None:
    before = mask("config", "show", *JSON).done().json
    file = mask("config", "path").done().out.strip()
    run = mask("config", "init", "--dry-run").done()
    assert (run.out.strip(), os.path.exists(file)) == (file, False)  # noqa: PTH110 (as above)
    assert mask("config", "init").done().out.strip() == file
    mask("config", "init", "--dry-run").failed(ExitCode.CONFLICT, "settings file already")
    assert os.stat(file).st_mode & 0o777 == 0o600  # noqa: PTH116 (its mode is what counts)
    mask("config", "init").failed(ExitCode.CONFLICT, "settings file already")
    assert mask("config", "show", *JSON).done().json == before


def test_the_name_of_an_account_is_not_taken_for_a_phone_number(
    mask: Mask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shown() -> object:
        rows = mask("config", "show", *JSON).done().json
        return next(row["value"] for row in rows if row["name"] == "plivo.auth_id")

    monkeypatch.setenv("PLIVO_AUTH_ID", "MA12345678901234ABCD")
    assert shown() == "MA12345678901234ABCD"
    monkeypatch.setenv("PLIVO_AUTH_ID", "+14156667777")
    assert shown() == "+1•••••••7777"


def test_a_typing_error_in_the_settings_is_not_ignored(mask: Mask) -> None:
    settings = mask.write("settings.toml", "order_digit = 6\n")
    run = mask("list", "--config", settings)
    run.failed(ExitCode.CONFIGURATION, "order_digit", "did you mean order_digits")
    run = mask("list", "--config", settings + ".missing")
    run.failed(ExitCode.CONFIGURATION, "there is no settings file")


def test_doctor_finds_a_database_open_to_others(mask: Mask) -> None:
    mask("list").done()
    mask.database.chmod(0o644)
    checks: list[dict[str, Any]] = mask("doctor", *JSON).done().json
    assert [c["result"] for c in checks if "open to others" in c["detail"]] == ["warning"]
    assert mask("doctor", "--exit-code").done().code == ExitCode.DONE


def test_doctor_fails_for_cron_when_the_database_is_none(mask: Mask) -> None:
    mask.database.write_text("not a database, but long enough to be taken for one" * 20)
    run = mask("doctor", "--exit-code", *JSON)
    assert run.code == ExitCode.CONFIGURATION
    assert {"failed"} <= {check["result"] for check in run.json}
