"""The Plivo adapter over real sockets: each trap of the SDK and the platform stays inside it."""

from __future__ import annotations

import logging
import socket
import ssl
import subprocess
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from mask_cli.errors import (
    BadData,
    ConfigurationError,
    Conflict,
    ExitCode,
    MaskError,
    NotFound,
    ProviderDenied,
    ProviderRefused,
    ProviderUnavailable,
)
from mask_cli.models import PhoneNumber
from mask_cli.providers.base import Application, OfferedNumber, Rental, RentedNumber
from mask_cli.providers.plivo import PlivoClient
from mask_cli.sandbox.plivo_api import PlivoSandbox
from tests.contract.plivo_fixtures import ANSWER, NUMBER, OTHER, PENDING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mask_cli.providers.base import PlivoAccount

HANGUP = "https://mask.example/plivo/hangup"
WANTED = Application("", "masking", ANSWER)


@pytest.fixture
def plivo() -> Iterator[PlivoSandbox]:
    with PlivoSandbox() as sandbox:
        yield sandbox
    assert sandbox.server.log.failures == []


def client_of(plivo: PlivoSandbox, **settings: Any) -> PlivoClient:
    return PlivoClient(plivo.auth_id, plivo.auth_token, endpoint=plivo.url, **settings)


@pytest.fixture
def account(plivo: PlivoSandbox) -> Iterator[PlivoClient]:
    with client_of(plivo, timeout=0.2, deadline=4.0, pause=0.005) as client:
        yield client


