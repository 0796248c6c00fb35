"""Reading rows: each bad one is named by line and column, and no number is shown."""

from __future__ import annotations

import io
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mask_cli.errors import BadData, MaskError
from mask_cli.models import DAY
from mask_cli.phone import bulk_reader
from mask_cli.rows import BadRow, CsvRows, Rules, opened_rows, row_checker
from mask_cli.times import format_time

if TYPE_CHECKING:
    from mask_cli.store.base import IncomingRow

NOW = 1_800_000_000
RULES = Rules(bulk_reader(), 5, 10 * DAY, NOW)
GOOD = "12345,12222222222,13333333333"


def results(content: bytes | str, kind: str = "csv") -> list[IncomingRow | str | None]:
    """Return each row, or `line column: reason`."""
    data = content.encode() if isinstance(content, str) else content
    rows = opened_rows(io.BytesIO(data), kind)
    check = row_checker(rows.columns, RULES)
    found: list[IncomingRow | str | None] = []
    for raw in rows:
        try:
            found.append(check(raw))
        except BadRow as error:
            found.append(f"{raw.line} {error.column}: {error.reason}")
    return found


def csv(*lines: str, header: str = "order,courier,client") -> str:
    return "\n".join([header, *lines, ""])


def row(content: bytes | str, kind: str = "csv") -> IncomingRow:
    (found,) = results(content, kind)
    assert found is not None
    assert not isinstance(found, str), found
    return found


def refused(content: bytes | str, kind: str = "csv") -> str:
    (found,) = results(content, kind)
    assert isinstance(found, str), "it was taken"
    assert not any(digits in found for digits in ("2222222222", "3333333333", "4155550100"))
    return found


def test_a_row_is_read_whole_with_the_default_expiry() -> None:
    found = row(csv("00042,12222222222,1-333-333-3333"))

    assert found == (
        "00042", 2, "+12222222222", "+13333333333", None, None, NOW + 10 * DAY, False
    )  # fmt: skip


def test_every_column_is_read_in_any_order() -> None:
    header = "note,ttl,virtual_number,client,expires_at,order,courier"
    found = row(csv("door,2h,+14155550100,13333333333,,12345,12222222222", header=header))

    assert found.virtual_number == "+14155550100"
    assert (found.note, found.expires_at, found.moves_expiry) == ("door", NOW + 7200, False)


def test_an_absolute_time_is_marked_as_such() -> None:
    at = format_time(NOW + 99)
    found = row(csv(f"{GOOD},{at}", header="order,courier,client,expires_at"))

    assert (found.expires_at, found.moves_expiry) == (NOW + 99, True)


def test_the_other_guides_words_are_taken() -> None:
    found = row(csv(GOOD, header="order,agent,customer"))

    assert (found.courier, found.client) == ("+12222222222", "+13333333333")


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbforder,courier,client\n" + GOOD.encode(),
        b"order;courier;client\r\n" + GOOD.replace(",", ";").encode() + b"\r\n",
        b"order\tcourier\tclient\n" + GOOD.replace(",", "\t").encode(),
        b" Order , COURIER,Client\n" + GOOD.encode(),
        b'"order","courier","client"\n"12345","12222222222","13333333333"',
        b"order,courier,client\n\n" + GOOD.encode() + b"\n\n",
        b"order,courier,client\n 12345 , 12222222222, 13333333333 \n",
    ],
    ids=["bom", "semicolons", "tabs", "header", "quotes", "blank-lines", "spaces"],
)
def test_files_as_other_programs_write_them_are_taken(content: bytes) -> None:
    found = row(content)

    assert (found.order, found.courier, found.client) == ("12345", "+12222222222", "+13333333333")


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("", "missing"),
        ("order,courier", "client is missing"),
        ("order,courier,client,colour", "no column 'colour'"),
        ("order,courier,client,client", "client is there twice"),
        ("order,courier,agent,client", "courier is there twice"),
        ("12345,12222222222,13333333333", "no column"),
        ("order courier client", "no column"),
        ("\x00", "no column"),
    ],
)
def test_a_wrong_header_is_told_before_any_row_is_taken(header: str, words: str) -> None:
    with pytest.raises(BadData) as caught:
        results(csv(GOOD, header=header))

    assert words in caught.value.message
    assert "2222222222" not in caught.value.message


