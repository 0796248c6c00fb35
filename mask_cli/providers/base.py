"""The contracts of the providers, kept short; every verb may be repeated without harm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mask_cli.models import PhoneNumber


@dataclass(frozen=True, slots=True)
class KeyValueItem:
    """An item of the key-value store; `value` is None where a listing shows keys only.

    `expires_at` is UTC seconds. The value holds phone numbers, so it is kept out of `repr`.
    """

    key: str
    value: str | None
    expires_at: int

    def __repr__(self) -> str:
        return f"KeyValueItem(key={self.key!r}, expires_at={self.expires_at})"


@dataclass(frozen=True, slots=True)
class RemoteApplication:
    """An application at the provider; `name` is its first label."""

    application_id: str
    name: str


class KeyValueStore(Protocol):
    """The key-value store of one application.

    Raises ProviderUnavailable (75; `unsure` tells whether it may have been carried out),
    ProviderRefused (69) or ProviderDenied (77).
    """

    def set(self, key: str, value: str, expires_at: int) -> KeyValueItem:
        """Write an item, new or not; the answer is what stands there now."""
        ...

    def get(self, key: str) -> KeyValueItem | None:
        """Return the item, None when there is none."""
        ...

    def delete(self, key: str) -> bool:
        """Remove the item; False when there was none."""
        ...

    def may_come_late(self) -> bool:
        """Tell whether this thread's last write had an attempt without an answer before.

        The platform may carry that one out yet, after whatever is written next.
        """
        ...

    def items(self, namespace: str) -> Iterator[KeyValueItem]:
        """Yield all items whose key begins with the namespace, each once, in no order."""
        ...

    def keys(self, namespace: str | None = None) -> Iterator[KeyValueItem]:
        """Yield all keys, without their values, each once, in no order."""
        ...

    def page(self, namespace: str, number: int) -> list[KeyValueItem]:
        """Return one page of a listing, counted from 0, so that several can be asked for at once.

        Other keys may be among them, values may be left out. A page is empty after the last.
        """
        ...


@dataclass(frozen=True, slots=True)
class Application:
    """A Plivo application: what is requested when one of its numbers is called.

    `app_id` is empty until the application is created. An address that is not set is None.
    """

    app_id: str
    name: str
    answer_url: str | None
    answer_method: str = "POST"
    hangup_url: str | None = None
    hangup_method: str = "POST"
    fallback_url: str | None = None
    fallback_method: str = "POST"
    message_url: str | None = None
    message_method: str = "POST"
    default_number_app: bool = False
    default_endpoint_app: bool = False
    log_incoming_messages: bool = True
    public_uri: bool = False
    subaccount: str | None = None


@dataclass(frozen=True, slots=True)
class RentedNumber:
    """A number of the account; `monthly_price` is the provider's decimal text."""

    number: PhoneNumber
    app_id: str | None
    alias: str | None
    monthly_price: str | None
    type: str | None
    voice_enabled: bool


@dataclass(frozen=True, slots=True)
class OfferedNumber:
    """A number that can be rented; prices are the provider's decimal texts.

    `restriction` names what must be proven first, such as `country-address`.
    """

    number: PhoneNumber
    setup_price: str | None
    monthly_price: str | None
    voice_price: str | None
    restriction: str | None
    type: str | None
    region: str | None
    voice_enabled: bool


@dataclass(frozen=True, slots=True)
class Rental:
    """What became of renting a number.

    `pending`: it waits for a verification and takes no calls yet. `changed`: False when it was
    the account's already and nothing was paid.
    """

    number: PhoneNumber
    pending: bool
    changed: bool = True


class PlivoAccount(Protocol):
    """The applications and numbers of one Plivo account.

    Raises what KeyValueStore raises, NotFound (67) for an unknown id, Conflict (73) for a name
    that is taken, and BadData (65) for a value that cannot be sent.
    """

    def applications(self) -> Iterator[Application]:
        """Yield all applications."""
        ...

    def find_application(self, name: str) -> Application | None:
        """Return the one application of exactly this name; several are a Conflict."""
        ...

    def application(self, app_id: str) -> Application:
        """Return the application with this id."""
        ...

    def create_application(self, wanted: Application) -> Application:
        """Create an application; the answer has its id."""
        ...

    def update_application(self, app_id: str, changes: Mapping[str, str]) -> Application:
        """Change these fields, by the names in Application, and no others."""
        ...

    def delete_application(self, app_id: str) -> tuple[PhoneNumber, ...]:
        """Unassign its numbers, then delete it; the answer is those numbers."""
        ...

    def offered_numbers(self, country: str, **filters: str) -> Iterator[OfferedNumber]:
        """Search what can be rented: `type`, `pattern`, `region`, `city`, `services`."""
        ...

    def rent(self, number: PhoneNumber, app_id: str | None = None) -> Rental:
        """Rent a number, once: one that is the account's already costs nothing more."""
        ...

    def numbers(self) -> Iterator[RentedNumber]:
        """Yield all rented numbers."""
        ...

    def number(self, number: PhoneNumber) -> RentedNumber:
        """Return one rented number."""
        ...

    def assign(self, number: PhoneNumber, app_id: str) -> RentedNumber:
        """Let calls to the number go to this application."""
        ...

    def unassign(self, number: PhoneNumber) -> RentedNumber:
        """Let calls to the number go nowhere."""
        ...

    def unrent(self, number: PhoneNumber) -> None:
        """Give a number back; this cannot be undone."""
        ...