@pytest.fixture(autouse=True)
def nothing_but_our_answer_reaches_stdout(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    assert capfd.readouterr() == ("", "")


def writes(plivo: PlivoSandbox) -> int:
    return sum(seen.method != "GET" for seen in plivo.requests)


# Applications


def test_an_application_comes_back_as_it_was_wanted(account: PlivoClient) -> None:
    everything = Application(
        "", "masking", ANSWER, "GET", HANGUP, "GET", ANSWER, "GET", HANGUP, "GET",
        default_number_app=True, default_endpoint_app=True, log_incoming_messages=False,
        public_uri=True, subaccount="SA000000000000000001",
    )  # fmt: skip
    created = account.create_application(everything)
    assert created.app_id.isdigit()
    assert account.application(created.app_id) == created
    assert account.find_application("masking") == created


def test_all_pages_of_applications_are_listed_once(account: PlivoClient) -> None:
    ids = {account.create_application(Application("", f"a{i}", ANSWER)).app_id for i in range(41)}
    listed = [application.app_id for application in account.applications()]
    assert len(listed) == 41
    assert set(listed) == ids


def test_an_application_is_not_taken_for_one_with_a_longer_name(account: PlivoClient) -> None:
    account.create_application(Application("", "masking-2", ANSWER))
    assert account.find_application("masking") is None


def test_two_applications_of_one_name_are_not_chosen_between(
    plivo: PlivoSandbox, account: PlivoClient
) -> None:
    plivo.switches.duplicate_name = 0
    ids = [account.create_application(WANTED).app_id for _ in range(2)]
    with pytest.raises(Conflict, match=f"2 applications .*{ids[0]}, {ids[1]}"):
        account.find_application("masking")


def test_updating_one_url_does_not_reset_the_rest(
    plivo: PlivoSandbox, account: PlivoClient
) -> None:
    before = account.create_application(
        Application(
            "", "masking", ANSWER, "GET", HANGUP, "GET", ANSWER, "GET", HANGUP, "GET",
            default_number_app=True, default_endpoint_app=True, log_incoming_messages=False,
        )
    )  # fmt: skip
    raw = dict(plivo.applications.by_id[before.app_id])
    account.update_application(before.app_id, {"answer_url": "https://mask.example/new"})
    assert plivo.applications.by_id[before.app_id] == {
        **raw,
        "answer_url": "https://mask.example/new",
    }


def test_the_other_spelling_of_the_log_flag_does_not_switch_logging_on(
    plivo: PlivoSandbox, account: PlivoClient
) -> None:
    plivo.switches.log_flag = "log_incoming_message"
    quiet = Application("", "masking", ANSWER, log_incoming_messages=False)
    app_id = account.create_application(quiet).app_id
    account.update_application(app_id, {"answer_method": "GET"})
    assert plivo.applications.by_id[app_id]["log_incoming_messages"] is False


@pytest.mark.parametrize("field", ["name", "app_id", "colour"])
def test_a_field_that_cannot_be_changed_is_refused_before_a_request(
    plivo: PlivoSandbox, account: PlivoClient, field: str
) -> None:
    with pytest.raises(BadData, match=field):
        account.update_application("123", {field: "x"})
    assert not plivo.requests


def test_an_argument_the_sdk_refuses_is_bad_data(plivo: PlivoSandbox, account: PlivoClient) -> None:
    with pytest.raises(BadData, match="answer_url"):
        account.create_application(Application("", "masking", "no address"))
    assert not plivo.requests


@pytest.mark.parametrize("status", [400, 409])
def test_a_taken_name_is_a_conflict_whatever_the_status(
    plivo: PlivoSandbox, account: PlivoClient, status: int
) -> None:
    plivo.switches.duplicate_name = status
    account.create_application(WANTED)
    with pytest.raises(Conflict, match="exists already"):
        account.create_application(WANTED)


def test_another_refusal_is_not_taken_for_a_taken_name(
    plivo: PlivoSandbox, account: PlivoClient
) -> None:
    plivo.switches.strict_names = True
    with pytest.raises(ProviderRefused, match="app_name parameter is invalid") as caught:
        account.create_application(Application("", "Phone IVR", ANSWER))
    assert caught.value.code == 400


@pytest.mark.parametrize("switch", ["unlink", "dangle", "refuse"])
def test_deleting_an_application_leaves_no_number_dangling(
    plivo: PlivoSandbox, account: PlivoClient, switch: str
) -> None:
    plivo.switches.numbers_of_deleted = switch
    app_id = account.create_application(WANTED).app_id
    other = account.create_application(Application("", "other", ANSWER)).app_id
    plivo.numbers.own(NUMBER.digits, app_id)
    plivo.numbers.own(OTHER.digits, other)
    assert account.delete_application(app_id) == (NUMBER,)
    assert {n.number: n.app_id for n in account.numbers()} == {NUMBER: None, OTHER: other}
    with pytest.raises(NotFound, match=app_id):
        account.delete_application(app_id)


def test_a_deletion_relies_on_no_option_that_the_service_may_not_read(
    plivo: PlivoSandbox, account: PlivoClient
) -> None:
    """The SDK sends options of a DELETE in a body; the service's are in the query."""
    account.delete_application(account.create_application(WANTED).app_id)
    (deletion,) = (seen for seen in plivo.requests if seen.method == "DELETE")
    for option in (b"cascade", b"new_endpoint"):
        assert option not in deletion.body
        assert option not in deletion.query.encode()


# Numbers


def test_offers_show_prices_and_restrictions(account: PlivoClient) -> None:
    assert next(account.offered_numbers("CA", type="local")) == OfferedNumber(
        PENDING, "1.00000", "0.80000", "0.00850", "country-address", "local", "British Columbia",
        voice_enabled=True,
    )  # fmt: skip
    assert len(list(account.offered_numbers("US"))) == 33
    assert len(list(account.offered_numbers("US", services="voice,sms", pattern="888"))) == 3


def test_a_search_asks_for_no_page_nobody_reads(plivo: PlivoSandbox, account: PlivoClient) -> None:
    assert len(list(islice(account.offered_numbers("US"), 20))) == 20
    assert len(plivo.requests) == 1


@pytest.mark.parametrize(("country", "filters"), [("us", {}), ("USA", {}), ("US", {"limit": "5"})])
def test_a_bad_search_is_refused_before_a_request(
    plivo: PlivoSandbox, account: PlivoClient, country: str, filters: dict[str, str]
) -> None:
    with pytest.raises(BadData):
        list(account.offered_numbers(country, **filters))
    assert not plivo.requests


def test_renting_twice_pays_once(plivo: PlivoSandbox, account: PlivoClient) -> None:
    app_id = account.create_application(WANTED).app_id
    assert account.rent(NUMBER, app_id) == Rental(NUMBER, pending=False)
    assert account.rent(NUMBER) == Rental(NUMBER, pending=False, changed=False)
    assert str(plivo.numbers.balance) == "99.20000"
    assert account.number(NUMBER) == RentedNumber(
        NUMBER, app_id, None, "0.80000", "local", voice_enabled=True
    )


def test_a_pending_rental_is_not_told_as_done(account: PlivoClient) -> None:
    assert account.rent(PENDING) == Rental(PENDING, pending=True)


def test_a_failed_rental_is_not_told_as_done(plivo: PlivoSandbox, account: PlivoClient) -> None:
    body = (
        b'{"message":"created","status":"fulfilled","numbers":[{"number":"%s","status":"failed"}]}'
    )
    plivo.faults.body(201, body % NUMBER.digits.encode(), on="POST")
    with pytest.raises(ProviderRefused, match="failed"):
        account.rent(NUMBER)


def test_a_rental_that_does_not_tell_is_looked_up(
    plivo: PlivoSandbox, account: PlivoClient
) -> None:
    plivo.faults.body(201, b'{"message":"created"}', on="POST")
    with pytest.raises(ProviderUnavailable, match="what became of it") as caught:
        account.rent(NUMBER)
    assert caught.value.unsure
    plivo.faults.body(201, b'{"message":"created"}', on="POST", applied=True)
    assert account.rent(NUMBER) == Rental(NUMBER, pending=False)


def test_a_rental_without_credit_says_why(plivo: PlivoSandbox, account: PlivoClient) -> None:
    plivo.numbers.balance -= 100
    with pytest.raises(ProviderRefused, match="Insufficient funds"):
        account.rent(NUMBER)


def test_a_number_not_offered_and_an_application_not_there_are_told_apart(
    plivo: PlivoSandbox, account: PlivoClient
) -> None:
    with pytest.raises(NotFound, match="not offered"):
        account.rent(PhoneNumber("+12222222222"))
    plivo.faults.status(404, "not found", times=2, on="POST")
    with pytest.raises(NotFound, match="no application 123"):
        account.rent(NUMBER, "123")
    plivo.numbers.own(NUMBER.digits)
    with pytest.raises(NotFound, match="no application 123"):
        account.assign(NUMBER, "123")
    with pytest.raises(NotFound, match="not rented"):
        account.assign(OTHER, "123")


def test_assigning_and_unassigning_may_be_repeated(
    plivo: PlivoSandbox, account: PlivoClient
) -> None:
    app_id = account.create_application(WANTED).app_id
    plivo.numbers.own(NUMBER.digits).alias = "desk"
    for _ in range(2):
        assert account.assign(NUMBER, app_id).app_id == app_id
    for _ in range(2):
        assert account.unassign(NUMBER).app_id is None
    assert account.number(NUMBER).alias == "desk"


def test_an_unassigned_number_does_not_fall_to_the_default_application(
    plivo: PlivoSandbox, account: PlivoClient
) -> None:
    account.create_application(Application("", "default", ANSWER, default_number_app=True))
    plivo.numbers.own(NUMBER.digits)
    assert account.unassign(NUMBER).app_id is None


def test_an_acknowledged_change_that_did_not_happen_is_told(
    plivo: PlivoSandbox, account: PlivoClient
) -> None:
    app_id = account.create_application(WANTED).app_id
    plivo.numbers.own(NUMBER.digits)
    plivo.faults.body(202, b'{"message":"changed"}', on="POST")
    with pytest.raises(ProviderRefused, match="still goes to no application"):
        account.assign(NUMBER, app_id)


def test_unrenting_an_absent_number_is_told(plivo: PlivoSandbox, account: PlivoClient) -> None:
    plivo.numbers.own(NUMBER.digits)
    account.unrent(NUMBER)
    with pytest.raises(NotFound, match="not rented"):
        account.unrent(NUMBER)


# What must not reach an address


@pytest.mark.parametrize("app_id", ["../Number", "1/2", "", "١٢٣", "1?x=1", "12\n", "1" * 21])
def test_an_id_that_is_no_id_never_reaches_a_url(
    plivo: PlivoSandbox, account: PlivoClient, app_id: str
) -> None:
    calls: list[Callable[[], object]] = [
        lambda: account.application(app_id),
        lambda: account.update_application(app_id, {}),
        lambda: account.delete_application(app_id),
        lambda: account.assign(NUMBER, app_id),
        lambda: account.rent(NUMBER, app_id),
    ]
    for call in calls:
        with pytest.raises(BadData):
            call()
    assert not plivo.requests


@pytest.mark.parametrize("e164", ["+../Number", "+1", "+" + "1" * 16, "+١٢٣٤٥٦٧", "+1415555 0100"])
def test_a_number_that_is_no_number_never_reaches_a_url(
    plivo: PlivoSandbox, account: PlivoClient, e164: str
) -> None:
    number = PhoneNumber(e164)
    verbs = (account.number, account.rent, account.unassign, account.unrent)
    for verb in verbs:
        with pytest.raises(BadData) as caught:
            verb(number)
        assert "11111" not in str(caught.value)
    assert not plivo.requests


# Errors of the service

LISTS: list[Callable[[PlivoAccount], object]] = [
    lambda account: list(account.applications()),
    lambda account: list(account.numbers()),
    lambda account: list(account.offered_numbers("US")),
    lambda account: account.find_application("masking"),
    lambda account: account.application("123"),
    lambda account: account.number(NUMBER),
]


@pytest.mark.parametrize("call", LISTS)
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, ProviderRefused),
        (401, ProviderDenied),
        (402, ProviderRefused),
        (403, ProviderDenied),
        (405, ProviderRefused),
        (409, ProviderRefused),
        (422, ProviderRefused),
    ],
)
def test_an_error_on_a_list_is_not_a_crash(
    plivo: PlivoSandbox,
    account: PlivoClient,
    call: Callable[[PlivoAccount], object],
    status: int,
    error: type[ProviderRefused],
) -> None:
    plivo.faults.status(status, "the reason")
    with pytest.raises(error, match=f"Plivo answered {status}: the reason") as caught:
        call(account)
    assert type(caught.value) is error
    assert caught.value.code == status
    assert len(plivo.requests) == 1