def test_an_empty_file_is_told() -> None:
    with pytest.raises(BadData):
        results("")
    assert results("", "jsonl") == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("1234,12222222222,13333333333", "2 order: "),
        ("123456,12222222222,13333333333", "2 order: "),
        ("12*45,12222222222,13333333333", "2 order: "),
        ("all,12222222222,13333333333", "2 order: "),
        (",12222222222,13333333333", "2 order: "),
        ("12345,,13333333333", "2 courier: "),
        ("12345,12222222222,", "2 client: "),
        ("12345,1222222222,13333333333", "2 courier: "),
        ("12345,12222222222,133333+33333", "2 client: "),
        ("12345,1222222222x,13333333333", "2 courier: "),
        ("12345,12222222222,1-222-222-2222", "2 client: it is the courier's number too"),
        ("12345,12222222222", "2 None: it has 2 fields where the header has 3"),
        ("12345,12222222222,13333333333,more", "2 None: it has 4 fields"),
        ("12345,1222222\x002222,13333333333", "2 courier: "),
        ("12345,12222222222," + "1" * 100_000, "2 client: "),
    ],
)
def test_a_bad_row_is_named_by_line_and_column(line: str, words: str) -> None:
    found = refused(csv(line))

    assert found.startswith(words)
    assert len(found) < 200


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("expires_at", "2026-02-30 10:00", "2 expires_at: "),
        ("expires_at", "soon", "2 expires_at: "),
        ("ttl", "-5m", "2 ttl: "),
        ("ttl", "0", "2 ttl: "),
        ("ttl", "99999999999999999999d", "2 ttl: "),
        ("virtual_number", "12345", "2 virtual_number: "),
        ("virtual_number", "+1 222 222 2222", "2 virtual_number: it is one of the parties"),
        ("note", "call 14155550100", "2 note: "),
    ],
)
def test_a_bad_optional_value_is_named(column: str, value: str, words: str) -> None:
    found = refused(csv(f"{GOOD},{value}", header=f"order,courier,client,{column}"))

    assert found.startswith(words)


def test_two_ways_to_say_the_expiry_are_refused() -> None:
    line = f"{GOOD},{format_time(NOW + 9)},2h"

    assert "exclude" in refused(csv(line, header="order,courier,client,expires_at,ttl"))


@pytest.mark.parametrize(("at", "taken"), [(NOW - 1, False), (NOW, False), (NOW + 1, True)])
def test_a_row_that_has_expired_already_is_not_bad(at: int, taken: bool) -> None:
    (found,) = results(csv(f"{GOOD},{format_time(at)}", header="order,courier,client,expires_at"))

    assert (found is not None) == taken
    assert not isinstance(found, str)


def test_a_bad_row_does_not_shift_the_lines_of_the_next() -> None:
    lines = ["1,2,3", '12345,"12222222222","13333333333"', "", "x,y,z", f'"{GOOD}', '"']
    rows = CsvRows(io.BytesIO(csv(*lines[:4]).encode()))

    assert [raw.line for raw in rows] == [2, 3, 5]


def test_lines_are_counted_through_fields_of_several_lines() -> None:
    lines = [f'{GOOD},"blue\ndoor"', f"{GOOD},x"]
    rows = CsvRows(io.BytesIO(csv(*lines, header="order,courier,client,note").encode()))

    assert [raw.line for raw in rows] == [2, 4]


@pytest.mark.parametrize("line", ['12345,"12222222222,13333333333', '12345,"1222"2222222,1'])
def test_broken_quotes_end_the_reading_and_name_the_line(line: str) -> None:
    with pytest.raises(BadData) as caught:
        results(csv(GOOD, line))

    assert caught.value.message.startswith("line 3: ")
    assert "2222222" not in caught.value.message


def test_an_endless_field_ends_the_reading() -> None:
    with pytest.raises(MaskError):
        results(csv(f'12345,"{"1" * 200_000}",13333333333'))


def test_bytes_that_are_no_utf8_survive_to_the_file_of_rejects() -> None:
    content = "order,courier,client,note\n12345,1222222222\xe9,13333333333,caf\xe9\n".encode(
        "latin-1"
    )
    rows = CsvRows(io.BytesIO(content))

    written = rows.head + "".join(map(rows.text, rows))
    assert written.encode("utf-8", "surrogateescape") == content


def test_rejected_rows_read_back_as_they_were() -> None:
    lines = ['12345;"1 222; 222";x', "1;2;3"]
    rows = CsvRows(io.BytesIO(csv(*lines, header="order;courier;client").encode()))
    raws = list(rows)

    again = CsvRows(io.BytesIO((rows.head + "".join(map(rows.text, raws))).encode()))
    assert list(again) == raws


# JSON Lines


def json_row(**values: object) -> str:
    return json.dumps(
        {"order": "12345", "courier": "12222222222", "client": "13333333333"} | values
    )


def test_a_json_row_is_read_with_null_as_nothing() -> None:
    found = row(json_row(note=None, ttl="2h", virtual_number=""), "jsonl")

    assert found == row(csv(f"{GOOD},2h", header="order,courier,client,ttl"))._replace(line=1)


