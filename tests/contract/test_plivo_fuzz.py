"""Whatever comes back from Plivo, the adapter ends in a value or in an error of ours."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mask_cli.errors import MaskError, ProviderUnavailable
from mask_cli.providers.base import Application
from mask_cli.providers.plivo import PlivoClient
from mask_cli.sandbox.plivo_api import PlivoSandbox
from tests.contract.plivo_fixtures import ANSWER, NUMBER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mask_cli.providers.base import PlivoAccount

# Names that Plivo uses, and some that the SDK's classes use themselves.
NAMES = st.sampled_from(
    "api_id error message meta objects next number numbers status app_id app_name application"
    " answer_url sub_account default_app voice_enabled type id client _name __class__ __dict__"
    " __len__ update items".split()
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=20),
    st.just(NUMBER.digits),
    st.just("/v1/Account/x/Application/7/"),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
PAGES = st.fixed_dictionaries(
    {"meta": st.fixed_dictionaries({"next": st.sampled_from([None, "", "/x/?offset=20"])})},
    optional={"objects": st.lists(st.dictionaries(NAMES, SCALARS, max_size=6), max_size=4)},
)
BODIES = (VALUES | PAGES).map(lambda value: json.dumps(value).encode()) | st.binary(max_size=40)
STATUSES = st.sampled_from([200, 201, 202, 204, 206, 207, 226]) | st.integers(300, 599)

READS: list[Callable[[PlivoAccount], object]] = [
    lambda account: list(account.applications()),
    lambda account: account.find_application("masking"),
    lambda account: account.application("123"),
    lambda account: list(account.numbers()),
    lambda account: account.number(NUMBER),
    lambda account: list(account.offered_numbers("US")),
]
WRITES: list[Callable[[PlivoAccount], object]] = [
    lambda account: account.create_application(Application("", "masking", ANSWER)),
    lambda account: account.update_application("123", {"answer_method": "GET"}),
    lambda account: account.delete_application("123"),
    lambda account: account.rent(NUMBER),
    lambda account: account.assign(NUMBER, "123"),
    lambda account: account.unassign(NUMBER),
    lambda account: account.unrent(NUMBER),
]


@pytest.fixture(scope="module")
def plivo() -> Iterator[PlivoSandbox]:
    with PlivoSandbox() as sandbox:
        yield sandbox
    assert sandbox.server.log.failures == []


@pytest.fixture(scope="module")
def account(plivo: PlivoSandbox) -> Iterator[PlivoClient]:
    # No time for a second attempt: each example is one answer.
    with PlivoClient(
        plivo.auth_id, plivo.auth_token, endpoint=plivo.url, deadline=2, pause=9
    ) as client:
        yield client


def outcome(call: Callable[[PlivoAccount], object], account: PlivoClient) -> object:
    try:
        return call(account)
    except MaskError as error:
        return error


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(status=STATUSES, body=BODIES, call=st.sampled_from(READS + WRITES))
def test_no_answer_makes_the_adapter_crash_or_show_a_number(
    plivo: PlivoSandbox,
    account: PlivoClient,
    status: int,
    body: bytes,
    call: Callable[[PlivoAccount], Any],
) -> None:
    plivo.requests.clear()
    plivo.rate_limit = 10**6
    plivo.faults.clear()
    plivo.faults.body(status, b"" if status in (204, 304) else body, times=9)
    shown = outcome(call, account)
    if isinstance(shown, MaskError):
        assert shown.message.isprintable()
        assert NUMBER.digits not in f"{shown}{shown.hint}{shown!r}"
    if status >= 300:
        assert isinstance(shown, MaskError)
        assert len(plivo.requests) <= 4


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(status=STATUSES.filter(lambda s: s < 300), body=BODIES, call=st.sampled_from(WRITES[:1]))
def test_nothing_is_created_by_an_answer_without_an_id(
    plivo: PlivoSandbox,
    account: PlivoClient,
    status: int,
    body: bytes,
    call: Callable[[PlivoAccount], Any],
) -> None:
    plivo.rate_limit = 10**6
    plivo.faults.clear()
    plivo.faults.body(status, b"" if status == 204 else body, on="POST")
    shown = outcome(call, account)
    if isinstance(shown, Application):
        assert shown.app_id == str(json.loads(body)["app_id"])
    else:
        assert isinstance(shown, ProviderUnavailable)
        assert shown.unsure
