"""Templates of mails: written in English, translated by gettext catalogs, rendered as text and as HTML.

A mail ``welcome`` is two files in a folder of its domain. ``welcome.txt`` extends ``base.txt`` and has the blocks
``subject``, ``preheader`` (the line that mail programs show next to the subject) and ``text``; ``welcome.html`` extends
``base.html`` and has the block ``content``. Texts stand in ``{% trans %}``; ``locales/de.po`` next to the templates
has them in German, and ``samples.json`` the context of a sample of each mail, to look at. The catalogs are read as they
are, so a clone needs no build step.

HTML is escaped, a variable that is not given is an error, and everything is read once in a process.
"""

import gettext
import io
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from jinja2 import DictLoader, Environment, StrictUndefined, Template, select_autoescape

BASE = Path(__file__).parent / "base"
SOURCE_LOCALE = "en"

_SUFFIXES = (".html", ".txt")


class Rendered(msgspec.Struct, frozen=True):
    """A mail's words in one language."""

    subject: str
    preheader: str
    text: str
    html: str


class MailTemplates:
    """All templates below the folders. ``shared`` are variables that every template has.

    Raises ``ValueError`` when two folders have a template of the same name.
    """

    def __init__(self, folders: Iterable[Path], shared: Mapping[str, Any]) -> None:
        found = (BASE, *folders)
        sources = _read_sources(found)
        self._folders = found
        self._translations = _translations(found)
        self.environments = {
            locale: _make_environment(sources, translations, shared)
            for locale, translations in self._translations.items()
        }
        """Jinja's environment of each language that there is, the one of the sources among them."""

    def best_locale(self, *wanted: str) -> str:
        """The first that there is: each as it is, then its language alone; else English."""
        for locale in wanted:
            for candidate in (locale.replace("_", "-"), locale.replace("_", "-").partition("-")[0]):
                if candidate in self.environments:
                    return candidate
        return SOURCE_LOCALE

    @property
    def samples(self) -> dict[str, dict[str, str]]:
        """By mail: what its context has in addition to what every template has. Read when they are asked for."""
        return _read_samples(self._folders)

    def translator(self, locale: str) -> Callable[[str], str]:
        """Translates texts that templates do not have, such as titles of links."""
        return self._translations[self.best_locale(locale)].gettext

    def render(self, name: str, locale: str, context: Mapping[str, Any]) -> Rendered:
        """A mail's words in the nearest language. Raises ``jinja2.TemplateError``."""
        language = self.best_locale(locale)
        environment = self.environments[language]
        text = environment.get_template(f"{name}.txt")
        variables = {**context, "locale": language}
        subject, preheader = _line(text, "subject", variables), _line(text, "preheader", variables)
        words = {**variables, "subject": subject, "preheader": preheader}
        html = environment.get_template(f"{name}.html").render(words)
        return Rendered(subject, preheader, _tidy(text.render(words)), html)

    def page(self, name: str, locale: str, context: Mapping[str, Any]) -> str:
        """A page of HTML in the nearest language. Raises ``jinja2.TemplateError``."""
        language = self.best_locale(locale)
        return self.environments[language].get_template(f"{name}.html").render({**context, "locale": language})


def _make_environment(
    sources: Mapping[str, str], translations: gettext.NullTranslations, shared: Mapping[str, Any]
) -> Environment:
    environment = Environment(
        loader=DictLoader(sources),
        extensions=["jinja2.ext.i18n"],
        undefined=StrictUndefined,
        # HTML is escaped, known by its name, and text must not be.
        autoescape=select_autoescape(("html",), default_for_string=True),
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.globals.update(shared)
    environment.filters["instant"] = _instant
    install: Any = environment.__getattribute__("install_gettext_translations")  # the extension adds it
    install(translations, newstyle=True)
    return environment


def _instant(text: str) -> str:
    """An instant (ISO 8601) as every language reads it; in UTC, because no user's time zone is known."""
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _line(template: Template, block: str, variables: Mapping[str, Any]) -> str:
    """A block as one line: what is put in brings no line break into a header."""
    return " ".join("".join(template.blocks[block](template.new_context(dict(variables)))).split())


def _tidy(text: str) -> str:
    """Without what conditions and blocks leave: blanks at line ends, and more than one empty line."""
    lines = [line.rstrip() for line in text.strip().splitlines()]
    kept = [line for number, line in enumerate(lines) if line or lines[number - 1]]
    return "\n".join(kept) + "\n"


@cache
def _read_sources(folders: tuple[Path, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for folder in folders:
        for path in sorted(folder.iterdir()):
            if path.suffix not in _SUFFIXES:
                continue
            if path.name in found:
                raise ValueError(f"there are two templates {path.name}")
            found[path.name] = path.read_text(encoding="utf-8")
    return found


@cache
def _read_samples(folders: tuple[Path, ...]) -> dict[str, dict[str, str]]:
    files = [path for folder in folders if (path := folder / "samples.json").exists()]
    return dict(pair for path in files for pair in msgspec.json.decode(path.read_bytes()).items())


@cache
def _translations(folders: tuple[Path, ...]) -> Mapping[str, gettext.NullTranslations]:
    """Of each language all catalogs, one after the other; what is in none stays English."""
    found: dict[str, gettext.NullTranslations] = {SOURCE_LOCALE: gettext.NullTranslations()}
    for folder in folders:
        for path in sorted(folder.glob("locales/*.po")):
            compiled = io.BytesIO()
            with path.open("rb") as file:
                write_mo(compiled, read_po(file, locale=path.stem.replace("-", "_"), abort_invalid=True))
            compiled.seek(0)
            translations = gettext.GNUTranslations(compiled)
            if path.stem in found:
                translations.add_fallback(found[path.stem])
            found[path.stem] = translations
    return found
