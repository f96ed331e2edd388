"""Requests that reach a development server, and are not its developer's own."""

LOCAL = "http://localhost:8000"
"""The server, as its developer calls it."""

STRANGERS: list[tuple[dict[str, str], str, str]] = [
    ({}, "203.0.113.7", LOCAL),
    ({"X-Forwarded-For": "127.0.0.1"}, "203.0.113.7", LOCAL),
    ({"X-Forwarded-For": "127.0.0.1"}, "127.0.0.1", LOCAL),
    ({"Forwarded": "for=127.0.0.1"}, "127.0.0.1", LOCAL),
    ({"X-Real-IP": "127.0.0.1"}, "127.0.0.1", LOCAL),
    ({"Via": "1.1 tunnel"}, "127.0.0.1", LOCAL),
    ({}, "127.0.0.1", "http://rebound.example:8000"),
    ({}, "127.0.0.1", "http://localhost.example:8000"),
    ({}, "127.0.0.1", "http://127.0.0.1.nip.example:8000"),
    ({"Host": "localhost:8000, evil.example"}, "127.0.0.1", LOCAL),
    ({"Origin": "https://evil.example"}, "127.0.0.1", LOCAL),
    ({"Origin": "null"}, "127.0.0.1", LOCAL),
    ({"Origin": "http://localhost:3000"}, "127.0.0.1", LOCAL),
    ({"Sec-Fetch-Site": "cross-site"}, "127.0.0.1", LOCAL),
    ({"Sec-Fetch-Site": "same-site"}, "127.0.0.1", LOCAL),
]
"""Their headers, where they come from, and what they call the server."""
