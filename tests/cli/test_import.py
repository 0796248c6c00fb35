"""import: many rows at once, each bad one named, none stored by halves."""

from __future__ import annotations

import json
import re
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mask_cli.errors import ExitCode
from tests.cli.conftest import PARTIES, ROOT
from tests.cli.imported import COUNTS, GOOD, HEADER, numbers
from tests.cli.leaks import CLIENT, COURIER, GUIDE

if TYPE_CHECKING:
    from tests.cli.conftest import Mask, Run

JSON = ("--format", "json")
BAD_ROWS = ROOT / "sample_data" / "bad_rows.csv"


def refused(mask: Mask, content: str | bytes, told: str, *more: str) -> Run:
    """Assert that nothing of this is stored, and why."""
    mask("list").done()
    before = mask.everything()
    run = mask("import", "-", *more, stdin=content)
    run.failed(ExitCode.BAD_DATA, told)
    assert mask.everything() == before
    return run


@pytest.mark.parametrize("name", ["orders.csv", "orders.jsonl"])
def test_the_sample_orders_arrive_as_both_guides_write_them(mask: Mask, name: str) -> None:
    file = str(ROOT / "sample_data" / name)
    assert mask("import", file, *JSON).done().json == {**COUNTS, "added": 4}
    assert numbers(mask) == {
        "12345": ("+12222222222", "+13333333333"),
        "20001": ("+14156667778", "+14156667777"),
        "20002": ("+14156667780", "+14156667779"),
        "20003": ("+14156667782", "+14156667781"),
    }
    before = mask.query("SELECT * FROM mappings")
    assert mask("import", file, *JSON).done().json == {**COUNTS, "unchanged": 4}
    assert mask.query("SELECT * FROM mappings") == before


MORE_BAD_ROWS = (
    b"30023,+14155550101,+14155550102,nobody,,,not a virtual number",
    b"30024,+14155550101,+14155550102,,2027-03-28 02:30,,a local time that is skipped here",
    b"30025,+14155550101,+14155550102,,,,nul \0",
    b"30026,+14155550101,+14155550102,,2020-01-01T00:00:00Z,,expired: counted but not bad",
    b"30027,+14155550101,+14155550102,,,1h30m,another good row",
    b"30001,1-415-555-0102,1 (415) 555-0101,,,2h,as it came",
)
EXPECTED = [
    (3, "order", "'' is not 5 digits"),
    (4, "order", "'300' is not 5 digits"),
    (5, "order", "'300010' is not 5 digits"),
    (6, "order", "'3OOO1' is not 5 digits"),
    (7, "order", "'3*001' is not 5 digits"),
    (8, "order", "'all' is not 5 digits"),
    (9, "order", "is not 5 digits"),
    (10, "courier", "'' is not a phone number"),
    (11, "client", "'' is not a phone number"),
    (12, "courier", "'hello' is not a phone number"),
    (13, "courier", "'911' is not a phone number"),
    (14, "courier", "55' is not a phone number"),
    (15, "courier", "01' is not a phone number"),
    (16, "courier", "is not a phone number"),
    (17, "client", "it is the courier's number too"),
    (18, "virtual_number", "it is one of the parties"),
    (19, "ttl", "'-5m' is not a duration"),
    (20, "ttl", "is not between 1s and 3650d"),
    (21, "ttl", "'soon' is not a duration"),
    (22, "ttl", "is not between 1s and 3650d"),
    (23, "expires_at", "is not a time"),
    (24, "expires_at", "'tomorrow' is not a time"),
    (25, "ttl", "exclude each other"),
    (26, "note", "what looks like a phone number"),
    (27, None, "it has 6 fields where the header has 7"),
    (28, None, "it has 8 fields where the header has 7"),
    (29, "note", "control characters"),
    (30, "note", "it is not UTF-8"),
    (32, "virtual_number", "'nobody' is not a phone number"),
    (33, "expires_at", "does not exist"),
    (34, "note", "control characters"),
    (31, "order", "order 30001 is in the file before"),
    (37, "order", "order 30001 is in the file before"),
]


