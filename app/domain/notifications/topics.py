"""What people can do without. Mail that has no topic is essential, and everybody gets it."""

from enum import StrEnum


class Topic(StrEnum):
    """A further topic is one more line here, and one more member of the DTOs."""

    GETTING_STARTED = "getting_started"
