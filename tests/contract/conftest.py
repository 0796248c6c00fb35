"""One emulated account for all contract tests, as new for each: its keys cost time."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import httpx
import pytest

from mask_cli.providers.voximplant import Voximplant, VoximplantStore, load_credentials
from mask_cli.sandbox.voximplant import VoximplantSandbox
from tests.contract.voximplant_calls import token

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def running_sandbox() -> Iterator[VoximplantSandbox]:
    with VoximplantSandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(
    running_sandbox: VoximplantSandbox, monkeypatch: pytest.MonkeyPatch
) -> Iterator[VoximplantSandbox]:
    running_sandbox.reset()
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in running_sandbox.environment().items():
        monkeypatch.setenv(name, value)
    yield running_sandbox
    assert running_sandbox.requests.failures == []


@pytest.fixture
def http(sandbox: VoximplantSandbox) -> Iterator[httpx.Client]:
    context = ssl.create_default_context(cafile=sandbox.ca_file)
    with httpx.Client(base_url=f"https://{sandbox.endpoint}", verify=context) as client:
        client.headers["Authorization"] = f"Bearer {token(sandbox)}"
        yield client


@pytest.fixture
def account(sandbox: VoximplantSandbox) -> Iterator[Voximplant]:
    credentials = load_credentials(sandbox.credentials_file)
    with Voximplant(credentials, sandbox.endpoint, deadline=2.0, pause=0.005) as account:
        yield account


@pytest.fixture
def store(account: Voximplant) -> VoximplantStore:
    return account.key_value_store("1")
