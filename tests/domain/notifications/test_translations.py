"""Every mail in every language: nothing untranslated, nothing left over, the same variables."""

import re
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po

from app.asgi import DOMAINS
from app.lib.mail.templates import BASE, SOURCE_LOCALE, MailTemplates
from tests.support.each import each

OF_DOMAINS = [folder for domain in DOMAINS for folder in domain.mail_templates]
FOLDERS = [BASE, *OF_DOMAINS]
SAMPLES = MailTemplates(OF_DOMAINS, {}).samples
SHARED = {"product": "Lodestar", "color": "#2952cc", "base_url": "https://lodestar.example"}
LOCALES = ("en", "de")
CATALOGS = sorted(path for folder in FOLDERS for path in folder.glob("locales/*.po"))
_PLACEHOLDER = re.compile(r"%\((\w+)\)s")


@cache
def templates(product_name: str = SHARED["product"]) -> MailTemplates:
    return MailTemplates(OF_DOMAINS, {**SHARED, "product": product_name})


def catalog(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=path.stem)


def texts_of(folder: Path) -> Iterator[str]:
    """What the templates of a folder have to say, in English."""
    for path in sorted({*folder.glob("*.txt"), *folder.glob("*.html")}):
        with path.open("rb") as file:
            options = {"trimmed": "true", "trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}
            for _line, text, _comments, _context in extract("jinja2.ext:babel_extract", file, options=options):
                yield from [text] if isinstance(text, str) else text


def test_the_languages_are_english_and_one_more() -> None:
    assert sorted(templates().environments) == ["de", SOURCE_LOCALE]
    assert {path.stem for path in CATALOGS} == {"de"}


@pytest.mark.parametrize("path", CATALOGS, ids=lambda path: f"{path.parents[1].name}-{path.stem}")
def test_a_catalog_has_every_text_and_no_other(path: Path) -> None:
    translated = {str(message.id): message for message in catalog(path) if message.id}
    folder = path.parents[1]
    titles = {link.title for domain in DOMAINS if folder in domain.mail_templates for link in domain.links}
    wanted = {*texts_of(folder), *titles}

    assert wanted
    assert set(translated) == wanted
    for text, message in translated.items():
        assert message.string, f"not translated: {text}"
        assert not message.fuzzy
        assert sorted(_PLACEHOLDER.findall(str(message.string))) == sorted(_PLACEHOLDER.findall(text))


def test_every_mail_has_a_sample() -> None:
    texts = {path.stem for folder in OF_DOMAINS for path in folder.glob("*.txt")}
    assert texts == SAMPLES.keys()


@each(product(sorted(SAMPLES), LOCALES, [None, "https://lodestar.example/out"]))
def test_every_mail_can_be_written(case: tuple[str, str, str | None]) -> None:
    name, locale, unsubscribe_url = case
    mail = templates().render(name, locale, {**SAMPLES[name], "unsubscribe_url": unsubscribe_url})

    assert 0 < len(mail.subject) <= 60
    assert 0 < len(mail.preheader) <= 100
    assert f'<html lang="{locale}">' in mail.html
    assert mail.html.count("<p ") >= 1
    assert all(url in mail.text and url in mail.html for url in [unsubscribe_url] if url)
    words = mail.text + re.sub(r"<[^>]+>", " ", mail.html)
    assert not re.search(r"[{}]|%\(|Undefined|None", words)


@each(sorted(SAMPLES))
def test_the_languages_differ(name: str) -> None:
    context = {**SAMPLES[name], "unsubscribe_url": None}
    english, german = (templates().render(name, locale, context) for locale in LOCALES)

    assert english.subject != german.subject
    assert english.preheader != german.preheader
    paragraphs = [set(mail.text.split("\n\n")) for mail in (english, german)]
    assert paragraphs[0] & paragraphs[1] <= {"--\nLodestar <https://lodestar.example>\n", *SAMPLES[name].values()}


@each(product(sorted(SAMPLES), LOCALES))
def test_what_is_put_in_is_escaped(case: tuple[str, str]) -> None:
    name, locale = case
    mail = templates("<b>&</b>").render(name, locale, {**SAMPLES[name], "unsubscribe_url": None})

    assert "<b>" not in mail.html
    assert "&lt;b&gt;&amp;&lt;/b&gt;" in mail.html
    assert "<b>&</b>" in mail.text