@pytest.mark.parametrize("as_text", [False, True])
def test_wrong_credentials_on_a_list_are_denied_not_a_crash(
    plivo: PlivoSandbox, as_text: bool
) -> None:
    plivo.switches.unauthorized_text = as_text
    with PlivoClient(plivo.auth_id, "wrong-token", endpoint=plivo.url) as client:
        with pytest.raises(ProviderDenied) as caught:
            list(client.numbers())
        assert "PLIVO_AUTH_TOKEN" in (caught.value.hint or "")
        assert "wrong-token" not in str(caught.value)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_5xx_does_not_create_twice(
    plivo: PlivoSandbox, account: PlivoClient, status: int
) -> None:
    plivo.faults.status(status, times=5, on="POST")
    with pytest.raises(ProviderUnavailable, match=f"{status}: the service is ill") as caught:
        account.create_application(WANTED)
    assert caught.value.unsure
    assert writes(plivo) == 1


def test_a_read_after_5xx_is_repeated_and_typed(plivo: PlivoSandbox, account: PlivoClient) -> None:
    created = account.create_application(WANTED)
    for _ in range(2):
        plivo.faults.status(500, times=2)
        assert account.application(created.app_id) == created
    plivo.faults.status(500, times=2)
    assert list(account.applications()) == [created]


