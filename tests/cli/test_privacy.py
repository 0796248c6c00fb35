"""No phone number leaves the program whole unless somebody asked for it, whatever goes wrong.

The runner itself searches all that every run prints (see conftest); here every command there
is, found by walking the tree of commands, is given numbers in the right and the wrong places.
"""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest
import typer
import typer.main

from mask_cli.cli import app
from mask_cli.errors import ExitCode
from mask_cli.sandbox.plivo_api import PlivoSandbox
from mask_cli.sandbox.voximplant_kvs import Stored
from tests.cli.conftest import DAY, NOON, PARTIES
from tests.cli.leaks import GUIDE, whole_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mask_cli.sandbox.voximplant import VoximplantSandbox
    from tests.cli.conftest import Mask

FORMATS = ("table", "json", "jsonl", "csv", "tsv")
WRITTEN = (
    "14156667777",
    "+14156667777",
    "1-415-666-7777",
    "+1 (415) 666 7777",
    "4156667777",
    "(415) 666-7777",
    "1 415 666 7777",
    "tel:+14156667777",
)
# Ten bare digits in a file's name may as well be an order number.
IN_NAMES = tuple(number for number in WRITTEN if number != "4156667777")
# A rented number is the operator's own and shown whole; no party of these tests has it.
POOL = "+14155550190"
RENTED = "+14155550120"
"""The operator's own, shown whole; of the parties' numbers that are looked for it is none."""
ALSO_RENTED = "+12065550100"
RUNS_UNTIL_STOPPED = {("sandbox",), ("serve",)}
TAKES_SECONDS = {("demo",)}


