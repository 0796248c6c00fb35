"""The values: what they refuse, what they show, and how local and base are compared."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mask_cli.errors import BadData
from mask_cli.models import (
    DAY,
    DELETION,
    REMOTE_LIFE,
    RENEW_BELOW,
    Mapping,
    PhoneNumber,
    Remote,
    RemoteItem,
    Role,
    State,
    Target,
    checked_note,
    checked_order,
    checked_parties,
    keyed_digest,
    needs_push,
    remote_expiry,
    remote_state,
    remote_value,
)

NOW = 1_800_000_000
COURIER, CLIENT = PhoneNumber("+12222222222"), PhoneNumber("+13333333333")
MAPPING = Mapping("00042", COURIER, CLIENT, NOW + DAY, NOW, NOW, mapping_id=3, revision=7)
PUSHED = RemoteItem("00042", 3, 7, "digest", NOW + DAY)


def test_a_number_does_not_show_itself_in_any_text() -> None:
    texts = (str(COURIER), repr(COURIER), f"{COURIER}", repr(MAPPING), f"{[COURIER]}")

    assert all("222222" not in text for text in texts)
    assert COURIER.digits == "12222222222"


def test_a_party_is_not_taken_for_the_other() -> None:
    assert MAPPING.role_of(COURIER) is Role.COURIER
    assert MAPPING.role_of(CLIENT) is Role.CLIENT
    assert MAPPING.role_of(PhoneNumber("+14155550100")) is None
    assert (MAPPING.party(Role.COURIER), MAPPING.party(Role.CLIENT)) == (COURIER, CLIENT)


def test_a_mapping_is_unreachable_from_the_very_second_of_its_expiry() -> None:
    assert MAPPING.state(NOW + DAY - 1) is State.ACTIVE
    assert MAPPING.state(NOW + DAY) is State.EXPIRED


def test_no_change_leaves_the_time_of_the_last_change() -> None:
    assert MAPPING.changed(NOW + 5, courier=COURIER) is MAPPING
    assert MAPPING.changed(NOW + 5, courier=CLIENT).updated_at == NOW + 5


def test_the_value_there_is_the_guides_and_nothing_else() -> None:
    assert remote_value(MAPPING) == '{"courier":"12222222222","client":"13333333333"}'


def test_the_provider_is_never_asked_to_keep_an_item_for_too_long() -> None:
    long = MAPPING.changed(NOW, expires_at=NOW + 4000 * DAY)

    assert remote_expiry(long, NOW) == NOW + REMOTE_LIFE <= NOW + 90 * DAY
    assert remote_expiry(MAPPING, NOW) == MAPPING.expires_at


def test_two_targets_never_share_a_name() -> None:
    parts = ('a", "b', "a", 'b"', "")
    targets = {
        Target(one, two, three, four)
        for one in parts
        for two in parts
        for three in parts
        for four in parts
    }

    assert len({target.id for target in targets}) == len(targets) == 256
    assert json.loads(Target("e", "a", "1", "").id) == ["e", "a", "1", ""]


@pytest.mark.parametrize(
    ("mapping", "item", "pushed", "state"),
    [
        (None, None, False, Remote.ABSENT),
        (MAPPING, None, True, Remote.PENDING),
        (MAPPING, PUSHED, False, Remote.LIVE),
        (MAPPING, RemoteItem("00042", 3, 6, "d", NOW + DAY), True, Remote.PENDING),
        (MAPPING, RemoteItem("00042", 3, 7, "d", NOW + DAY, "set"), True, Remote.PENDING),
        (MAPPING, RemoteItem("00042", 3, 7, "d", NOW + DAY, "delete"), True, Remote.PENDING),
        (MAPPING, RemoteItem("00042", attempts=1, refused=7), True, Remote.FAILED),
        (MAPPING, RemoteItem("00042", attempts=1, refused=6), True, Remote.PENDING),
        (MAPPING, RemoteItem("00042", attempts=1, refused=DELETION), True, Remote.PENDING),
        (None, PUSHED, True, Remote.PENDING),
        (None, RemoteItem("00042", 3, 7, "d", NOW), False, Remote.ABSENT),
        (None, RemoteItem("00042", 3, 7, "d", NOW, "delete"), True, Remote.PENDING),
        (None, RemoteItem("00042", intent="set"), True, Remote.PENDING),
        (None, RemoteItem("00042", refused=DELETION), False, Remote.ABSENT),
        (None, RemoteItem("00042", 3, 6, "d", NOW + 1, refused=7), True, Remote.PENDING),
        (None, RemoteItem("00042", 3, 6, "d", NOW + 1, refused=DELETION), True, Remote.FAILED),
        (MAPPING.changed(NOW, expires_at=NOW), None, False, Remote.ABSENT),
        (MAPPING.changed(NOW, expires_at=NOW), PUSHED, True, Remote.PENDING),
    ],
)
def test_what_must_be_sent_is_never_shown_as_live(
    mapping: Mapping | None, item: RemoteItem | None, pushed: bool, state: Remote
) -> None:
    assert needs_push(mapping, item, NOW) is pushed
    assert remote_state(mapping, item, NOW) is state


@pytest.mark.parametrize(
    ("ends", "there", "renewed"),
    [
        (200 * DAY, RENEW_BELOW, False),
        (200 * DAY, RENEW_BELOW - 1, True),
        (200 * DAY, -5, True),
        (10 * DAY, 10 * DAY, False),
        (11 * DAY, 10 * DAY, True),
    ],
)
def test_an_item_that_ends_before_its_mapping_is_renewed_in_time(
    ends: int, there: int, renewed: bool
) -> None:
    mapping = MAPPING.changed(NOW, expires_at=NOW + ends)
    item = RemoteItem("00042", 3, 7, "d", NOW + there)

    assert needs_push(mapping, item, NOW) is renewed


def test_a_stored_hash_cannot_be_guessed_without_the_key() -> None:
    assert keyed_digest(b"one", "text") != keyed_digest(b"two", "text")
    assert keyed_digest(b"one", "text") == keyed_digest(b"one", "text")


@pytest.mark.parametrize("order", ["00042", "12345", "99999"])
def test_a_leading_zero_of_an_order_is_kept(order: str) -> None:
    assert checked_order(order, 5) == order


@pytest.mark.parametrize(
    "order",
    [
        "",
        "1234",
        "123456",
        "1234a",
        "*2345",
        "all",
        "all00",
        "-1234",
        "+1234",
        " 1234",
        "12345\n",
        "1234\u0663",
        "1234²",
        "123 5",
        "1" * 1000000,
        "\x0012345",
    ],
)
def test_an_order_that_is_not_five_plain_digits_is_refused_and_not_echoed_long(order: str) -> None:
    with pytest.raises(BadData) as caught:
        checked_order(order, 5)

    assert len(caught.value.message) < 120


@given(st.text(max_size=30))
def test_no_text_but_digits_of_the_right_length_passes_for_an_order(text: str) -> None:
    plain = len(text) == 5 and all(c in "0123456789" for c in text)
    try:
        assert checked_order(text, 5) == text
    except BadData:
        assert not plain
    else:
        assert plain


def test_nobody_is_connected_with_himself() -> None:
    with pytest.raises(BadData) as caught:
        checked_parties(COURIER, PhoneNumber(COURIER.e164))

    assert "222222" not in caught.value.message


@pytest.mark.parametrize("note", [None, ""])
def test_no_note_is_none(note: str | None) -> None:
    assert checked_note(note) is None


@pytest.mark.parametrize(
    "note", ["blue door", "ring 12, floor 3", "2026-12-01", "ключ 4", "№ 12345"]
)
def test_a_harmless_note_is_kept(note: str) -> None:
    assert checked_note(note) == note


@pytest.mark.parametrize(
    "note",
    [
        "call 14155550100",
        "+1 (415) 555-0100",
        "5 5 5 0 1 0 0",
        "555-01-00",
        "\u0665\u0665\u0665\u0660\u0661\u0660\u0660",
        "line\nbreak",
        "\x1b[31mred",
        "a\x00b",
    ],
)
def test_a_note_that_leaks_a_number_or_moves_the_cursor_is_refused(note: str) -> None:
    with pytest.raises(BadData) as caught:
        checked_note(note)

    assert "\x1b" not in caught.value.message
    assert "4155550" not in caught.value.message
