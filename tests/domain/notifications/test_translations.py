"""Every mail in every language: nothing untranslated, nothing left over, the same variables."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po

from app.asgi import DOMAINS
from app.lib.mail.templates import BASE, SOURCE_LOCALE, MailTemplates

OF_DOMAINS = [folder for domain in DOMAINS for folder in domain.mail_templates]
FOLDERS = [BASE, *OF_DOMAINS]
SAMPLES = MailTemplates(OF_DOMAINS, {}).samples
SHARED = {"product": "Lodestar", "color": "#2952cc", "base_url": "https://lodestar.example"}
CATALOGS = sorted(path for folder in FOLDERS for path in folder.glob("locales/*.po"))
_PLACEHOLDER = re.compile(r"%\((\w+)\)s")


@pytest.fixture(scope="module")
def templates() -> MailTemplates:
    return MailTemplates(OF_DOMAINS, SHARED)


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


def test_the_languages_are_english_and_one_more(templates: MailTemplates) -> None:
    assert sorted(templates.environments) == ["de", SOURCE_LOCALE]
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


@pytest.mark.parametrize("locale", ["en", "de"])
@pytest.mark.parametrize("name", sorted(SAMPLES))
@pytest.mark.parametrize("unsubscribe_url", [None, "https://lodestar.example/out"])
def test_every_mail_can_be_written(
    templates: MailTemplates, name: str, locale: str, unsubscribe_url: str | None
) -> None:
    mail = templates.render(name, locale, {**SAMPLES[name], "unsubscribe_url": unsubscribe_url})

    assert 0 < len(mail.subject) <= 60
    assert 0 < len(mail.preheader) <= 100
    assert f'<html lang="{locale}">' in mail.html
    assert mail.html.count("<p ") >= 1
    assert all(url in mail.text and url in mail.html for url in [unsubscribe_url] if url)
    words = mail.text + re.sub(r"<[^>]+>", " ", mail.html)
    assert not re.search(r"[{}]|%\(|Undefined|None", words)


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_the_languages_differ(templates: MailTemplates, name: str) -> None:
    context = {**SAMPLES[name], "unsubscribe_url": None}
    english, german = (templates.render(name, locale, context) for locale in ("en", "de"))

    assert english.subject != german.subject
    assert english.preheader != german.preheader
    paragraphs = [set(mail.text.split("\n\n")) for mail in (english, german)]
    assert paragraphs[0] & paragraphs[1] <= {"--\nLodestar <https://lodestar.example>\n", *SAMPLES[name].values()}


@pytest.mark.parametrize("name", sorted(SAMPLES))
@pytest.mark.parametrize("locale", ["en", "de"])
def test_what_is_put_in_is_escaped(name: str, locale: str) -> None:
    evil: dict[str, Any] = {**SHARED, "product": "<b>&</b>"}

    mail = MailTemplates(OF_DOMAINS, evil).render(name, locale, {**SAMPLES[name], "unsubscribe_url": None})

    assert "<b>" not in mail.html
    assert "&lt;b&gt;&amp;&lt;/b&gt;" in mail.html
    assert "<b>&</b>" in mail.text