@pytest.fixture
def bad_rows(mask: Mask) -> str:
    """Return a file with the sample's bad rows, and what is bad only here or not at all."""
    file = mask.home / "bad_rows.csv"
    file.write_bytes(BAD_ROWS.read_bytes() + b"\n".join(MORE_BAD_ROWS) + b"\n")
    return str(file)


def problems(run: Run) -> list[tuple[int, str | None, str]]:
    found = re.findall(r"^line (\d+)(?:, column (\w+))?: (.*)$", run.err, re.MULTILINE)
    return [(int(line), column or None, reason) for line, column, reason in found]


def assert_expected(run: Run) -> None:
    found = problems(run)
    assert [(line, column) for line, column, _ in found] == [(n, c) for n, c, _ in EXPECTED]
    for (_, _, reason), (_, _, told) in zip(found, EXPECTED, strict=True):
        assert told in reason


def test_each_kind_of_bad_row_is_named_by_line_column_and_reason(mask: Mask, bad_rows: str) -> None:
    mask("list").done()
    before = mask.everything()
    run = mask("import", bad_rows)
    run.failed(ExitCode.BAD_DATA, f"{len(EXPECTED)} bad rows; nothing was stored")
    assert_expected(run)
    assert mask.everything() == before
    mask("import", bad_rows, "--dry-run").failed(ExitCode.BAD_DATA)


def test_keep_going_stores_the_good_rows_and_keeps_the_bad_ones_as_they_came(
    mask: Mask, bad_rows: str
) -> None:
    rejects = mask.home / "rejects.csv"
    words = ("import", bad_rows, "--keep-going", "--rejects", str(rejects), *JSON)
    assert mask(*words, "--dry-run").code == ExitCode.PARTLY
    assert (rejects.exists(), numbers(mask)) == (False, {})
    run = mask(*words)
    run.answered(ExitCode.PARTLY, f"{len(EXPECTED)} rows were not stored", str(rejects))
    assert run.json == {**COUNTS, "added": 2, "expired": 1, "rejected": len(EXPECTED)}
    assert_expected(run)
    assert set(numbers(mask)) == {"30001", "30027"}
    assert rejects.stat().st_mode & 0o777 == 0o600
    lines = Path(bad_rows).read_bytes().splitlines()
    wanted = [lines[0], *(lines[number - 1] for number, _, _ in EXPECTED)]
    assert rejects.read_bytes().splitlines() == wanted
    audit = mask("audit", "--limit", "1", *JSON).done().json[0]
    assert (audit["action"], f"{len(EXPECTED)} rejected" in audit["detail"]) == ("import", True)


def test_rejects_never_overwrite_a_file(mask: Mask) -> None:
    rejects, bad = mask.write("rejects.csv", "precious"), str(BAD_ROWS)
    run = mask("import", bad, "--keep-going", "--rejects", rejects)
    run.failed(ExitCode.UNREADABLE, "exists already")
    assert Path(rejects).read_text() == "precious"
    run = mask("import", bad, "--keep-going", "--rejects", "/proc/no/rejects")
    run.failed(ExitCode.UNREADABLE)
    assert mask("list", *JSON).done().json == []


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_mended_rejects_can_be_imported(mask: Mask, kind: str) -> None:
    rows = [("1234", GUIDE[0], GUIDE[1]), ("20001", GUIDE[2], GUIDE[3])]
    if kind == "csv":
        text = HEADER + "".join(",".join(row) + "\n" for row in rows)
    else:
        names = ("order", "courier", "client")
        text = "".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows)
    rejects = mask.home / f"rejects.{kind}"
    run = mask("import", mask.write(f"o.{kind}", text), "--keep-going", "--rejects", str(rejects))
    run.answered(ExitCode.PARTLY)
    rejects.write_text(rejects.read_text().replace("1234", "12345", 1))
    assert mask("import", str(rejects), *JSON).done().json == {**COUNTS, "added": 1}
    assert set(numbers(mask)) == {"12345", "20001"}


