"""Templates and their translations."""

from pathlib import Path
from typing import Any

import pytest
from jinja2 import TemplateNotFound, UndefinedError

from app.lib.mail.templates import MailTemplates, Rendered

PO = """
msgid ""
msgstr "Content-Type: text/plain; charset=utf-8\\nPlural-Forms: nplurals=2; plural=(n != 1);\\n"

msgid "Hello %(who)s"
msgstr "Hallo %(who)s"

msgid "one thing"
msgid_plural "%(count)s things"
msgstr[0] "ein Ding"
msgstr[1] "%(count)s Dinge"
"""
TEXT = """{% extends "base.txt" %}
{% block subject %}{% trans %}Hello {{ who }}{% endtrans %}{% endblock %}
{% block preheader %}{% trans count=count %}one thing{% pluralize %}{{ count }} things{% endtrans %}{% endblock %}
{% block text %}
{% trans %}Hello {{ who }}{% endtrans %}



{% trans %}This is not translated.{% endtrans %}
{% endblock %}
"""
HTML = """{% extends "base.html" %}
{% from "parts.html" import button with context %}
{% block content %}{% trans %}Hello {{ who }}{% endtrans %}{{ button(url, who) }}{% endblock %}
"""
SHARED = {"product": "Toys & Co", "color": "#112233", "base_url": "https://toys.example"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "greeting.txt").write_text(TEXT)
    (tmp_path / "greeting.html").write_text(HTML)
    (tmp_path / "plain.html").write_text("<p>{{ who }}</p>")
    (tmp_path / "locales").mkdir()
    (tmp_path / "locales" / "de.po").write_text(PO)
    return tmp_path


@pytest.fixture
def templates(folder: Path) -> MailTemplates:
    return MailTemplates([folder], SHARED)


def render(templates: MailTemplates, locale: str = "en", **changes: Any) -> Rendered:
    context = {"who": "Ada", "count": 1, "url": "https://toys.example/x", "unsubscribe_url": None}
    return templates.render("greeting", locale, {**context, **changes})


def test_a_mail_is_a_subject_a_preheader_a_text_and_html(templates: MailTemplates) -> None:
    mail = render(templates)

    assert mail.subject == "Hello Ada"
    assert mail.preheader == "one thing"
    assert mail.text == "Hello Ada\n\nThis is not translated.\n\n--\nToys & Co <https://toys.example>\n"
    assert "<title>Hello Ada</title>" in mail.html
    assert "one thing</div>" in mail.html
    assert "#112233" in mail.html


def test_the_language_is_the_nearest_there_is(templates: MailTemplates) -> None:
    for locale in ("de", "de-AT", "de_CH"):
        assert render(templates, locale).subject == "Hallo Ada"
        assert '<html lang="de">' in render(templates, locale).html
    for locale in ("en", "en-GB", "fr", "", "nonsense"):
        assert render(templates, locale).subject == "Hello Ada"
    assert templates.best_locale("fr", "de-AT", "en") == "de"
    assert sorted(templates.environments) == ["de", "en"]


def test_what_is_not_translated_is_english(templates: MailTemplates) -> None:
    mail = render(templates, "de", count=3)

    assert mail.preheader == "3 Dinge"
    assert "This is not translated." in mail.text
    assert "Hallo Ada" in mail.text


@pytest.mark.parametrize("locale", ["en", "de"])
def test_html_is_escaped_and_text_is_not(templates: MailTemplates, locale: str) -> None:
    evil = "<script>alert('x')</script> & %(who)s {{ who }}"

    mail = render(templates, locale, who=evil, url="https://toys.example/?a=1&b=\"'>")

    assert "<script" not in mail.html
    assert "&lt;script&gt;" in mail.html
    assert "Toys &amp; Co" in mail.html
    assert 'href="https://toys.example/?a=1&amp;b=&#34;&#39;&gt;"' in mail.html
    assert evil in mail.text
    assert templates.page("plain", locale, {"who": evil}).startswith("<p>&lt;script&gt;")


def test_a_subject_is_one_line(templates: MailTemplates) -> None:
    assert render(templates, who="Ada\r\nBcc: eve@example.com").subject == "Hello Ada Bcc: eve@example.com"


def test_a_missing_variable_is_an_error(templates: MailTemplates) -> None:
    with pytest.raises(UndefinedError):
        templates.render("greeting", "en", {"who": "Ada", "unsubscribe_url": None})
    with pytest.raises(TemplateNotFound):
        templates.render("farewell", "en", {})


def test_only_what_can_be_done_without_has_a_way_out(templates: MailTemplates) -> None:
    url = "https://toys.example/out?a=1&b=2"

    essential, other = render(templates), render(templates, unsubscribe_url=url)

    assert url not in essential.text
    assert url in other.text
    assert 'href="https://toys.example/out?a=1&amp;b=2"' in other.html


def test_two_templates_of_one_name_are_refused(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "greeting.txt").write_text(TEXT)

    with pytest.raises(ValueError, match=r"greeting\.txt"):
        MailTemplates([folder, other], SHARED)
