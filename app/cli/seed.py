"""``app seed``: the same demo data on every machine."""

import secrets
from typing import NamedTuple

import click

from app.cli.errors import CommandFailed
from app.cli.runtime import Office, office, run
from app.cli.seed_posts import seed_posts
from app.cli.seed_shop import PAID_BY, PRODUCTS, pay_for, seed_shop
from app.components import Components
from app.config import load_settings
from app.domain.accounts.dtos import ProfileUpdate, RoleCreate, UserCreate, UserRead
from app.domain.accounts.permissions import ROLES_READ, USERS_DELETE, USERS_READ, USERS_WRITE
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.db.versions import IfMatch
from app.lib.security.principal import Principal

ROLES = (
    RoleCreate(
        name="manager",
        description="Looks after people's accounts.",
        permissions=[USERS_READ, USERS_WRITE, USERS_DELETE, ROLES_READ],
    ),
    RoleCreate(name="support", description="Sees accounts and roles.", permissions=[USERS_READ, ROLES_READ]),
)


class SignIn(NamedTuple):
    """An account to try the service with."""

    kind: str
    email: str
    password: str


SIGN_INS = (
    SignIn("superuser", "ada@example.com", "amber harbour north 41"),
    SignIn("manager", "grace@example.com", "copper meadow south 42"),
    SignIn("user", "alan@example.com", "violet window east 43"),
)


class Person(NamedTuple):
    """``email`` is made of the first name."""

    first_name: str
    last_name: str
    role: str | None = None
    locale: str = "en"
    is_verified: bool = True
    is_active: bool = True

    @property
    def email(self) -> str:
        return f"{self.first_name.lower()}@example.com"


PEOPLE = (
    Person("Ada", "Lovelace"),
    Person("Grace", "Hopper", role="manager"),
    Person("Alan", "Turing"),
    Person("Katherine", "Johnson", role="support"),
    Person("Edsger", "Dijkstra", role="support", locale="nl"),
    Person("Barbara", "Liskov"),
    Person("Donald", "Knuth"),
    Person("Margaret", "Hamilton"),
    Person("Konrad", "Zuse", locale="de"),
    Person("Hedy", "Lamarr", locale="de"),
    Person("Emmy", "Noether", locale="de"),
    Person("Joan", "Clarke"),
    Person("Claude", "Shannon"),
    Person("Radia", "Perlman"),
    Person("Niklaus", "Wirth", locale="de-CH"),
    Person("Frances", "Allen"),
    Person("Ken", "Thompson"),
    Person("Adele", "Goldberg"),
    Person("Sophie", "Wilson", locale="en-GB"),
    Person("Vint", "Cerf"),
    Person("Jean", "Bartik", is_verified=False),
    Person("Blaise", "Pascal", locale="fr", is_verified=False),
    Person("Gottfried", "Leibniz", locale="de", is_verified=False),
    Person("Charles", "Babbage", locale="en-GB", is_active=False),
    Person("Herman", "Hollerith", is_active=False),
)

WRITERS = 6
"""People who write, beside the first one."""


@click.command()
def seed() -> None:
    """Fill the database with demo people, roles, posts, products and orders, and print three sign-ins. Does nothing the
    second time.
    """
    if load_settings()[0].is_production:
        raise CommandFailed("Demo accounts have public passwords.", "Nothing is seeded in production.")
    created = run(_seed)
    done = f"{created} people and {len(PRODUCTS)} products are created."
    click.echo(done if created else "The demo data is there already.")
    for sign_in in SIGN_INS:
        click.echo(f"{sign_in.kind:<10} {sign_in.email:<18} {sign_in.password}")


async def _seed(components: Components) -> int:
    """All of it in one transaction, so that it is there or not; how many people there are now that were not. Only
    payments come after it, because no provider is called inside a transaction.
    """
    async with office(components) as at:
        if await at.reads.find_credentials(SIGN_INS[0].email):
            return 0
        superuser, *others = [await _create(at, person) for person in PEOPLE]
        actor = _principal(superuser)
        for role in ROLES:
            await at.roles.create(role, actor)
        for user, person in zip(others, PEOPLE[1:], strict=True):
            if person.role:
                await at.roles.set_roles(user.id, [person.role], IfMatch(), actor)
            if not person.is_active:
                await at.users.deactivate(user.id, IfMatch(), actor)
        await seed_posts(at, [actor, *(_principal(user) for user in others[:WRITERS])])
        placed = await seed_shop(at, {user.email: _principal(user) for user in others})
    if PAID_BY in components.payment_provider.methods:
        await pay_for(at, placed[1:])
    return len(PEOPLE)


async def _create(at: Office, person: Person) -> UserRead:
    passwords = {sign_in.email: sign_in.password for sign_in in SIGN_INS}
    data = UserCreate(
        email=person.email,
        password=passwords.get(person.email) or secrets.token_urlsafe(),
        username=person.first_name.lower(),
        name=f"{person.first_name} {person.last_name}",
        locale=person.locale,
        is_verified=person.is_verified,
        is_superuser=person.email == SIGN_INS[0].email,
    )
    user = await at.users.create(data, None)
    profile = ProfileUpdate(
        first_name=person.first_name,
        last_name=person.last_name,
        bio=f"{person.first_name} is here to show what a profile looks like.",
        avatar_url=f"https://images.example.com/{person.first_name.lower()}.png",
    )
    await at.profiles.update(user.id, profile, IfMatch())
    return user


def _principal(user: UserRead) -> Principal:
    """Somebody new, as if signed in: whoever grants must have what they grant, and whoever writes is the author."""
    return Principal(
        user_id=user.id,
        session_id=new_id(),
        authenticated_at=utc_now(),
        is_superuser=user.is_superuser,
        roles=frozenset(),
        permissions=frozenset(),
    )
