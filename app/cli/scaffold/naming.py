"""Names in code and words in texts, from the name of a domain."""

import builtins
import keyword
import re
from typing import NamedTuple

import click

_MAX_LENGTH = 36
"""So that names of indexes fit into PostgreSQL's 63 characters."""
_NAME = re.compile(r"[a-z]{2,}(?:_[a-z]{2,})*")
"""As names of operations, schemas and permissions take it."""


class Names(NamedTuple):
    """Of ``reading_lists``: ``reading_list``, ``ReadingList``, ``ReadingLists``, "reading list", "reading lists"."""

    plural: str
    singular: str

    @property
    def entity(self) -> str:
        """The class of the model."""
        return class_name(self.singular)

    @property
    def entities(self) -> str:
        return class_name(self.plural)

    @property
    def path(self) -> str:
        """Of its routes."""
        return self.plural.replace("_", "-")

    @property
    def variables(self) -> dict[str, str]:
        """What the templates use."""
        one, many = self.singular.replace("_", " "), self.plural.replace("_", " ")
        article = "an" if one[0] in "aeiou" else "a"
        return {
            "name": self.plural,
            "singular": self.singular,
            "NAME": self.plural.upper(),
            "NAME1": self.singular.upper(),
            "Class": self.entity,
            "Plural": self.entities,
            "path": self.path,
            "words": many,
            "words1": one,
            "Words": many.capitalize(),
            "a": article,
            "A": article.capitalize(),
        }


def names_of(plural: str, singular: str | None) -> Names:
    """Raises ``click.BadParameter`` for what is no name."""
    if singular is None:
        singular = re.sub(r"ies$", "y", plural) if plural.endswith("ies") else plural.removesuffix("s")
    for name in (plural, singular):
        if not _NAME.fullmatch(name) or len(name) > _MAX_LENGTH or name.startswith("fts_"):
            raise click.BadParameter(
                f"'{name}' is not a name: words of two lower-case letters or more, with underscores between them, "
                f"{_MAX_LENGTH} characters at most, and not fts_."
            )
        if keyword.iskeyword(name) or hasattr(builtins, name):
            raise click.BadParameter(f"'{name}' is a word of Python; choose another name, or another --singular.")
    if singular == plural:
        raise click.BadParameter(f"'{plural}' has to be a plural; name the singular with --singular.")
    return Names(plural, singular)


def class_name(name: str) -> str:
    """``ReadingLists`` for ``reading_lists``."""
    return "".join(part.capitalize() for part in name.split("_"))
