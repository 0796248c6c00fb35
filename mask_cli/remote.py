"""Where mappings are pushed to, as the settings say; no request before one is needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mask_cli.errors import ConfigurationError
from mask_cli.models import Target
from mask_cli.providers.voximplant import Voximplant, load_credentials
from mask_cli.providers.voximplant_account import VoximplantAccount

if TYPE_CHECKING:
    from mask_cli.config import Settings
    from mask_cli.providers.base import KeyValueStore
    from mask_cli.providers.voximplant_credentials import Credentials
    from mask_cli.store.base import Store


@dataclass(slots=True)
class RemoteSite:
    """One application's key-value store at Voximplant; `application` is an id or a name."""

    credentials: Credentials
    endpoint: str
    application: str
    key_prefix: str
    timeout: int
    connections: int = 16
    _account: Voximplant | None = None

    @property
    def account(self) -> Voximplant:
        """The account, its connections opened by the first call."""
        if self._account is None:
            self._account = Voximplant(
                self.credentials,
                self.endpoint,
                deadline=float(self.timeout),
                connections=self.connections,
            )
        return self._account

    def close(self) -> None:
        """Close the connections, if any were opened."""
        if self._account is not None:
            self._account.close()

    def target(self, store: Store) -> Target | None:
        """Return the target; None while the application is known by a name never looked up."""
        application = self.application
        if not application.isdigit():
            known = store.known_application(
                self.endpoint, self.credentials.account_id, self.application
            )
            if known is None:
                return None
            application = known
        return Target(self.endpoint, self.credentials.account_id, application, self.key_prefix)

    def looked_up(self, store: Store) -> Target:
        """Return the target, asking the provider for the id behind a name.

        The id is kept, so that later commands know it without asking.
        """
        if not self.application.isdigit():
            found = self.account.resolve_application(self.application)
            place = (self.endpoint, self.credentials.account_id, self.application)
            if store.known_application(*place) != found.application_id:
                with store.writing():
                    store.remember_application(*place, found.application_id)
        target = self.target(store)
        assert target is not None, "just resolved"  # noqa: S101 (an invariant)
        return target

    def key_value_store(self, target: Target) -> KeyValueStore:
        """Return the store of the target's application, ready for a request.

        The client is made now: between the check of a lease and its request is no time for it.
        """
        self.account.client  # noqa: B018 (building it is what takes long)
        return self.account.key_value_store(target.application)


def remote_site(settings: Settings) -> RemoteSite | None:
    """Return the place that the settings name, None when no provider is configured.

    Raises ConfigurationError for half a configuration: nobody should believe that mappings
    are pushed when they are not.
    """
    file = settings["voximplant.credentials"]
    if not file:
        return None
    application = settings["voximplant.application"]
    if not application:
        raise ConfigurationError(
            "VOXIMPLANT_CREDENTIALS is set, but no application to push to",
            hint="set MASK_VOXIMPLANT_APPLICATION (id or name), or unset the credentials",
        )
    return RemoteSite(
        load_credentials(file),
        settings["voximplant.endpoint"],
        application,
        settings["key_prefix"],
        settings["voximplant.timeout"],
    )


def voximplant_account(settings: Settings) -> VoximplantAccount:
    """Return the account that is provisioned, or raise ConfigurationError."""
    file = settings["voximplant.credentials"]
    if not file:
        raise ConfigurationError(
            "no Voximplant account is configured",
            hint="set VOXIMPLANT_CREDENTIALS to the service account's file, or try: mask sandbox",
        )
    account = Voximplant(
        load_credentials(file),
        settings["voximplant.endpoint"],
        deadline=float(settings["voximplant.timeout"]),
    )
    return VoximplantAccount(account)
