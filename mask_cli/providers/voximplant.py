"""Voximplant: the account, its applications, and the key-value store of one of them.

Importing this module does not import the SDK; the first call does.
"""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Self

from mask_cli.errors import (
    BadData,
    ConfigurationError,
    Conflict,
    NotFound,
    ProviderRefused,
    ProviderUnavailable,
)
from mask_cli.providers.base import KeyValueItem, RemoteApplication
from mask_cli.providers.voximplant_calls import called, odd, pages, refuse_everything, result_of
from mask_cli.providers.voximplant_credentials import Credentials, load_credentials
from mask_cli.providers.voximplant_replies import NOT_ABOUT_A_KEY, WRONG_APPLICATION
from mask_cli.redaction import redacted_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from mask_cli.providers._voximplant_client import Client

__all__ = ["Credentials", "Voximplant", "VoximplantStore", "load_credentials"]

DEADLINE = 10.0
"""Seconds that one call may take, its repetitions included."""
PAUSE = 0.2
"""Seconds before the second attempt, at most; doubled before each further one."""
PAGE = 50
_APPLICATIONS_PAGE = 100
_LONGEST_KEY = 200
_LONGEST_VALUE = 2000
_KEY = re.compile(r"[a-zA-Z0-9а-яА-ЯёЁ_\-:;.#+]+")  # noqa: RUF001 (the platform takes Cyrillic)
_ENDPOINT = re.compile(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")


class Voximplant:
    """An account; its calls may be made from many threads at once.

    All calls raise ProviderUnavailable (75), ProviderRefused (69), ProviderDenied (77), and
    the first one ConfigurationError (78) when the key or the TLS authorities are unusable.
    A malformed endpoint is found at once.
    """

    def __init__(
        self,
        credentials: Credentials,
        endpoint: str = "api.voximplant.com",
        *,
        deadline: float = DEADLINE,
        connections: int = 16,
        pause: float = PAUSE,
    ) -> None:
        if not _ENDPOINT.fullmatch(endpoint):
            raise ConfigurationError(
                f"voximplant.endpoint {redacted_value(endpoint)} is not host or host:port"
            )
        self.credentials = credentials
        self.endpoint = endpoint
        self._deadline = deadline
        self._connections = connections
        self._pause = pause
        self._made: Client | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        with self._lock:
            if self._made is not None:
                self._made.close()
                self._made = None

    @property
    def client(self) -> Client:
        """The SDK's client, made at the first call."""
        with self._lock:
            if self._made is None:
                from mask_cli.providers._voximplant_client import Client

                self._made = Client(
                    self.credentials,
                    self.endpoint,
                    deadline=self._deadline,
                    connections=self._connections,
                    pause=self._pause,
                )
            return self._made

    @property
    def clock_difference(self) -> int | None:
        """Seconds by which the platform's clock was ahead of ours in its last answer, if any."""
        return None if self._made is None else self._made.clock_difference

    def account_info(self) -> dict[str, object]:
        """Return what the platform tells of the account: a check of the credentials."""
        info = result_of(self.client.get_account_info)
        if not isinstance(info, dict):
            raise odd("account information")
        return info

    def applications(self) -> Iterator[RemoteApplication]:
        """Yield all applications, each once; `name` is the first label."""
        return (_first_label(application) for application in self._applications())

    def resolve_application(self, id_or_name: str) -> RemoteApplication:
        """Return the application with this id, when it is digits, or name; else NotFound.

        A name is compared by its first label, unless it is written in full.
        """
        refuse_everything(id_or_name, "application")
        if id_or_name.isascii() and id_or_name.isdigit():
            found = list(self._applications(application_id=id_or_name))
            found = [one for one in found if one.application_id == id_or_name]
        else:
            label = id_or_name.partition(".")[0]
            found = list(self._applications(application_name=label))
            found = [one for one in found if id_or_name in (one.name, one.name.partition(".")[0])]
        if not found:
            raise NotFound(
                f"there is no Voximplant application {redacted_value(id_or_name)}",
                hint="mask voximplant app list shows those of this account",
            )
        if len(found) > 1:
            ids = ", ".join(one.application_id for one in found)
            raise Conflict(
                f"several applications are called {redacted_value(id_or_name)}: {ids}",
                hint="use the id",
            )
        return _first_label(found[0])

    def add_application(self, name: str) -> RemoteApplication:
        """Create an application; Conflict when the name is taken."""
        refuse_everything(name, "application")
        try:
            envelope = called(self.client.add_application, application_name=name)
        except ProviderRefused as error:
            if error.code == _NAME_TAKEN:
                raise Conflict(f"the application {redacted_value(name)} exists") from error
            raise
        return _first_label(_application(envelope, unsure=True))

    def key_value_store(self, application_id: str) -> VoximplantStore:
        """Return the key-value store of an application."""
        refuse_everything(application_id, "application")
        return VoximplantStore(self, application_id)

    def _applications(self, **filters: str) -> Iterator[RemoteApplication]:
        def fetch(count: int, offset: int) -> object:
            try:
                return result_of(
                    self.client.get_applications, count=count, offset=offset, **filters
                )
            except ProviderRefused as error:
                if error.code in WRONG_APPLICATION and filters:
                    return []
                raise

        yield from pages(fetch, _application, lambda one: one.application_id, _APPLICATIONS_PAGE)


_NAME_TAKEN = 129


class VoximplantStore:
    """The key-value store of one application: the contract `KeyValueStore`.

    The documentation does not say how a missing key is answered. `null`, an empty object or
    list, and an error whose code is not about something else (see NOT_ABOUT_A_KEY) all mean
    that it is not there. As an order left behind stays reachable, `delete` does not trust
    such an error alone: it looks whether the item is still there.
    """

    def __init__(self, account: Voximplant, application_id: str) -> None:
        self._account = account
        self._application_id = application_id

    def set(self, key: str, value: str, expires_at: int) -> KeyValueItem:
        """Write an item, new or not; an answer with another value than sent is an error."""
        _check_key(key)
        if not 0 < len(value) <= _LONGEST_VALUE:
            raise BadData(f"the value of {redacted_value(key)} is not 1 to 2000 characters long")
        result = result_of(
            self._account.client.set_key_value_item,
            key=key,
            value=value,
            application_id=self._application_id,
            expires_at=expires_at,
        )
        item = _item(result, unsure=True)
        if (item.key, item.value) != (key, value):
            raise ProviderUnavailable(
                f"Voximplant kept another value under {redacted_value(key)} than was sent",
                unsure=True,
            )
        return item

    def get(self, key: str) -> KeyValueItem | None:
        """Return the item, None when there is none."""
        _check_key(key)
        try:
            result = result_of(
                self._account.client.get_key_value_item,
                key=key,
                application_id=self._application_id,
            )
        except ProviderRefused as error:
            if not _may_mean_missing(error):
                raise
            return None
        if result is None or result in ({}, []):
            return None
        item = _item(result)
        if item.key != key:
            raise odd("item")
        return item

    def delete(self, key: str) -> bool:
        """Remove the item; False when there was none, as far as the platform tells."""
        _check_key(key)
        try:
            result = result_of(
                self._account.client.del_key_value_item,
                key=key,
                application_id=self._application_id,
            )
        except (ProviderRefused, ProviderUnavailable) as error:
            # A repetition after a lost answer may find nothing left to delete.
            refusal = error if isinstance(error, ProviderRefused) else error.__cause__
            if not _may_mean_missing(refusal) or self.get(key) is not None:
                raise
            return False
        if result is None or result in ({}, []):
            return False
        if result != 1:
            raise odd("deletion", unsure=True)
        return True

    def may_come_late(self) -> bool:
        """Tell whether an attempt of this thread's last write may be carried out yet."""
        return self._account.client.may_come_late

    def items(self, namespace: str) -> Iterator[KeyValueItem]:
        """Yield all items whose key begins with the namespace.

        Without a colon in it the platform cannot be asked for them in one go (in one reading
        of its documentation it lists whole namespaces only), so each is got by its key.
        """
        for found in self._listing(namespace, values=True):
            item = found if found.value is not None else self.get(found.key)
            if item is not None:
                yield item

    def keys(self, namespace: str | None = None) -> Iterator[KeyValueItem]:
        """Yield all keys, those that begin with the namespace if one is given."""
        yield from self._listing(namespace or "", values=False)

    def page(self, namespace: str, number: int) -> list[KeyValueItem]:
        """Return one page of a listing, with values where the namespace holds a colon.

        Keys that do not begin with the namespace may be among them; after the last page,
        and only there, it is empty.
        """
        page = self._fetch(namespace, PAGE, number * PAGE, values=True)
        if not isinstance(page, list):
            raise odd("listing")
        return [self._read(namespace, values=True)(each) for each in page]

    def _listing(self, namespace: str, *, values: bool) -> Iterator[KeyValueItem]:
        def fetch(count: int, offset: int) -> object:
            return self._fetch(namespace, count, offset, values=values)

        read = self._read(namespace, values=values)
        for item in pages(fetch, read, lambda item: item.key, PAGE):
            if item.key.startswith(namespace):
                yield item

    def _read(self, namespace: str, *, values: bool) -> Callable[[object], KeyValueItem]:
        return _item if values and ":" in namespace else _key_only

    def _fetch(self, namespace: str, count: int, offset: int, *, values: bool) -> object:
        """Ask for a page; without a colon there is no pattern that is safe in both readings."""
        pattern = namespace.partition(":")[0] if ":" in namespace else None
        values = values and pattern is not None
        if values:
            # A listing needs a pattern; keys that begin with the colon have none but the colon.
            pattern = pattern or namespace
        if pattern:
            _check_key(pattern)
        client = self._account.client
        return result_of(
            client.get_key_value_items if values else client.get_key_value_keys,
            key=pattern or None,
            application_id=self._application_id,
            count=count,
            offset=offset,
        )


def _may_mean_missing(error: BaseException | None) -> bool:
    return (
        isinstance(error, ProviderRefused)
        and error.code is not None
        and error.code not in NOT_ABOUT_A_KEY
    )


def _item(value: object, *, unsure: bool = False) -> KeyValueItem:
    key = _key_only(value, unsure=unsure)
    text = value.get("value") if isinstance(value, dict) else None
    if not isinstance(text, str):
        raise odd("item", unsure=unsure)
    return KeyValueItem(key.key, text, key.expires_at)


def _key_only(value: object, *, unsure: bool = False) -> KeyValueItem:
    if not isinstance(value, dict):
        raise odd("item", unsure=unsure)
    key, expires_at = value.get("key"), value.get("expires_at")
    if not isinstance(key, str) or not isinstance(expires_at, int):
        raise odd("item", unsure=unsure)
    return KeyValueItem(key, None, expires_at)


def _application(value: object, *, unsure: bool = False) -> RemoteApplication:
    if not isinstance(value, dict):
        raise odd("application", unsure=unsure)
    number, name = value.get("application_id"), value.get("application_name")
    if not isinstance(number, int) or not isinstance(name, str):
        raise odd("application", unsure=unsure)
    return RemoteApplication(str(number), name)


def _first_label(application: RemoteApplication) -> RemoteApplication:
    return RemoteApplication(application.application_id, application.name.partition(".")[0])


def _check_key(key: str) -> None:
    refuse_everything(key, "key")
    if not _KEY.fullmatch(key) or len(key) > _LONGEST_KEY:
        raise BadData(
            f"the key {redacted_value(key)} cannot be kept by Voximplant",
            hint="1 to 200 letters, digits and _ - : ; . # +",
        )
