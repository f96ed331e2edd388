from enum import StrEnum
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from app.lib.http.conditional import Version, Versioned
from app.lib.wire.dto import Input


class Topic(StrEnum):
    """What users can unsubscribe from. Mail without a topic is essential, and always sent. A further topic is one more
    line here, and one more member of the Structs below.
    """

    GETTING_STARTED = "getting_started"


GettingStarted = Annotated[bool, Meta(description="The welcome mail, and hints for the first steps.", examples=[True])]


class NotificationPreferencesRead(Versioned):
    """Which mails a user receives next to the essential ones, which are about the account and its security."""

    getting_started: GettingStarted
    version: Version


class NotificationPreferencesUpdate(Input):
    """A merge patch; each member is named like its topic."""

    getting_started: GettingStarted | UnsetType = UNSET
