import msgspec


class RealtimeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Times are in seconds.

    ``keep_seconds``: how long events stay, except those of kinds that are kept for good. ``sweep_seconds``: how late an
    event may come when its hint was lost. ``renew_seconds``: how often the process renews its lease; after
    ``alive_seconds`` without that its sockets do not count for the limit of their people any more, and after
    ``expire_seconds`` its people are not shown any more, from the next look at who is present elsewhere on, every
    ``presence_seconds``. ``presence_pause``: for how long changes of presence are collected. A socket that sends
    nothing during two pings is closed. ``close_seconds``: how long the closing handshake may take.
    ``max_message_bytes``: of the data of an event that a client publishes. ``max_events_per_day``: of a person.
    ``keep_days``: how long events of kinds that are kept stay; None is for good.
    """

    keep_seconds: float = 600.0
    sweep_seconds: float = 1.0
    renew_seconds: float = 0.5
    alive_seconds: float = 1.5
    expire_seconds: float = 10.0
    presence_seconds: float = 3.0
    presence_pause: float = 0.05
    ping_seconds: float = 25.0
    stream_ping_seconds: float = 15.0
    rights_seconds: float = 0.5
    close_seconds: float = 5.0
    max_sockets: int = 10
    max_channels: int = 100
    max_message_bytes: int = 4_096
    max_events_per_day: int = 10_000
    keep_days: int | None = None
