"""``app new``, ``app remove`` and ``app rename``: write code into this checkout, take it away, give it another name."""

import shlex
import subprocess
from importlib.metadata import version
from pathlib import Path

import click

from app.cli.scaffold.fields import EXAMPLE, largest_body, parse_field, secret_like
from app.cli.scaffold.naming import names_of
from app.cli.scaffold.product import Product, current_product, parse_product
from app.cli.scaffold.removal import removable, remove_domain, standing_on
from app.cli.scaffold.renaming import (
    GUIDE,
    KIT,
    UPSTREAM,
    address_of,
    copy_tree,
    forget_installed,
    rename_tree,
    start_history,
)
from app.cli.scaffold.writing import export_documents, write_domain
from app.config import COLOR
from app.lib.cli.called import say
from app.lib.cli.errors import CommandFailed, MissingOrTaken
from app.lib.cli.options import confirm, yes_option
from app.lib.http.rules import MAX_BODY, TEXT_BODY

ROOT = Path(__file__).parents[3]


slug_option = click.option("--slug", help="For packages, files and users; default the name in plain letters.")
color_option = click.option("--color", help="Of headings and buttons in mails and pages, such as '#2952cc'.")


@click.command()
@click.argument("name")
@click.option("--field", "fields", multiple=True, required=True, help=f"A column; repeat it. {EXAMPLE}.")
@click.option("--singular", help="Of the name, where it is not the name without its last letter.")
@click.option("--owned", is_flag=True, help="Every user keeps their own, and sees no others.")
@click.option("--event", is_flag=True, help="Publish an event when one is created.")
@click.option("--job", is_flag=True, help="Run a job after one is created.")
def domain(name: str, fields: tuple[str, ...], singular: str | None, *, owned: bool, event: bool, job: bool) -> None:
    """Write the domain NAME, a plural such as `bookmarks`: table, migration, routes and tests, as the others are.

    What it writes passes lint, types, layers, its own tests and the contract tests of all routes.
    """
    names, parsed = names_of(name, singular), [parse_field(each) for each in fields]
    if len({each.alias for each in parsed}) < len(parsed):
        raise click.BadParameter("each field needs a name of its own.")
    if all(each.is_nullable for each in parsed):
        raise click.BadParameter("one field at least has to be required.")
    if (size := largest_body(parsed)) > (most := TEXT_BODY[MAX_BODY]):
        raise click.BadParameter(
            f"a body may have {size} bytes, and {most} are allowed: give texts and lists a length."
        )
    if owned and (secret := secret_like(parsed)):
        raise click.BadParameter(
            f"'{secret}' reads like a secret, and users export what they own: choose another name."
        )
    _require_checkout()
    if (ROOT / "app/domain" / name).exists() or (ROOT / "tests/domain" / name).exists():
        raise MissingOrTaken(f"There is a domain {name} already.")
    for path in write_domain(ROOT, names, parsed, owned=owned, event=event, job=job):
        click.echo(path.relative_to(ROOT))
    say(f"Now run 'app db upgrade', then 'just check-domain {name}'.")


@click.command("domain")
@click.argument("name")
@yes_option
def remove_a_domain(name: str, *, yes: bool) -> None:
    """Remove the domain NAME, those that stand on it, their tests and migrations, and export the documents again.

    Run `app db downgrade` before that on a database that you keep.
    """
    _require_checkout()
    if name not in (known := removable(ROOT)):
        raise MissingOrTaken(f"There is no domain {name} that can go.", f"These can: {', '.join(known)}.")
    if not yes:
        confirm(f"Remove {', '.join(standing_on(ROOT, name))}?")
    gone, touched = remove_domain(ROOT, name)
    try:
        touched += export_documents(ROOT)
    except subprocess.CalledProcessError as exc:
        raise CommandFailed(f"It is removed, and then a step failed: {exc.stderr.strip().splitlines()[-1]}") from exc
    for path in sorted(touched):
        click.echo(f"{'changed' if path.exists() else 'removed'} {path.relative_to(ROOT)}")
    click.echo(f"Took away {', '.join(gone)}.", err=True)


@click.command()
@click.argument("name")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@slug_option
@color_option
def project(name: str, folder: Path | None, slug: str | None, color: str | None) -> None:
    """Copy this checkout into FOLDER under another name, with a changelog and a history of its own.

    FOLDER is by default the plain form of NAME, next to this checkout.
    """
    old, product = _products(name, slug, color)
    target = (folder or ROOT.parent / product.slug).resolve()
    if target.is_relative_to(ROOT):
        raise click.BadParameter(f"{target} is inside this checkout: give a folder outside of it.")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise MissingOrTaken(f"{target} exists already.")
    copy_tree(ROOT, target)
    rename_tree(target, old, product, color)
    first = f"project: start {product.name} from {old.name} {version(old.slug)}"
    is_committed = start_history(target, first, address_of(ROOT))
    click.echo(target)
    if not is_committed:
        click.echo(f"git does not know who you are. Then: git commit -m '{first}' && git branch {KIT}", err=True)
    click.echo(f"Later versions of {old.name} come from the remote {UPSTREAM}: {GUIDE} says how.", err=True)
    click.echo(f"Now: cd {shlex.quote(str(target))} && uv run app serve", err=True)


@click.command()
@click.argument("name")
@slug_option
@color_option
@yes_option
def rename(name: str, slug: str | None, color: str | None, *, yes: bool) -> None:
    """Call this checkout, its product, packages, clients, image and units NAME, such as 'Polar Star'.

    Commit your own work before, so that 'git diff' shows what this has changed.
    """
    old, product = _products(name, slug, color)
    if not yes:
        confirm(f"Rename {old.name} ({old.slug}) to {product.name} ({product.slug}) in {ROOT}?")
    changed = rename_tree(ROOT, old, product, color)
    forget_installed(ROOT, old, product)
    click.echo(f"{old.name} is {product.name} in {len(changed)} files. 'git status' has them.")
    click.echo(f"To take later versions, commit it and begin a branch there: {GUIDE} says how.", err=True)
    click.echo("Now: uv sync && uv run just lint test", err=True)
    click.echo("The default database has another name, too: see .env.example.", err=True)


def _products(name: str, slug: str | None, color: str | None) -> tuple[Product, Product]:
    """The old one and the new one. Raises ``click.BadParameter`` and ``CommandFailed``."""
    _require_checkout()
    if color is not None and not COLOR.fullmatch(color):
        raise click.BadParameter(f"'{color}' is not a colour such as #2952cc.")
    old, product = current_product(ROOT), parse_product(ROOT, name, slug)
    if (old.name.casefold(), old.slug) == (product.name.casefold(), product.slug):
        raise MissingOrTaken(f"It is called {old.name} already.")
    return old, product


def _require_checkout() -> None:
    if not (ROOT / "tests").is_dir() or not (ROOT / "migrations").is_dir():
        raise CommandFailed("This is no checkout.", "Run it where the tests and the migrations are.")