def test_the_end_of_patience_is_try_later(plivo: PlivoSandbox, account: PlivoClient) -> None:
    plivo.faults.status(503, times=9)
    with pytest.raises(ProviderUnavailable) as caught:
        list(account.numbers())
    assert (caught.value.exit_code, caught.value.unsure) == (ExitCode.TRY_LATER, False)
    assert len(plivo.requests) == 4


def test_throttling_says_why_and_is_not_unsure(plivo: PlivoSandbox, account: PlivoClient) -> None:
    plivo.faults.status(429, "slow down", on="POST")
    with pytest.raises(ProviderUnavailable, match="429: slow down") as caught:
        account.create_application(WANTED)
    assert caught.value.unsure is False


def test_retry_after_is_waited_for_unless_the_deadline_is_nearer(
    plivo: PlivoSandbox, account: PlivoClient
) -> None:
    plivo.faults.status(429, retry_after="1")
    start = time.monotonic()
    assert list(account.numbers()) == []
    assert time.monotonic() - start >= 1
    plivo.faults.status(429, retry_after="3600")
    with pytest.raises(ProviderUnavailable):
        list(account.numbers())
    assert time.monotonic() - start < 3


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        ({"message": "inner"}, "inner"),
        ({"error": {"message": "deep"}}, "deep"),
        ("call 1 415 555 0100 now", "call ••••••• now"),
        ("two\nlines\x1b[31m", "two lines "),
        (None, "Plivo answered 400"),
    ],
)
def test_the_services_words_are_shown_without_harm(
    plivo: PlivoSandbox, account: PlivoClient, error: object, shown: str
) -> None:
    plivo.faults.status(400, error)
    with pytest.raises(ProviderRefused) as caught:
        list(account.numbers())
    assert shown in str(caught.value)
    assert caught.value.message.isprintable()