def test_keep_going_without_bad_rows_is_just_an_import(mask: Mask) -> None:
    file = mask.write("orders.csv", HEADER + GOOD)
    rejects = mask.home / "rejects.csv"
    mask("import", file, "--keep-going", "--rejects", str(rejects)).done()
    assert not rejects.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + (HEADER + GOOD).encode(),
        (HEADER + GOOD).replace(",", ";"),
        (HEADER + GOOD).replace(",", "\t"),
        (HEADER + GOOD).replace("\n", "\r\n"),
        (HEADER + GOOD).rstrip("\n"),
        HEADER + "\n" + GOOD + "\n\n",
        " Order , COURIER,Client\n" + GOOD,
        "agent,customer,order\n12222222222,13333333333,12345\n",
        'order,courier,client\n"12345","1 (222) 222-2222","+13333333333"\n',
        '{"order":"12345","courier":"12222222222","client":"13333333333"}',
        '\n {"order":"12345","agent":"12222222222","customer":"13333333333","note":null}\r\n',
        b'\xef\xbb\xbf{"client":"13333333333","order":"12345","courier":"12222222222"}\n',
        '[{"order":"12345","courier":"12222222222","client":"13333333333"}]',
        b'\xef\xbb\xbf\n[\n {"order":"12345",\n"agent":"12222222222","client":"13333333333"}\n]\n',
    ],
)
def test_files_as_other_programs_write_them_are_understood(
    mask: Mask, content: str | bytes
) -> None:
    assert mask("import", "-", *JSON, stdin=content).done().json == {**COUNTS, "added": 1}
    assert numbers(mask) == {"12345": ("+12222222222", "+13333333333")}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "the column order, courier, client is missing"),
        ("\n\n", "missing"),
        ("order,courier\n12345,12222222222\n", "the column client is missing"),
        (GOOD, "there is no column"),
        ("order,courier,client,colour\n" + GOOD, "there is no column 'colour'"),
        ("order,courier,client,client\n" + GOOD, "the column client is there twice"),
        ("order,courier,client,customer\n" + GOOD, "the column client is there twice"),
        (HEADER + '12345,"12222222222,13333333333\n20001,1,2\n', "quotes"),
        (HEADER + '12345,"1222"2222222,13333333333\n', "quotes"),
        (HEADER + "12345," + "1" * 200_000 + ",13333333333\n", "line 2"),
        ("x" * 1_000_000, "there is no column"),
        (HEADER + GOOD + GOOD, "line 3, column order: order 12345 is in the file before"),
        (HEADER.encode("utf-16"), "there is no column"),
    ],
)
def test_a_broken_csv_file_stores_nothing_and_names_its_line(
    mask: Mask, content: str | bytes, told: str
) -> None:
    run = refused(mask, content, told, "--from", "csv")
    assert len(run.err) < 1_000


DEEP = '{"order":' + "[" * 100_000


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ('{"order":12345,"courier":"12222222222","client":"13333333333"}', "order is not text"),
        ('{"order":"12345","courier":12222222222,"client":"13333333333"}', "courier is not text"),
        (
            '{"order":"12345","courier":{"number":"12222222222"},"client":"1"}',
            "courier is not text",
        ),
        ('{"order":"12345","courier":["12222222222"],"client":"13333333333"}', "courier is not"),
        ('{"order":"12345","courier":"12222222222","client":true}', "client is not text"),
        ('["12345","12222222222","13333333333"]', "not a JSON object"),
        ("12345", "not a JSON object"),
        ("null", "not a JSON object"),
        ('{"order":"12345","courier":"12222222222"}', "client is missing"),
        ('{"order":"12345","courier":"12222222222","client":""}', "client is missing"),
        ('{"order":"12345","courier":"12222222222","client":"13333333333","x":"1"}', "'x'"),
        (
            '{"order":"1","customer":"13333333333","client":"13333333333","courier":"1"}',
            "one twice",
        ),
        ('{"order":"12345","courier":"12222222222",', "not JSON"),
        ('{"order":"12345","courier":"12222222222","client":NaN}', "client is not text"),
        (DEEP, "not JSON"),
        ('{"order":"12345","courier":"122\\u00002222","client":"13333333333"}', "column courier"),
        ('{"order":"12345","courier":"\\ud800","client":"13333333333"}', "column courier"),
        (
            '{"order":"12345","courier":"12222222222","client":"13333333333","note":"\\ud800"}',
            "note",
        ),
    ],
    ids=lambda text: text[-20:] if len(text) < 100 else "deep",
)
def test_a_json_row_of_another_shape_is_named_by_its_line(mask: Mask, row: str, told: str) -> None:
    good = '{"order":"20001","courier":"12222222222","client":"13333333333"}\n'
    run = refused(mask, good + row + "\n", told, "--from", "jsonl")
    assert problems(run)[0][0] == 2


