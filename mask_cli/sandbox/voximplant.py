"""A Voximplant account on loopback, for tests, demonstrations and dry practice."""

from __future__ import annotations

import json
import ssl
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from mask_cli.sandbox.server import Clock, HttpsServer, RequestLog
from mask_cli.sandbox.voximplant_account import add_application
from mask_cli.sandbox.voximplant_api import VoximplantApi
from mask_cli.sandbox.voximplant_control import VoximplantControl, stored_items
from mask_cli.sandbox.voximplant_faults import Faults
from mask_cli.sandbox.voximplant_methods import Account
from mask_cli.sandbox.voximplant_numbers import stock
from mask_cli.sandbox.voximplant_tokens import Tokens

if TYPE_CHECKING:
    from types import TracebackType

    from mask_cli.sandbox.voximplant_kvs import KeyValueModel, Stored
    from mask_cli.sandbox.voximplant_methods import Switches

ACCOUNT_ID = 1000001
ACCOUNT_NAME = "sandbox"
APPLICATION_NAME = "masking"


class VoximplantSandbox:
    """A running emulator with one application (id 1, `masking.sandbox.voximplant.com`).

    Use it as a context manager; its files live in a private folder that goes with it.
    `allow_kill` lets control calls kill processes, which tests of crashes need.
    """

    def __init__(self, *, port: int = 0, allow_kill: bool = False) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="mask-sandbox-")
        self.clock = Clock()
        self.faults = Faults()
        self.requests = RequestLog()
        self.ca_file = Path(self._folder.name, "ca.pem")
        self.credentials_file = Path(self._folder.name, "credentials.json")
        self._account = self._new_account()
        control = VoximplantControl(
            self._account, self.faults, self.requests, self.clock, allow_kill
        )
        api = VoximplantApi(self._account, self._write_credentials(), self.faults, control.answer)
        self._server = HttpsServer(
            api.answer, self._new_context(), self.clock, port=port, log=self.requests
        )

    def __enter__(self) -> Self:
        try:
            self._server.start()
        except BaseException:
            self._folder.cleanup()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.stop()
        self._folder.cleanup()

    @property
    def endpoint(self) -> str:
        """`127.0.0.1:PORT`, as `MASK_VOXIMPLANT_ENDPOINT` and the SDK take it."""
        return f"{self._server.host}:{self._server.port}"

    @property
    def folder(self) -> Path:
        """The private folder (0700); what is put there goes with the sandbox."""
        return Path(self._folder.name)

    @property
    def switches(self) -> Switches:
        """The readings of what the documentation leaves open."""
        return self._account.switches

    def environment(self) -> dict[str, str]:
        """Return the variables that point `mask`, or any program with the SDK, here."""
        return {
            "VOXIMPLANT_CREDENTIALS": str(self.credentials_file),
            "MASK_VOXIMPLANT_ENDPOINT": self.endpoint,
            "MASK_VOXIMPLANT_APPLICATION": "1",
            "REQUESTS_CA_BUNDLE": str(self.ca_file),
            "SSL_CERT_FILE": str(self.ca_file),
            # Both spellings: where a small one is set already, it is the one that counts.
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }

    @property
    def account(self) -> Account:
        """All that the emulated platform holds, to look at and to fill without calls."""
        return self._account

    def items(self, application_id: int = 1) -> dict[str, Stored]:
        """Return the live items of an application's key-value store by key."""
        return stored_items(self._account, application_id)

    def store(self, application_id: int = 1) -> KeyValueModel:
        """Return the key-value store of an application, to fill it without calls."""
        return self._account.applications[application_id].store

    def add_application(self, name: str, *, node: str | None = None) -> int:
        """Create an application and return its id; newer accounts have a node in its name."""
        with self._account.lock:
            application = add_application(self._account, name, node=node)
            return application.application_id

    def reset(self) -> None:
        """Become as new, but for the port, the keys and the ids."""
        self.faults.clear()
        self.switches.reset()
        self.clock.offset = 0.0
        fresh = self._new_account()
        with self._account.lock:
            self._account.become(fresh)
        self.requests.clear()

    def _new_account(self) -> Account:
        email = f"mask@{ACCOUNT_NAME}.voximplant.com"
        now = self.clock.now()
        account = Account(ACCOUNT_ID, ACCOUNT_NAME, email, now, self.clock)
        add_application(account, APPLICATION_NAME)
        stock(account)
        return account

    def _write_credentials(self) -> Tokens:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        key_id = "5a4db0c5-0000-4000-8000-5a4db0c50000"
        self.credentials_file.touch(mode=0o600)
        self.credentials_file.write_text(
            json.dumps(
                {
                    "account_email": self._account.email,
                    "account_id": self._account.account_id,
                    "key_id": key_id,
                    "private_key": pem.decode(),
                }
            )
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return Tokens(public.decode(), key_id, self._account.account_id)

    def _new_context(self) -> ssl.SSLContext:
        authority = trustme.CA(organization_name="mask sandbox")
        authority.cert_pem.write_to_path(self.ca_file)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
        return context