def test_an_echoed_token_is_not_shown(plivo: PlivoSandbox, account: PlivoClient) -> None:
    plivo.faults.status(400, f"bad login {plivo.auth_token}")
    with pytest.raises(ProviderRefused) as caught:
        list(account.numbers())
    assert str(caught.value) == "Plivo answered 400: bad login •••"


# Answers that are none

NOT_AN_ANSWER = [
    b"<html>Sign in</html>", b"[]", b'"x"', b"null", b"", b'{"a"', b"[" * 100_000, b"\xff\xfe",
]  # fmt: skip
NOT_A_PAGE = [
    b'{"meta":{}}', b'{"objects":[]}', b'{"meta":{},"objects":null}',
    b'{"meta":{},"objects":["x"]}', b'{"meta":{},"objects":{"a":1}}',
]  # fmt: skip


@pytest.mark.parametrize("body", NOT_AN_ANSWER + NOT_A_PAGE)
def test_a_200_that_is_no_list_is_not_an_empty_list(
    plivo: PlivoSandbox, account: PlivoClient, body: bytes
) -> None:
    plivo.faults.body(200, body, "text/html", times=9)
    with pytest.raises(ProviderUnavailable, match="something else than documented"):
        list(account.numbers())


@pytest.mark.parametrize("body", NOT_AN_ANSWER)
def test_a_200_that_is_no_object_is_not_a_success(
    plivo: PlivoSandbox, account: PlivoClient, body: bytes
) -> None:
    plivo.faults.body(200, body, "text/html", on="POST")
    with pytest.raises(ProviderUnavailable) as caught:
        account.create_application(WANTED)
    assert caught.value.unsure


@pytest.mark.parametrize("body", [b"<html>Sign in</html>", b"7", b"null", b"[]"])
def test_a_sign_in_page_is_not_taken_for_a_deletion(
    plivo: PlivoSandbox, account: PlivoClient, body: bytes
) -> None:
    plivo.numbers.own(NUMBER.digits)
    plivo.faults.body(200, body, times=9)
    with pytest.raises(ProviderUnavailable, match="something else than documented"):
        account.unrent(NUMBER)


