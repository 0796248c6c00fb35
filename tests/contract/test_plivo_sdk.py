"""Plivo's own SDK on the emulated API: its habits are those that the adapter has to live with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import plivo as sdk
import pytest

from mask_cli.sandbox.plivo_api import PlivoSandbox
from tests.contract.plivo_fixtures import ANSWER, plain_sdk

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def plivo() -> Iterator[PlivoSandbox]:
    with PlivoSandbox() as sandbox:
        yield sandbox
    assert sandbox.server.log.failures == []


@pytest.fixture
def client(plivo: PlivoSandbox) -> Iterator[Any]:
    with plain_sdk(plivo) as plain:
        yield plain


def test_the_sdk_creates_lists_and_deletes_applications(client: Any) -> None:
    for number in range(25):
        client.applications.create(f"app-{number}", answer_url=ANSWER)
    listed = list(client.applications)
    assert [app.app_name for app in listed] == [f"app-{number}" for number in range(25)]
    client.applications.delete(listed[0].app_id, cascade=True)
    with pytest.raises(sdk.exceptions.ResourceNotFoundError, match="not found"):
        client.applications.get(listed[0].app_id)


def test_the_sdk_rents_assigns_and_unrents(client: Any, plivo: PlivoSandbox) -> None:
    app_id = client.applications.create("masking", answer_url=ANSWER).app_id
    found = client.numbers.search("US", type="local", services="voice,sms", limit=1)
    number = found.objects[0].number
    assert client.numbers.buy(number).numbers[0].status == "Success"
    client.numbers.update(number, app_id=app_id, alias="desk")
    shown = client.numbers.get(number)
    assert (shown.application.split("/")[-2], shown.alias) == (app_id, "desk")
    assert [n.number for n in client.numbers.list(services=["voice"])] == [number]
    client.numbers.delete(number)
    assert plivo.numbers.rented == {}


def test_the_sdks_update_resets_what_it_is_not_given(client: Any, plivo: PlivoSandbox) -> None:
    app_id = client.applications.create(
        "masking", answer_url=ANSWER, answer_method="GET", default_number_app=True
    ).app_id
    client.applications.update(app_id, hangup_url="https://mask.example/plivo/hangup")
    shown = plivo.applications.by_id[app_id]
    assert (shown["answer_method"], shown["default_app"]) == ("POST", False)


def test_the_sdk_sends_a_post_again_after_a_5xx(
    client: Any, plivo: PlivoSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    plivo.switches.duplicate_name = 0
    plivo.faults.status(500, applied=True)
    client.applications.create("masking", answer_url=ANSWER)
    assert len(plivo.applications.by_id) == 2
    assert "Fallback for URL" in capsys.readouterr().out


def test_the_sdk_crashes_on_a_lists_error(client: Any, plivo: PlivoSandbox) -> None:
    plivo.faults.status(403, "account not verified")
    with pytest.raises(AttributeError, match="objects"):
        client.numbers.list()