def commands(
    group: Any = None, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command with its path, hidden ones too."""
    group = group or typer.main.get_command(app)
    context = typer.Context(group, info_name="mask")
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if hasattr(command, "list_commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


EVERY = dict(commands())

# One good call of each; what is made up before is in `filled`.
GOOD: dict[tuple[str, ...], tuple[str, ...]] = {
    ("add",): ("30001", *PARTIES, "--virtual-number", "+14155550100"),
    ("list",): ("--all",),
    ("show",): ("12345", "--remote"),
    ("reassign",): ("12345", "--courier", GUIDE[3]),
    ("expire",): ("12345", "20001"),
    ("extend",): ("12345", "--by", "1h"),
    ("delete",): ("12345",),
    ("remove",): ("12345",),
    ("rm",): ("12345", "20001"),
    ("prune",): ("--grace", "0"),
    ("import",): ("orders.csv", "--push"),
    ("export",): ("out.csv",),
    ("sync",): (),
    ("drift",): (),
    ("audit",): (),
    ("doctor",): (),
    ("config", "show"): (),
    ("config", "path"): (),
    ("config", "init"): (),
    ("numbers", "list"): (),
    ("numbers", "plan"): (),
    ("numbers", "add"): ("+14155550191",),
    ("numbers", "quarantine"): (POOL,),
    ("voximplant", "kv", "list"): ("",),
    ("voximplant", "kv", "get"): ("order:12345",),
    ("voximplant", "kv", "set"): ("order:1", '{"courier":"14156667777"}'),
    ("voximplant", "kv", "delete"): ("+14156667778",),
    ("route",): ("--caller", "14156667777", "--called", POOL, "--xml"),
    ("simulate",): ("--via", "plivo", "--caller", "14156667777", "--called", POOL),
    ("calls", "list"): (),
    ("calls", "show"): ("c-1",),
    ("calls", "stats"): (),
    ("calls", "export"): ("calls.csv",),
    ("plivo", "app", "create"): ("shop", "--answer-url", "https://shop.example/answer"),
    ("plivo", "app", "list"): (),
    ("plivo", "app", "show"): ("shop",),
    ("plivo", "number", "search"): ("US", "--pattern", RENTED[2:-1]),
    ("plivo", "number", "rent"): (RENTED, "--yes"),
    ("plivo", "number", "list"): (),
    ("plivo", "number", "assign"): (RENTED, "--app", "shop"),
    ("plivo", "up"): (
        *("--app", "masking", "--public-url", "https://mask.example"),
        *("--number", RENTED, "--take-over"),
    ),
    ("plivo", "number", "unassign"): (RENTED,),
    ("plivo", "number", "unrent"): (RENTED, "--yes"),
    ("plivo", "app", "delete"): ("shop", "--yes"),
    ("voximplant", "app", "create"): ("shop",),
    ("voximplant", "app", "list"): (),
    ("voximplant", "number", "search"): ("US", "--category", "TOLLFREE"),
    ("voximplant", "number", "rent"): (ALSO_RENTED, "--yes"),
    ("voximplant", "number", "list"): (),
    ("voximplant", "up"): ("--app", "shop", "--number", ALSO_RENTED, "--operator", GUIDE[3]),
    ("voximplant", "scenario", "render"): ("--number", ALSO_RENTED, "-o", "scenario.js"),
    ("voximplant", "scenario", "check"): ("scenario.js",),
    ("voximplant", "scenario", "deploy"): ("--app", "shop", "--operator", GUIDE[4]),
    ("voximplant", "rule", "list"): ("--app", "shop"),
    ("voximplant", "rule", "create"): (ALSO_RENTED, "--app", "shop"),
    ("voximplant", "number", "unassign"): (ALSO_RENTED,),
    ("voximplant", "number", "assign"): (ALSO_RENTED, "--app", "shop"),
    ("voximplant", "rule", "delete"): ("mask-0100", "--app", "shop", "--yes"),
    ("voximplant", "number", "unrent"): (ALSO_RENTED, "--yes"),
    ("voximplant", "app", "delete"): ("shop", "--yes"),
    ("calls", "import"): ("--from", "voximplant", "--since", "1d"),
}


@pytest.fixture
def plivo(monkeypatch: pytest.MonkeyPatch) -> Iterator[PlivoSandbox]:
    """An emulated Plivo account that never asks for patience; the environment points at it."""
    with PlivoSandbox() as sandbox:
        sandbox.rate_limit = 1_000_000
        for name, value in sandbox.environment().items():
            monkeypatch.setenv(name, value)
        yield sandbox


@pytest.fixture
def filled(
    mask: Mask,
    provider: VoximplantSandbox,
    plivo: PlivoSandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Mappings here and there, foreign items with numbers in keys and values, a file to import."""
    assert plivo.requests.maxlen
    monkeypatch.chdir(mask.home)
    mask("add", "12345", *PARTIES).done()
    mask("add", "20001", "--courier", GUIDE[1], "--client", GUIDE[0], "--no-push").done()
    value = json.dumps({"courier": GUIDE[2], "client": "+1 (415) 666-7777"})
    for key in ("order:77777", "order:+14156667777", GUIDE[0], "1-415-666-7777"):
        provider.store().set(Stored(key, value, NOON + DAY))
    mask("numbers", "add", POOL).done()
    mask.query("INSERT INTO calls (provider, call_id, started_at) VALUES ('plivo', 'c-1', 1)")
    mask.write("orders.csv", "order,courier,client\n30002,1-415-666-7778,+1 415 666 7777\n")


def test_no_command_is_forgotten_here() -> None:
    assert set(EVERY) - RUNS_UNTIL_STOPPED - TAKES_SECONDS == set(GOOD)


@pytest.mark.parametrize(
    "forms",
    [
        pytest.param(("json", "table"), id="some"),
        pytest.param(FORMATS, id="all", marks=pytest.mark.slow),
    ],
)
def test_every_command_that_works_shows_no_number(
    mask: Mask, provider: VoximplantSandbox, filled: None, forms: tuple[str, ...]
) -> None:
    assert (provider, filled) == (provider, None)
    for path, words in GOOD.items():
        for form in forms:
            debug = () if form == "json" else ("--debug",)
            run = mask(*path, *words, "--format", form, *debug)
            if path != ("export",):
                continue
            assert whole_numbers(run.out + run.err) == []


def wrong(command: Any) -> Iterator[tuple[str, ...]]:
    """Yield calls of a command with numbers where they do not belong."""
    for number in IN_NAMES:
        yield ("--", number)
        yield ("--", number, number)
        yield ("--", "12345", number, "20001")
        yield (f"--{number}",)
        yield (f"--{number}={number}", "12345")
    for option, number in itertools.product(command.params, IN_NAMES[:3]):
        flag = max(getattr(option, "opts", [""]), key=len)
        if flag.startswith("--"):
            yield (flag, number)
            yield ("12345", f"{flag}={number}")
            yield ("12345", "x", *PARTIES, "--by", "1h", f"{flag}={number}")


def repeats_no_number(mask: Mask, path: tuple[str, ...], *, every: int) -> None:
    if path in RUNS_UNTIL_STOPPED | TAKES_SECONDS:
        pytest.skip("does not end by itself; see test_sandbox.py")
    for n, words in enumerate(itertools.islice(wrong(EVERY[path]), 0, None, every)):
        if "--reveal" in words:
            continue
        debug = ("--debug",) if n % 2 else ()
        run = mask(*debug, "--format", FORMATS[n % 5], *path, *words)
        if path[-1] != "render" and (path != ("export",) or "-" not in words):
            assert whole_numbers(run.out + run.err) == [], f"call {n}"


@pytest.mark.slow
@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_a_number_in_the_wrong_place_is_not_repeated(
    mask: Mask, provider: VoximplantSandbox, filled: None, path: tuple[str, ...]
) -> None:
    assert (provider, filled) == (provider, None)
    repeats_no_number(mask, path, every=1)


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_a_number_in_some_wrong_places_is_not_repeated(
    mask: Mask, provider: VoximplantSandbox, filled: None, path: tuple[str, ...]
) -> None:
    assert (provider, filled) == (provider, None)
    repeats_no_number(mask, path, every=29)


@pytest.mark.parametrize("number", IN_NAMES)
def test_numbers_in_file_names_notes_keys_and_settings_are_not_repeated(
    mask: Mask,
    filled: None,
    monkeypatch: pytest.MonkeyPatch,
    number: str,
) -> None:
    assert filled is None
    name = number.replace("/", "")
    for words in (
        ("import", f"{name}.csv"),
        ("import", "orders.csv", "--keep-going", "--rejects", f"{name}.csv"),
        ("export", f"{name}.csv", "--format", "json"),
        ("export", f"/proc/{name}.csv"),
        ("list", "--config", f"{name}.toml"),
        ("list", "--database", f"/proc/{name}.db"),
        ("list", "--format", number),
        ("add", "30001", *PARTIES, "--note", f"ring {number}"),
        ("voximplant", "kv", "set", number, number),
        ("voximplant", "kv", "get", number),
        ("voximplant", "kv", "list", number),
        ("voximplant", "kv", "delete", number),
        ("audit", "--order", number),
        ("audit",),
        (number,),
        ("voximplant", number),
    ):
        run = mask(*words)
        assert whole_numbers(run.out + run.err) == [], words[:2]
    for name in ("MASK_REGION", "MASK_ORDER_DIGITS", "MASK_TTL", "MASK_VOXIMPLANT_TIMEOUT"):
        with monkeypatch.context() as patch:
            patch.setenv(name, number)
            mask("list").failed(ExitCode.CONFIGURATION)
            mask("doctor")
    patch_all = ("APPLICATION", "ENDPOINT")
    for name in (*(f"MASK_VOXIMPLANT_{n}" for n in patch_all), "VOXIMPLANT_CREDENTIALS"):
        with monkeypatch.context() as patch:
            patch.setenv(name, number)
            patch.setenv("MASK_VOXIMPLANT_TIMEOUT", "1s")
            for words in (("sync",), ("doctor",), ("config", "show")):
                mask(*words)


@pytest.mark.parametrize("number", WRITTEN)
def test_numbers_in_bad_rows_are_not_repeated(mask: Mask, number: str) -> None:
    rows = [
        f"{number},{number},{number}",
        f"12345,{number},{number}x",
        f"12345,x{number},{number}",
        f'12345,"{number},{number}',
    ]
    for row in rows:
        mask("import", "-", "--debug", stdin=f"order,courier,client\n{row}\n")
        mask("import", "-", stdin=f"order,courier,client,{number}\n{row}\n")
    for value in ([number], {number: number}, int("14156667777"), None):
        row_json = json.dumps({"order": value, "courier": number, "client": number})
        mask("import", "-", "--from", "jsonl", stdin=row_json)
        mask("import", "-", "--from", "jsonl", stdin=json.dumps({number: value}))


def test_a_fault_in_the_program_tells_no_number_with_or_without_debug(
    mask: Mask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("+14156667777 and 1-415-666-7778 and 14156667779")

    monkeypatch.setattr("mask_cli.orders.Orders.add", broken)
    monkeypatch.setattr("tests.cli.conftest.ExitCode", type("_", (), {"BUG": None}))
    run = mask("add", "12345", *PARTIES)
    run.failed(ExitCode.BUG, "a fault in mask: RuntimeError", "--debug")
    run = mask("add", "12345", *PARTIES, "--debug")
    assert (run.code, "Traceback" in run.err) == (ExitCode.BUG, True)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "words",
    [
        ("show", "12345"),
        ("show", "12345", "--remote"),
        ("list",),
        ("list", "--all"),
        ("list", "--remote"),
        ("list", "--pending"),
        ("add", "12345", *PARTIES),
        ("extend", "12345", "--by", "1h"),
        ("reassign", "12345", "--courier", GUIDE[3]),
        ("expire", "12345", "20001"),
        ("voximplant", "kv", "list"),
        ("voximplant", "kv", "get", "order:12345"),
    ],
    ids=" ".join,
)
def test_each_reveal_leaves_one_audit_row(
    mask: Mask, filled: None, words: tuple[str, ...], form: str
) -> None:
    assert filled is None
    run = mask(*words, "--reveal", "--format", form).done()
    assert whole_numbers(run.out)
    rows = mask.query("SELECT action FROM audit WHERE action = 'reveal'")
    assert len(rows) == 1