@pytest.mark.parametrize("status", [204, 226])
def test_a_success_without_content_is_not_taken_for_an_answer(
    plivo: PlivoSandbox, account: PlivoClient, status: int
) -> None:
    plivo.faults.body(status, b"", times=9)
    with pytest.raises(ProviderUnavailable):
        account.application("123")
    with pytest.raises(ProviderUnavailable):
        list(account.numbers())


@pytest.mark.parametrize(
    "record", [b"{}", b'{"number":null}', b'{"number":"../x"}', b'{"number":"12"}']
)
def test_a_record_without_its_number_is_not_listed(
    plivo: PlivoSandbox, account: PlivoClient, record: bytes
) -> None:
    plivo.faults.body(200, b'{"meta":{},"objects":[%s]}' % record)
    with pytest.raises(ProviderUnavailable, match="record"):
        list(account.numbers())


def test_a_listing_that_ignores_the_offset_does_not_go_on_for_ever(
    plivo: PlivoSandbox, account: PlivoClient
) -> None:
    page = b'{"meta":{"next":"/x/?cursor=abc"},"objects":[{"number":"14155550100"}]}'
    plivo.faults.body(200, page, times=99)
    with pytest.raises(ProviderUnavailable, match="same page again"):
        list(account.numbers())
    assert len(plivo.requests) == 2


def test_an_html_404_is_not_taken_for_an_absent_number(
    plivo: PlivoSandbox, account: PlivoClient
) -> None:
    plivo.faults.body(404, b"<html>nginx</html>", "text/html", times=9)
    with pytest.raises(ProviderUnavailable):
        account.rent(NUMBER)
    assert writes(plivo) == 0


def test_credentials_do_not_follow_a_redirect(plivo: PlivoSandbox, account: PlivoClient) -> None:
    with PlivoSandbox() as elsewhere:
        plivo.faults.body(302, b"", headers=(("Location", elsewhere.url + "/v1/"),), times=9)
        with pytest.raises(ProviderUnavailable, match="302"):
            list(account.numbers())
        assert not elsewhere.requests


# Connections


def test_a_timeout_is_try_later_and_unsure_for_writes_only(
    plivo: PlivoSandbox, account: PlivoClient
) -> None:
    plivo.faults.silent(times=9)
    with pytest.raises(ProviderUnavailable, match="in time") as caught:
        list(account.numbers())
    assert caught.value.unsure is False
    with pytest.raises(ProviderUnavailable, match="in time") as caught:
        account.unassign(NUMBER)
    assert caught.value.unsure is True


def test_a_reset_is_repeated_for_what_may_be_repeated(
    plivo: PlivoSandbox, account: PlivoClient
) -> None:
    plivo.numbers.own(NUMBER.digits)
    for call in (lambda: list(account.numbers()), lambda: account.unassign(NUMBER)):
        plivo.faults.reset()
        call()
    plivo.faults.reset(on="POST")
    with pytest.raises(ProviderUnavailable) as caught:
        account.rent(OTHER)
    assert caught.value.unsure
    assert OTHER.digits not in plivo.numbers.rented


def test_a_lost_answer_does_not_create_or_pay_twice(
    plivo: PlivoSandbox, account: PlivoClient
) -> None:
    plivo.switches.duplicate_name = 0
    plivo.faults.lost(on="POST")
    created = account.create_application(WANTED)
    plivo.faults.lost(on="POST")
    assert account.rent(NUMBER).changed
    assert [a.app_id for a in account.applications()] == [created.app_id]
    assert str(plivo.numbers.balance) == "99.20000"


def test_a_lost_answer_does_not_make_a_deletion_fail(
    plivo: PlivoSandbox, account: PlivoClient
) -> None:
    app_id = account.create_application(WANTED).app_id
    plivo.numbers.own(NUMBER.digits)
    plivo.faults.lost(times=1, on="DELETE")
    account.unrent(NUMBER)
    plivo.faults.lost(times=1, on="DELETE")
    account.delete_application(app_id)
    assert (plivo.applications.by_id, plivo.numbers.rented) == ({}, {})


