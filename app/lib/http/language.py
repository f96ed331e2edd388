"""Which languages a client reads (RFC 9110 section 12.5.4)."""

import re

_RANGE = re.compile(r"\s*([A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*)\s*(?:;\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*)?")
_MAX_RANGES = 20
_LOCALE = re.compile(r"[a-z]{2,3}(?:-[A-Z]{2})?")


def preferred_locale(header: str, default: str) -> str:
    """The first language of an ``Accept-Language`` header as a locale such as ``de`` or ``de-AT``."""
    for language in accepted_languages(header):
        primary, _, rest = language.partition("-")
        for locale in (f"{primary.lower()}-{rest.upper()}", primary.lower()):
            if _LOCALE.fullmatch(locale):
                return locale
    return default


def accepted_languages(header: str) -> list[str]:
    """The languages of an ``Accept-Language`` header, the preferred first; what is none is passed over."""
    found = [_RANGE.fullmatch(part) for part in header.split(",")[:_MAX_RANGES]]
    weighted = [(float(match[2] or 1), match[1]) for match in found if match]
    return [language for weight, language in sorted(weighted, key=lambda each: -each[0]) if weight]