def test_json_lines_with_a_byte_order_mark_and_blank_lines_are_taken() -> None:
    content = "\ufeff" + json_row() + "\r\n\r\n" + json_row(order="54321") + "\n"
    found = results(content, "jsonl")

    assert [(one.order, one.line) for one in found if one and not isinstance(one, str)] == [
        ("12345", 1),
        ("54321", 3),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (json_row(order=12345), "order is not text"),
        (json_row(order=42), "order is not text"),
        (json_row(courier=12222222222), "courier is not text"),
        (json_row(note={"text": "x"}), "note is not text"),
        (json_row(note=["x"]), "note is not text"),
        (json_row(note=True), "note is not text"),
        (json_row(colour="red"), "a field too many: 'colour'"),
        (json_row(customer="13333333333"), "one twice"),
        ('{"order":"11111",' + json_row()[1:], "a field twice"),
        (json_row(order=None), "order is missing"),
        (json_row(client=""), "client is missing"),
        ("[]", "not a JSON object"),
        ("[" * 100_000, "not JSON"),
        ('"12345"', "not a JSON object"),
        ("12345", "not a JSON object"),
        ("null", "not a JSON object"),
        ("{", "not JSON"),
        ("{}", "order, courier, client is missing"),
        (json_row() + json_row(), "not JSON"),
        ("9" * 5_000, "not JSON"),
    ],
)
def test_a_bad_json_row_is_named(text: str, words: str) -> None:
    assert words in refused(text, "jsonl")


def test_an_unknown_field_does_not_leak_a_number() -> None:
    refused(json_row(**{"14155550100": "x"}), "jsonl")


def test_rejected_json_rows_are_written_as_they_came() -> None:
    lines = [json_row(order=1), "{nonsense", json_row(courier="1 (222) 222-2222")]
    rows = opened_rows(io.BytesIO("\n".join(lines).encode()), "jsonl")

    assert "".join(map(rows.text, rows)).splitlines() == lines


# A JSON array


@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_gives_what_its_objects_give_one_a_line(indent: int | None) -> None:
    objects = [
        json.loads(json_row(order=str(n), note="Z\u00fcrich \u2028")) for n in range(10000, 14000)
    ]
    objects += [json.loads(json_row(order=1)), 7, None, ["12345"], {}]
    array = "\ufeff " + json.dumps(objects, indent=indent) + "\n"
    lines = "\n".join(json.dumps(one) for one in objects)

    assert len(array) > 65_536, "more than one piece"
    assert results(array, "json") == results(lines, "jsonl")


def test_an_empty_array_has_no_rows() -> None:
    assert results(" [ ] ", "json") == []


def test_an_object_over_several_lines_is_rejected_as_one_that_can_be_read_back() -> None:
    bad = json.loads(json_row(order=1, note="a\nb \u2028"))
    text = json.dumps([bad], indent=2, ensure_ascii=False)
    rows = opened_rows(io.BytesIO(text.encode()), "json")
    (written,) = map(rows.text, rows)

    assert written.count("\n") == 1
    assert json.loads(written) == bad


def test_a_field_that_an_item_has_twice_does_not_win_unseen() -> None:
    twice = '{"courier":"14156667777",' + json_row()[1:]
    found = results(f"[{twice},{json_row()}]", "json")

    assert found[0] == "1 None: it has a field twice"
    assert not isinstance(found[1], str)


@pytest.mark.parametrize(
    ("text", "item"),
    [
        ("", 1),
        ("[", 1),
        (json_row(), 1),
        ("[" * 100_000, 1),
        ("[" + json_row(), 1),
        ("[" + json_row() + ",", 2),
        ("[" + json_row() + ",]", 2),
        ("[" + json_row() + json_row() + "]", 1),
        ("[" + json_row() + "] []", 2),
        ("[" + json_row() + ', {"order": "123', 2),
        ("[" + json_row() + ', "' + "1" * 2_000_000 + '"]', 2),
        ("[" + json_row() + ", nonsense]", 2),
    ],
    ids=lambda text: str(text)[-12:],
)
def test_a_broken_array_ends_the_reading_and_names_the_item(text: str, item: int) -> None:
    with pytest.raises(BadData) as caught:
        results(text, "json")

    assert caught.value.message.startswith(f"item {item}: ")
    assert len(caught.value.message) < 120


def test_an_endless_item_is_not_kept_whole() -> None:
    class Endless(io.RawIOBase):
        read_so_far = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            begin = b"" if self.read_so_far else b'["'
            self.read_so_far += len(buffer)
            buffer[:] = begin.ljust(len(buffer), b"1")
            return len(buffer)

    stream = Endless()
    with pytest.raises(BadData):
        list(opened_rows(io.BufferedReader(stream), "json"))
    assert stream.read_so_far < 1_000_000


@given(st.binary(max_size=200), st.sampled_from(["csv", "json", "jsonl"]))
def test_no_bytes_make_the_reader_fall_over(content: bytes, kind: str) -> None:
    header = {"csv": b"order,courier,client\n", "json": b"["}.get(kind, b"")
    with suppress(BadData):
        assert results(header + content, kind) is not None
