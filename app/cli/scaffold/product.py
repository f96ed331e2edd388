"""The name of the product, in each of its forms."""

import builtins
import keyword
import re
import sys
import tomllib
import unicodedata
from pathlib import Path

import click
import msgspec
from anyascii import anyascii

from app.config import Settings

_MAX_LENGTH = 30
"""Of a name, so that lines of code that hold it stay short; a Linux user has at most 32."""
_NAME = re.compile(r"[^\W\d_][^\W_]*(?:[ .-][^\W_]+)*")
_SLUG = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")


class Product(msgspec.Struct, frozen=True):
    """``Polar Star``, and ``polar-star`` where a name has to be plain: packages, folders, users, files."""

    name: str
    slug: str

    @property
    def snake(self) -> str:
        """``polar_star``, in names of Python modules."""
        return self.slug.replace("-", "_")

    @property
    def constant(self) -> str:
        """``POLAR_STAR``, in names of variables of the environment."""
        return self.snake.upper()

    @property
    def pascal(self) -> str:
        """``PolarStar``, in names of classes."""
        words = [_plain(word) for word in self.name.replace("-", " ").split()]
        joined = "".join(word[:1].upper() + word[1:] for word in words)
        return joined if joined.lower() == self.slug.replace("-", "") else self.slug.title().replace("-", "")


def current_product(root: Path) -> Product:
    """What the tree is called now."""
    fields = {field.name: field.default for field in msgspec.structs.fields(Settings)}
    return Product(fields["product_name"], _project(root)["name"])


def parse_product(root: Path, name: str, slug: str | None) -> Product:
    """Raises ``click.BadParameter`` for what is no name, and for what something else in the tree is called."""
    name = " ".join(unicodedata.normalize("NFC", name).split())
    if not _NAME.fullmatch(name) or len(name) > _MAX_LENGTH:
        raise click.BadParameter(
            f"'{name}' is not a name: words of letters and digits with a space, hyphen or full stop between them, "
            f"of {_MAX_LENGTH} characters at most, a letter first. PRODUCT_NAME may have other signs."
        )
    slug = slug or "-".join(filter(None, map(_plain, re.split(r"[\s.-]+", name)))).lower()
    if not _SLUG.fullmatch(slug) or len(slug) > _MAX_LENGTH:
        raise click.BadParameter(f"'{slug}' cannot name packages and files; choose a plain name with --slug.")
    product = Product(name, slug)
    if product.snake in _taken(root):
        raise click.BadParameter(f"'{slug}' is the name of a package already; choose another, perhaps with --slug.")
    return product


def _plain(word: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "", anyascii(word))


def _taken(root: Path) -> set[str]:
    """Names of modules: Python's words and library, this tree's folders and domains, and what it depends on."""
    project = tomllib.loads((root / "pyproject.toml").read_text())
    lists = [project["project"]["dependencies"], *project["dependency-groups"].values()]
    lists.append(project["tool"]["uv"]["constraint-dependencies"])
    needed = {re.split(r"[^A-Za-z0-9._-]", each)[0] for names in lists for each in names}
    folders = {path.name for path in (*root.iterdir(), *(root / "app").iterdir(), *(root / "app/domain").iterdir())}
    return {
        *(re.sub(r"[-.]+", "_", each).lower() for each in (*needed, *folders)),
        *(each.lower() for each in (*sys.stdlib_module_names, *keyword.kwlist, *dir(builtins))),
    }


def _project(root: Path) -> dict[str, str]:
    project: dict[str, str] = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    return project
