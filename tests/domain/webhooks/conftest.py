import pytest
from litestar import Litestar

from tests.domain.webhooks.attempts import Attempts


@pytest.fixture
def attempts(app: Litestar) -> Attempts:
    """Fans out and delivers without a queue."""
    return Attempts(app)
