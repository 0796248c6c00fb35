"""No phone number leaves the program whole unless somebody asked for it, whatever goes wrong.

The runner itself searches all that every run prints (see conftest); here every command there
is, found by walking the tree of commands, is given numbers in the right and the wrong places.
"""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest

from mask_cli.errors import ExitCode
from tests.cli.conftest import PARTIES
from tests.cli.every_command import EVERY, GOOD, RUNS_UNTIL_STOPPED, TAKES_SECONDS
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


def test_no_command_is_forgotten_here() -> None:
    assert set(EVERY) - RUNS_UNTIL_STOPPED - TAKES_SECONDS == set(GOOD)


@pytest.mark.parametrize(
    "forms",
    [
        pytest.param(("json",), id="one"),
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


@pytest.mark.parametrize(
    "number", [IN_NAMES[0], *(pytest.param(n, marks=pytest.mark.slow) for n in IN_NAMES[1:])]
)
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
def test_each_reveal_leaves_an_audit_row_for_each_order_that_was_named(
    mask: Mask, filled: None, words: tuple[str, ...], form: str
) -> None:
    assert filled is None
    run = mask(*words, "--reveal", "--format", form).done()
    assert whole_numbers(run.out)
    rows = mask.query("SELECT order_number FROM audit WHERE action = 'reveal'")
    named: list[str | None] = [word for word in words[1:] if word in ("12345", "20001")]
    assert rows == [(order,) for order in named or (None,)]
