"""What nobody outside Plivo knows for sure; a test tries each way that it could be."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Switches:
    """How the emulated service behaves where no source tells.

    - `duplicate_name`: the status for a second application of a name; 0 allows it.
    - `strict_names`: whether the documented alphabet of application names is enforced.
    - `numbers_of_deleted`: `unlink` them, let them `dangle`, or `refuse` the deletion.
    - `bare_update_assigns`: whether a number update without `app_id` moves the number to the
      account's default application, as older documentation says.
    - `unauthorized_text`: a 401 in plain text instead of JSON.
    - `log_flag`: the name under which an application's log flag is read.
    """

    duplicate_name: int = 409
    strict_names: bool = False
    numbers_of_deleted: str = "dangle"
    bare_update_assigns: bool = True
    unauthorized_text: bool = False
    log_flag: str = "log_incoming_messages"