@pytest.mark.parametrize("name", ["orders.json", "orders.txt", "orders"])
def test_json_in_a_file_of_any_name_is_not_taken_for_csv(mask: Mask, name: str) -> None:
    objects = [
        {"order": order, "courier": GUIDE[0], "client": GUIDE[1]} for order in ("12345", "20001")
    ]
    array = mask.write(name, json.dumps(objects, indent=2))
    assert mask("import", array, *JSON).done().json == {**COUNTS, "added": 2}
    lines = mask.write(name, "".join(json.dumps(one) + "\n" for one in objects))
    assert mask("import", lines, *JSON).done().json == {**COUNTS, "unchanged": 2}


def test_bad_items_of_an_array_are_named_and_written_to_be_mended(mask: Mask) -> None:
    bad = {"order": "1", "courier": "1 (222) 222-2222", "client": "+1 333 333 3333"}
    text = json.dumps([bad, {**bad, "order": "12345"}, {**bad, "order": "12345"}], indent=1)
    rejects = mask.home / "rejects"
    run = mask("import", "-", "--keep-going", "--rejects", str(rejects), *JSON, stdin=text)
    run.answered(ExitCode.PARTLY, "item 1, column order", "item 3, column order: order 12345 is")
    written = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert written == [bad, {**bad, "order": "12345"}]
    refused(mask, text[:-3], "item 3: it is not JSON")
    rejects.write_text(rejects.read_text().replace('"1"', '"20001"'))
    assert mask("import", str(rejects), *JSON).done().json["added"] == 1


def test_an_export_named_json_can_be_read_back(mask: Mask) -> None:
    mask("add", "12345", *PARTIES).done()
    file = mask.home / "orders.json"
    mask("export", str(file)).done()
    assert json.loads(file.read_text())["order"] == "12345"
    assert mask("import", str(file), *JSON).done().json == {**COUNTS, "unchanged": 1}


def test_a_later_value_of_the_same_json_field_does_not_win_unseen(mask: Mask) -> None:
    row = '{"order":"12345","courier":"12222222222","courier":"14156667777","client":"13333333333"}'
    refused(mask, row, "twice")


@pytest.mark.parametrize("name", ["missing.csv", "a folder"])
def test_a_file_that_cannot_be_read_is_told(mask: Mask, name: str) -> None:
    (mask.home / "a folder").mkdir()
    mask("import", str(mask.home / name)).failed(ExitCode.UNREADABLE, "cannot read")


def test_standard_input_is_read_once(mask: Mask) -> None:
    assert mask("import", "-", "-", stdin=HEADER + GOOD).code == ExitCode.USAGE
    mask("import", "-", "--keep-going", "--rejects", "-", stdin=HEADER).failed(ExitCode.USAGE)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["twice", "bad", "conflicting"])
def test_rejected_rows_do_not_pile_up_in_memory(mask: Mask, kind: str) -> None:
    client = "x" if kind == "bad" else CLIENT
    head, peaks = "order,courier,client\n", []
    if kind == "conflicting":
        rows = "".join(f"{n:05d},{COURIER},{GUIDE[0]}\n" for n in range(20_000))
        mask("import", "-", stdin=head + rows).done()
    for count in (4_000, 20_000):
        orders = (0 if kind == "twice" else n for n in range(count))
        rows = "".join(f"{order:05d},{COURIER},{client}\n" for order in orders)
        file, rejects = mask.write("orders.csv", head + rows), mask.home / f"{count}.csv"
        tracemalloc.start()
        run = mask("import", file, "--keep-going", "--rejects", str(rejects))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert run.code == ExitCode.PARTLY
        assert len(rejects.read_text().splitlines()) >= count
    assert peaks[1] < 1.2 * peaks[0]