def test_a_write_stays_unsure_when_its_repetition_cannot_connect() -> None:
    with PlivoSandbox() as plivo:
        client = client_of(plivo, timeout=0.3, deadline=3, pause=0.005)
        plivo.numbers.own(NUMBER.digits)
        plivo.faults.silent(on="POST", applied=True)
        stop = threading.Timer(0.1, plivo.server.stop)
        stop.start()
        with client, pytest.raises(ProviderUnavailable) as caught:
            client.unassign(NUMBER)
        stop.join()
        plivo.server.start()
    assert caught.value.unsure


def test_nothing_listening_is_try_later_and_not_unsure() -> None:
    with PlivoSandbox() as gone:
        client = client_of(gone)
    with client, pytest.raises(ProviderUnavailable, match="cannot be reached") as caught:
        client.create_application(WANTED)
    assert caught.value.unsure is False


@contextmanager
def dripping(head: bytes) -> Iterator[str]:
    """Serve one answer that never ends, a byte every 20 ms."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                try:
                    connection.recv(65_536)
                    connection.sendall(head)
                    for _ in range(500):
                        connection.sendall(b" ")
                        time.sleep(0.02)
                except OSError:
                    return

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def test_an_answer_in_drops_does_not_outlast_the_deadline() -> None:
    start = time.monotonic()
    with (
        dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n") as url,
        PlivoClient("MA000000000000000000", "token", endpoint=url, deadline=0.5) as client,
        pytest.raises(ProviderUnavailable, match="in time"),
    ):
        client.number(NUMBER)
    assert time.monotonic() - start < 2


def test_an_endless_answer_does_not_fill_the_memory(
    plivo: PlivoSandbox, account: PlivoClient
) -> None:
    plivo.faults.body(200, b" " * 5_000_000, times=9)
    with pytest.raises(ProviderUnavailable, match="ended"):
        account.number(NUMBER)


def test_connections_are_kept_and_threads_take_turns(
    plivo: PlivoSandbox, account: PlivoClient
) -> None:
    created = account.create_application(WANTED)
    with ThreadPoolExecutor(8) as pool:
        shown = pool.map(lambda _: account.application(created.app_id), range(40))
        assert set(shown) == {created}
    assert plivo.server.log.connections() == 1
    assert plivo.server.log.most_at_once() == 1


def test_a_call_does_not_wait_for_another_beyond_its_deadline(plivo: PlivoSandbox) -> None:
    with client_of(plivo, deadline=0.1) as account:
        with account._lock, pytest.raises(ProviderUnavailable, match="other calls") as caught:
            account.unassign(NUMBER)
        assert caught.value.unsure is False
        assert not plivo.requests


def test_an_update_without_a_difference_sends_nothing(
    plivo: PlivoSandbox, account: PlivoClient
) -> None:
    created = account.create_application(WANTED)
    assert account.update_application(created.app_id, {"answer_method": "POST"}) == created
    assert writes(plivo) == 1


def test_a_closed_client_opens_again(account: PlivoClient) -> None:
    assert list(account.numbers()) == []
    account.close()
    account.close()
    assert list(account.numbers()) == []


# TLS, environment, secrets


@pytest.fixture
def authority(tmp_path: Path) -> tuple[trustme.CA, str]:
    ca = trustme.CA()
    path = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return ca, str(path)


def test_only_the_given_authority_is_trusted(
    authority: tuple[trustme.CA, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # What the environment says is the business of our settings alone.
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "absent"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    ca, path = authority
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    with PlivoSandbox(context=context) as plivo:
        with client_of(plivo, ca_bundle=path) as client:
            assert list(client.numbers()) == []
        with (
            client_of(plivo, deadline=0.5) as client,
            pytest.raises(ProviderUnavailable, match="no trusted TLS") as caught,
        ):
            list(client.numbers())
        assert "REQUESTS_CA_BUNDLE" in (caught.value.hint or "")
        assert len(plivo.requests) == 1


@pytest.mark.parametrize("kind", ["lost", "reset", "silent"])
def test_a_tls_connection_cut_after_a_write_is_unsure(
    authority: tuple[trustme.CA, str], kind: str
) -> None:
    ca, path = authority
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    with (
        PlivoSandbox(context=context) as plivo,
        client_of(plivo, ca_bundle=path, timeout=0.2) as client,
    ):
        getattr(plivo.faults, kind)(on="POST")
        if kind == "lost":
            assert client.rent(NUMBER).changed
            return
        with pytest.raises(ProviderUnavailable) as caught:
            client.rent(NUMBER)
        assert caught.value.unsure


@pytest.mark.parametrize("content", [None, b"", b"junk"])
def test_unusable_authorities_are_a_setting_to_mend(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="TLS authorities") as caught:
        PlivoClient("MA000000000000000000", "token", ca_bundle=str(path))
    assert "REQUESTS_CA_BUNDLE" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("auth_id", "auth_token", "named"),
    [
        (None, "token", "PLIVO_AUTH_ID"),
        ("", "token", "PLIVO_AUTH_ID"),
        ("MA000000000000000000", "", "PLIVO_AUTH_TOKEN"),
        ("MA00000000000000000", "token", "PLIVO_AUTH_ID"),
        ("MA00000000000000000a", "token", "PLIVO_AUTH_ID"),
        ("XX000000000000000000", "token", "PLIVO_AUTH_ID"),
        ("MA000000000000000000\n", "token", "PLIVO_AUTH_ID"),
        ("MA000000000000000000", "tok\nen", "PLIVO_AUTH_TOKEN"),
        ("MA000000000000000000", "tökén", "PLIVO_AUTH_TOKEN"),
    ],
)
def test_other_credentials_are_not_taken_silently(
    monkeypatch: pytest.MonkeyPatch, auth_id: str | None, auth_token: str, named: str
) -> None:
    monkeypatch.setenv("PLIVO_AUTH_ID", "MA999999999999999999")
    monkeypatch.setenv("PLIVO_AUTH_TOKEN", "another")
    with pytest.raises(ConfigurationError, match=named) as caught:
        PlivoClient(auth_id, auth_token)
    assert not auth_token or auth_token not in str(caught.value)


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://api.plivo.com", "http://10.0.0.1", "api.plivo.com", "", "ftp://127.0.0.1",
        "https://", "https://a:b@api.plivo.com", "https://api.plivo.com?x", "http://127.0.0.1:x",
        "http://127.0.0.1.example", "http://[", "https://api.plivo.com#x", "https://api.plivo.com\n",
    ],
)  # fmt: skip
def test_credentials_are_not_sent_in_the_clear(endpoint: str) -> None:
    with pytest.raises(ConfigurationError, match="MASK_PLIVO_ENDPOINT"):
        PlivoClient("MA000000000000000000", "token", endpoint=endpoint)


@pytest.mark.parametrize(
    "endpoint", ["http://localhost:1/", "http://[::1]:1", "https://a.example/x"]
)
def test_good_endpoints_are_taken(endpoint: str) -> None:
    PlivoClient("SA000000000000000000", "token", endpoint=endpoint).close()


def test_no_number_or_token_stands_in_a_traceback_or_log(
    plivo: PlivoSandbox, account: PlivoClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    plivo.faults.lost(on="POST")
    for call in (account.number, account.rent, account.unrent, account.unrent):
        try:
            call(NUMBER)
        except MaskError as error:
            text = "".join(traceback.format_exception(error)) + repr(error) + str(error.hint)
            assert NUMBER.digits not in text
            assert plivo.auth_token not in text
    assert "connectionpool" in {record.module for record in caplog.records}
    assert NUMBER.digits not in caplog.text
    assert plivo.auth_token not in caplog.text


def test_importing_the_adapter_does_not_load_the_sdk() -> None:
    code = "import sys, mask_cli.providers.plivo; print({'plivo', 'requests'} & sys.modules.keys())"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert shown.stdout == "set()\n"
