"""Demo people and roles, three of whom one can sign in as."""

import secrets
from typing import NamedTuple

from app.domain.accounts.dtos import RoleCreate, UserCreate, UserRead, WholeProfile
from app.domain.accounts.permissions import ROLES_READ, USERS_DELETE, USERS_READ, USERS_WRITE
from app.domain.accounts.services.queries import AccountQueries
from app.domain.accounts.services.roles import RoleService
from app.domain.accounts.services.users import UserService
from app.lib.audit import SYSTEM
from app.lib.cli.errors import MissingOrTaken
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.db.versions import IfMatch
from app.lib.domain import Demo
from app.lib.pagination.envelope import MAX_PAGE_SIZE
from app.lib.pagination.parameters import PageRequest
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
    def username(self) -> str:
        return self.first_name.lower()

    @property
    def email(self) -> str:
        return f"{self.username}@example.com"


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


async def seed(demo: Demo) -> None:
    """Creates the roles and the people, the first of them as superuser, unless they exist already.

    Raises ``MissingOrTaken`` where other accounts have their addresses or usernames.
    """
    build = demo.services.build
    queries = build(AccountQueries)
    if await _exists(queries):
        return
    if taken := await _taken(queries):
        message = f"Other accounts and roles have names that the demo data needs: {', '.join(taken)}."
        raise MissingOrTaken(message, "Delete or rename them, or seed an empty database (DATABASE_URL).")
    users = {person.email: await _create(demo, person) for person in PEOPLE}
    # As if they had signed in: a grantor must have what they grant, and a writer is the author.
    for email, user in users.items():
        demo.people[email] = Principal(user.id, new_id(), utc_now(), user.is_superuser, frozenset())
    actor = next(iter(demo.people.values()))
    roles, accounts = build(RoleService, demo.unit, SYSTEM), build(UserService, demo.unit, SYSTEM)
    for role in ROLES:
        await roles.create(role, actor)
    for person in PEOPLE:
        own = demo.people[person.email]
        profile = WholeProfile(
            first_name=person.first_name,
            last_name=person.last_name,
            bio=f"{person.first_name} is here to show what a profile looks like.",
            avatar_url=f"https://images.example.com/{person.username}.png",
        )
        await accounts.update_profile(own.user_id, profile, IfMatch(), own)
        if person.role:
            await roles.set_roles(users[person.email].id, [person.role], IfMatch(), actor)
        if not person.is_active:
            await accounts.deactivate(users[person.email].id, IfMatch(), actor)


async def _exists(queries: AccountQueries) -> bool:
    """Whether all can sign in, the first as a superuser, which registration makes of no one."""
    found = [await queries.find_credentials(sign_in.email) for sign_in in SIGN_INS]
    return found[0] is not None and None not in found and (await queries.get_user(found[0].id)).is_superuser


async def _taken(queries: AccountQueries) -> list[str]:
    names = [name for person in PEOPLE for name in (person.email, person.username)]
    roles = {role.name for role in (await queries.list_roles(PageRequest(page_size=MAX_PAGE_SIZE), "name")).items}
    return [
        *[name for name in names if await queries.find_credentials(name) or await queries.find_keeper(name)],
        *[role.name for role in ROLES if role.name in roles],
    ]


async def _create(demo: Demo, person: Person) -> UserRead:
    passwords = {sign_in.email: sign_in.password for sign_in in SIGN_INS}
    data = UserCreate(
        email=person.email,
        password=passwords.get(person.email) or secrets.token_urlsafe(),
        username=person.username,
        name=f"{person.first_name} {person.last_name}",
        locale=person.locale,
        is_verified=person.is_verified,
        is_superuser=person.email == SIGN_INS[0].email,
        metadata={"crm_id": f"C-{1001 + PEOPLE.index(person)}"},
    )
    users = demo.services.build(UserService, demo.unit, SYSTEM)
    return await users.create(data, None)
