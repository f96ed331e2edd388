"""Many accounts, quickly."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import func, insert, select

from app.domain.accounts.models import Profile, User
from app.lib.db.base import new_id
from app.lib.db.engine import Database

_CHUNK = 2_000


async def seed_users(database: Database, count: int) -> None:
    """Adds accounts until there is this number of them; they cannot sign in."""
    async with database.engine.begin() as connection:
        present = (await connection.execute(select(func.count()).select_from(User))).scalar_one()
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for first in range(present, count, _CHUNK):
        numbers = range(first, min(first + _CHUNK, count))
        users = [_user(number, start + timedelta(seconds=number)) for number in numbers]
        profiles = [_profile(user["id"], user["created_at"]) for user in users]
        async with database.engine.begin() as connection:
            await connection.execute(insert(User), users)
            await connection.execute(insert(Profile), profiles)


def _user(number: int, at: datetime) -> dict[str, object]:
    email = f"user{number}@bench.example.com"
    return {
        "id": new_id(),
        "email": email,
        "email_key": email,
        "name": f"User {number}",
        "name_key": f"user {number}",
        "search_text": f"{email}\nuser {number}",
        "password_hash": "!",
        "created_at": at,
        "updated_at": at,
    }


def _profile(user_id: object, at: object) -> dict[str, object]:
    assert isinstance(user_id, UUID)
    return {"id": new_id(), "user_id": user_id, "created_at": at, "updated_at": at}
