import pytest

from app.lib.realtime.errors import InvalidData
from app.lib.realtime.frames import check_data


@pytest.mark.parametrize(
    "data",
    [
        b"9" * 5_000,
        b'{"x":[9223372036854775808]}',
        b"-9223372036854775809",
        b"1e999",
        b"[-1e400]",
        b'{"a":1,"a":2}',
        b'[{"b":{"a":1,"\\u0061":2}}]',
        rb'"\ud800"',
        b"[" * 33 + b"]" * 33,
        b'{"a":' * 33 + b"1" + b"}" * 33,
    ],
    ids=lambda data: data[:20].decode(),
)
def test_what_some_readers_cannot_read_is_no_data(data: bytes) -> None:
    with pytest.raises(InvalidData):
        check_data(data)


@pytest.mark.parametrize(
    "data",
    [
        b"9223372036854775807",
        b"-9223372036854775808",
        b"1.7e308",
        b"1e-999",
        b'{"a":{"a":1},"b":[{"a":1},{"a":1}]}',
        b"[" * 32 + b"]" * 32,
        b'"' + b"[" * 100 + b'"',
        rb'"\ud83d\ude00 \u0000"',
        b"null",
    ],
    ids=lambda data: data[:20].decode(),
)
def test_everything_else_is(data: bytes) -> None:
    check_data(data)
