"""What users can unsubscribe from. Mail without a topic is essential, and always sent."""

from enum import StrEnum


class Topic(StrEnum):
    """A further topic is one more line here, and one more member of the DTOs."""

    GETTING_STARTED = "getting_started"
