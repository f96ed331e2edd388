"""``app seed``: the same demo data on every machine."""

from pkgutil import resolve_name

import click

from app.asgi import load_settings
from app.core import Core
from app.domain.accounts.demo import SIGN_INS
from app.lib.cli.errors import CommandFailed, MissingOrTaken
from app.lib.cli.running import run
from app.lib.domain import Demo
from app.lib.errors import Conflict


@click.command()
def seed() -> None:
    """Fill the database with demo people, roles, posts, products and orders, and print three sign-ins. Does nothing the
    second time.
    """
    if load_settings()[0].is_production:
        raise CommandFailed("Demo accounts have public passwords.", "Nothing is seeded in production.")
    created = run(create_demo_data)
    click.echo(f"{created} people and their data are created." if created else "The demo data exists already.")
    for sign_in in SIGN_INS:
        click.echo(f"{sign_in.kind:<10} {sign_in.email:<18} {sign_in.password}")


async def create_demo_data(core: Core) -> int:
    """Each domain's data in one transaction, all or nothing; returns the number of new people. Payments come after it,
    because no provider is called inside a transaction.
    """
    async with core.database.independent() as unit:
        demo = Demo(services=core.services, unit=unit)
        for domain in core.domains:
            if domain.demo is not None:
                try:
                    await resolve_name(domain.demo)(demo)
                except Conflict as error:
                    message = f"The demo data of {domain.name} cannot be created: {error.detail}"
                    raise MissingOrTaken(message, "Seed an empty database (DATABASE_URL).") from error
            if not demo.people:
                return 0
    for work in demo.afterwards:
        await work()
    return len(demo.people)
