"""Identities at other providers (OpenID Connect, GitHub), by which users sign in."""

from pathlib import Path

from app.domain.identities.audit import AUDIT_KINDS
from app.domain.identities.build import build
from app.domain.identities.controllers.identities import IdentityController
from app.domain.identities.controllers.pages import show_provider_page
from app.domain.identities.controllers.providers import ProviderController
from app.domain.identities.errors import EMAIL_UNVERIFIED, LINK_REQUIRED
from app.domain.identities.exports import EXPORTS
from app.domain.identities.jobs import JOBS
from app.domain.identities.listeners import LISTENERS
from app.domain.identities.settings import IdentitySettings
from app.domain.identities.steps import STEPS
from app.lib.domain import Domain

identities = Domain(
    name="identities",
    settings=IdentitySettings,
    build=build,
    controllers=(ProviderController, IdentityController),
    root_handlers=(show_provider_page,),
    mail_templates=(Path(__file__).parent / "templates",),
    listeners=LISTENERS,
    jobs=JOBS,
    audit_kinds=AUDIT_KINDS,
    exports=EXPORTS,
    error_codes=(EMAIL_UNVERIFIED, LINK_REQUIRED),
    steps=STEPS,
    tag_group="Account",
    tags=(("Identities", "Sign-in with identity providers: OpenID Connect and GitHub."),),
)
