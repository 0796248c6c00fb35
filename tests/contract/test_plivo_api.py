"""The emulated Plivo API: as Plivo documents it, and strict."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest
import requests

from mask_cli.sandbox.plivo_api import PlivoSandbox
from tests.contract.plivo_fixtures import ANSWER, NUMBER, PENDING, ask, plain_sdk

if TYPE_CHECKING:
    from collections.abc import Iterator

APP = {"app_name": "masking", "answer_url": ANSWER}


@pytest.fixture
def plivo() -> Iterator[PlivoSandbox]:
    with PlivoSandbox() as sandbox:
        yield sandbox
    assert sandbox.server.log.failures == []


def created(plivo: PlivoSandbox, **values: object) -> str:
    status, answer, _ = ask(plivo, "POST", "Application/", {**APP, **values})
    assert status == 201
    return str(answer["app_id"])


# Applications


def test_a_created_application_has_documented_defaults(plivo: PlivoSandbox) -> None:
    app_id = created(plivo)
    status, shown, _ = ask(plivo, "GET", f"Application/{app_id}/")
    assert status == 200
    assert re.fullmatch("[0-9]{17}", app_id)
    assert re.fullmatch("[0-9a-f-]{36}", shown.pop("api_id"))
    root = f"/v1/Account/{plivo.auth_id}"
    assert shown == {
        "answer_method": "POST",
        "answer_url": ANSWER,
        "app_id": app_id,
        "app_name": "masking",
        "application_type": "XML",
        "default_app": False,
        "default_endpoint_app": False,
        "enabled": True,
        "fallback_answer_url": "",
        "fallback_method": "POST",
        "hangup_method": "POST",
        "hangup_url": ANSWER,
        "log_incoming_messages": True,
        "message_method": "POST",
        "message_url": "",
        "public_uri": False,
        "resource_uri": f"{root}/Application/{app_id}/",
        "sip_uri": f"sip:{app_id}@app.plivo.com",
        "sub_account": None,
    }


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"answer_url": ANSWER}, "app_name parameter is missing"),
        ({"app_name": "masking"}, "answer_url parameter is missing"),
        ({**APP, "answer_url": "ftp://mask.example"}, "answer_url parameter is invalid"),
        ({**APP, "answer_method": "PUT"}, "answer_method parameter is invalid"),
        ({**APP, "default_number_app": "true"}, "default_number_app parameter is invalid"),
        ({**APP, "subaccount": "MA00000000000000000X"}, "subaccount parameter is invalid"),
        ({**APP, "hangup_uri": ANSWER}, "hangup_uri is not a known parameter"),
        ({**APP, "callback_url": ANSWER}, "callback_url is not a known parameter"),
    ],
)
def test_a_bad_application_is_not_created(
    plivo: PlivoSandbox, values: dict[str, object], error: str
) -> None:
    status, answer, _ = ask(plivo, "POST", "Application/", values)
    assert (status, answer["error"]) == (400, error)
    assert answer.keys() == {"api_id", "error"}
    assert plivo.applications.by_id == {}


@pytest.mark.parametrize(("switch", "status"), [(409, 409), (400, 400), (0, 201)])
def test_a_duplicate_name_is_answered_as_switched(
    plivo: PlivoSandbox, switch: int, status: int
) -> None:
    plivo.switches.duplicate_name = switch
    created(plivo)
    assert ask(plivo, "POST", "Application/", APP)[0] == status


def test_a_name_with_spaces_is_refused_only_when_switched(plivo: PlivoSandbox) -> None:
    created(plivo, app_name="Phone IVR")
    plivo.switches.strict_names = True
    assert ask(plivo, "POST", "Application/", {**APP, "app_name": "Phone 2"})[0] == 400


def test_an_update_changes_only_what_it_names(plivo: PlivoSandbox) -> None:
    app_id = created(plivo, answer_method="GET")
    status, answer, _ = ask(plivo, "POST", f"Application/{app_id}/", {"app_name": "other"})
    assert (status, answer["message"]) == (202, "changed")
    shown = plivo.applications.by_id[app_id]
    assert (shown["app_name"], shown["answer_method"]) == ("other", "GET")


def test_there_is_one_default_application(plivo: PlivoSandbox) -> None:
    first, second = (created(plivo, app_name=n, default_number_app=True) for n in ("a", "b"))
    assert plivo.applications.default_id == second
    assert plivo.applications.by_id[first]["default_app"] is False


def test_the_name_filter_is_a_prefix(plivo: PlivoSandbox) -> None:
    for name in ("mask", "masking", "other"):
        created(plivo, app_name=name)
    _, answer, _ = ask(plivo, "GET", "Application/?app_name=mask")
    assert [app["app_name"] for app in answer["objects"]] == ["mask", "masking"]


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_application_is_not_found(plivo: PlivoSandbox, method: str) -> None:
    body: object = {} if method == "POST" else None
    status, answer, _ = ask(plivo, method, "Application/123/", body)
    assert (status, answer["error"]) == (404, "not found")


@pytest.mark.parametrize(
    ("switch", "status", "left"),
    [("unlink", 204, None), ("dangle", 204, "itself"), ("refuse", 400, "itself")],
)
def test_a_deleted_applications_numbers_do_as_switched(
    plivo: PlivoSandbox, switch: str, status: int, left: str | None
) -> None:
    plivo.switches.numbers_of_deleted = switch
    app_id = created(plivo)
    rented = plivo.numbers.own(NUMBER.digits, app_id)
    assert ask(plivo, "DELETE", f"Application/{app_id}/?cascade=true")[0] == status
    assert rented.app_id == (left and app_id)


# Numbers


def test_a_search_shows_local_numbers_as_fixed_with_sub_type(plivo: PlivoSandbox) -> None:
    status, answer, _ = ask(
        plivo, "GET", "PhoneNumber/?country_iso=US&type=local&pattern=4155550101"
    )
    assert (status, answer["meta"]["total_count"]) == (200, 1)
    shown = answer["objects"][0]
    assert (shown["number"], shown["type"], shown["sub_type"]) == ("14155550101", "fixed", "local")
    assert shown["monthly_rental_rate"] == "0.80000"


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("country_iso=US", 33),
        ("country_iso=US&type=tollfree", 3),
        ("country_iso=US&region=california&services=voice,sms", 33),
        ("country_iso=US&services=mms", 0),
        ("country_iso=US&npanxx=888555", 3),
        ("country_iso=CA", 3),
        ("country_iso=GB", 0),
    ],
)
def test_a_search_filters(plivo: PlivoSandbox, query: str, count: int) -> None:
    _, answer, _ = ask(plivo, "GET", f"PhoneNumber/?{query}")
    assert answer["meta"]["total_count"] == count


@pytest.mark.parametrize(
    "path",
    [
        "PhoneNumber/",
        "PhoneNumber/?country_iso=US&type=cheap",
        "PhoneNumber/?country_iso=US&colour=red",
        "PhoneNumber/?country_iso=US&country_iso=GB",
        "PhoneNumber/?country_iso=US&services=fax",
        "Number/?limit=21",
        "Number/?limit=0",
        "Number/?offset=-1",
        "Number/?renewal_date__gt=2026-01-01",
        "Application/?name=x",
    ],
)
def test_a_query_that_is_not_understood_is_not_ignored(plivo: PlivoSandbox, path: str) -> None:
    assert ask(plivo, "GET", path)[0] == 400


def test_pages_hold_twenty_and_lead_to_each_other(plivo: PlivoSandbox) -> None:
    path = "PhoneNumber/?country_iso=US"
    _, first, _ = ask(plivo, "GET", path)
    assert len(first["objects"]) == 20
    assert first["meta"]["previous"] is None
    _, second, _ = ask(plivo, "GET", first["meta"]["next"].split("/", 4)[4])
    assert len(second["objects"]) == 13
    assert (second["meta"]["offset"], second["meta"]["next"]) == (20, None)
    assert "offset=0" in second["meta"]["previous"]


def test_renting_takes_money_and_the_default_application(plivo: PlivoSandbox) -> None:
    app_id = created(plivo, default_number_app=True)
    status, answer, _ = ask(plivo, "POST", f"PhoneNumber/{NUMBER.digits}/", {})
    assert (status, answer["status"]) == (201, "fulfilled")
    assert answer["numbers"] == [{"number": NUMBER.digits, "status": "Success"}]
    assert str(plivo.numbers.balance) == "99.20000"
    _, shown, _ = ask(plivo, "GET", f"Number/{NUMBER.digits}/")
    assert shown["application"] == f"/v1/Account/{plivo.auth_id}/Application/{app_id}/"


def test_a_pending_rental_looks_fulfilled_but_is_not_listed(plivo: PlivoSandbox) -> None:
    _, answer, _ = ask(plivo, "POST", f"PhoneNumber/{PENDING.digits}/", {})
    assert (answer["status"], answer["numbers"][0]["status"]) == ("fulfilled", "pending")
    assert ask(plivo, "GET", f"Number/{PENDING.digits}/")[0] == 404


def test_a_number_is_not_rented_twice_or_on_credit(plivo: PlivoSandbox) -> None:
    path = f"PhoneNumber/{NUMBER.digits}/"
    assert ask(plivo, "POST", path, {})[0] == 201
    assert ask(plivo, "POST", path, {})[0] == 400
    plivo.numbers.balance -= plivo.numbers.balance
    status, answer, _ = ask(plivo, "POST", "PhoneNumber/14155550101/", {})
    assert status == 400
    assert "Insufficient funds" in answer["error"]


def test_a_number_update_without_application_may_move_the_number(plivo: PlivoSandbox) -> None:
    mine, default = created(plivo), created(plivo, app_name="d", default_number_app=True)
    rented = plivo.numbers.own(NUMBER.digits, mine)
    path = f"Number/{NUMBER.digits}/"
    plivo.switches.bare_update_assigns = False
    assert ask(plivo, "POST", path, {"alias": "front desk"})[0] == 202
    assert (rented.alias, rented.app_id) == ("front desk", mine)
    plivo.switches.bare_update_assigns = True
    ask(plivo, "POST", path, {"alias": "back desk"})
    assert rented.app_id == default
    ask(plivo, "POST", path, {"app_id": ""})
    assert rented.app_id is None


@pytest.mark.parametrize("values", [{"app_id": "123"}, {"number": "1"}, {"ha_enable": True}])
def test_a_bad_number_update_changes_nothing(plivo: PlivoSandbox, values: object) -> None:
    rented = plivo.numbers.own(NUMBER.digits)
    assert ask(plivo, "POST", f"Number/{NUMBER.digits}/", values)[0] == 400
    assert rented.app_id is None


def test_unrenting_gives_the_number_back(plivo: PlivoSandbox) -> None:
    plivo.numbers.own(NUMBER.digits)
    assert ask(plivo, "DELETE", f"Number/{NUMBER.digits}/")[0] == 204
    assert ask(plivo, "DELETE", f"Number/{NUMBER.digits}/")[0] == 404
    assert plivo.numbers.rented == {}


def test_rented_numbers_are_filtered(plivo: PlivoSandbox) -> None:
    plivo.numbers.own(NUMBER.digits).alias = "desk"
    plivo.numbers.own("14155550101")
    for query in ("alias=desk", "number_startswith=14155550100"):
        _, answer, _ = ask(plivo, "GET", f"Number/?{query}")
        assert [shown["number"] for shown in answer["objects"]] == [NUMBER.digits]


# Transport


@pytest.mark.parametrize("header", ["", "Basic", "Basic !!!", "Basic eDp5", "Bearer abc"])
def test_nobody_gets_in_without_the_credentials(plivo: PlivoSandbox, header: str) -> None:
    status, answer, headers = ask(plivo, "GET", "Number/", headers={"Authorization": header})
    assert status == 401
    assert answer["error"] == "authentication credentials were not provided"
    assert "WWW-Authenticate" in headers


def test_another_account_is_out_of_reach(plivo: PlivoSandbox) -> None:
    assert ask(plivo, "GET", "Number/", account="MA000000000000000000")[0] == 401


def test_a_401_can_be_plain_text(plivo: PlivoSandbox) -> None:
    plivo.switches.unauthorized_text = True
    status, answer, _ = ask(plivo, "GET", "Number/", headers={"Authorization": ""})
    assert (status, answer) == (401, b"authentication credentials were not provided")


@pytest.mark.parametrize(
    "path", ["Number", "Numbers/", "Number/1/2/", "Application/%2e%2e/Number/"]
)
def test_an_address_that_does_not_exist_is_not_found(plivo: PlivoSandbox, path: str) -> None:
    assert ask(plivo, "GET", path)[0] == 404


def test_a_wrong_method_is_told(plivo: PlivoSandbox) -> None:
    status, _, headers = ask(plivo, "DELETE", "Number/")
    assert (status, headers["Allow"]) == (405, "GET")
    assert ask(plivo, "GET", f"PhoneNumber/{NUMBER.digits}/")[0] == 405


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"[" * 100_000])
def test_a_body_that_is_no_object_is_refused(plivo: PlivoSandbox, body: bytes) -> None:
    assert ask(plivo, "POST", "Application/", body)[0] == 400


def test_a_form_is_refused(plivo: PlivoSandbox) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert ask(plivo, "POST", "Application/", b"app_name=x", headers=form)[0] == 400


def test_too_many_requests_are_throttled() -> None:
    now = 0.0
    with PlivoSandbox(clock=lambda: now) as plivo:
        plivo.rate_limit = 3
        assert [ask(plivo, "GET", "Number/")[0] for _ in range(4)] == [200, 200, 200, 429]
        now = 5.0
        assert ask(plivo, "GET", "Number/")[0] == 200


def test_the_log_shows_requests_but_no_number_in_its_repr(plivo: PlivoSandbox) -> None:
    ask(plivo, "POST", f"PhoneNumber/{NUMBER.digits}/", {"number": NUMBER.digits})
    seen = plivo.requests[0]
    assert (seen.method, seen.path.endswith(f"{NUMBER.digits}/")) == ("POST", True)
    assert NUMBER.digits not in repr(plivo.requests)


def test_the_environment_points_at_the_sandbox(plivo: PlivoSandbox) -> None:
    assert plivo.environment() == {
        "PLIVO_AUTH_ID": "MASANDBOX00000000001",
        "PLIVO_AUTH_TOKEN": plivo.auth_token,
        "MASK_PLIVO_ENDPOINT": f"http://127.0.0.1:{plivo.server.port}",
    }


# Faults


def test_faults_come_in_order_and_end(plivo: PlivoSandbox) -> None:
    plivo.faults.status(503, "down", retry_after="7", times=2, on="GET")
    plivo.faults.body(200, b"<html>", "text/html")
    status, answer, headers = ask(plivo, "GET", "Number/")
    assert (status, answer["error"], headers["Retry-After"]) == (503, "down", "7")
    assert ask(plivo, "POST", "Application/", APP)[:2] == (200, b"<html>")
    assert [ask(plivo, "GET", "Number/")[0] for _ in range(2)] == [503, 200]
    plivo.faults.reset(times=5)
    plivo.faults.clear()
    assert ask(plivo, "GET", "Number/")[0] == 200


def test_a_lost_answer_took_effect_and_a_reset_did_not(plivo: PlivoSandbox) -> None:
    plivo.faults.reset()
    with pytest.raises(OSError, match="reset"):
        ask(plivo, "POST", "Application/", APP)
    assert plivo.applications.by_id == {}
    plivo.faults.lost()
    with pytest.raises(OSError, match="closed"):
        ask(plivo, "POST", "Application/", APP)
    assert len(plivo.applications.by_id) == 1


def test_latency_delays_the_right_answer(plivo: PlivoSandbox) -> None:
    plivo.faults.latency(0.1)
    start = time.monotonic()
    assert ask(plivo, "GET", "Number/")[0] == 200
    assert time.monotonic() - start >= 0.1


def test_a_silent_request_does_not_hold_up_the_end() -> None:
    with PlivoSandbox() as plivo, plain_sdk(plivo) as client:
        client.timeout = 0.1
        plivo.faults.silent(applied=True)
        with pytest.raises(requests.ReadTimeout):
            client.applications.create("masking", answer_url=ANSWER)
        assert len(plivo.applications.by_id) == 1
        start = time.monotonic()
    assert time.monotonic() - start < 2
