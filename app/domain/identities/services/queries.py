from dataclasses import dataclass

from app.domain.identities.dtos import IdentityPage, ProviderPage, ProviderRead
from app.domain.identities.providers.registry import Providers
from app.domain.identities.repositories import OWN_IDENTITIES
from app.lib.db.reader import Reader
from app.lib.pagination.cursor import CursorCodec
from app.lib.pagination.paginate import page_of
from app.lib.pagination.parameters import PageRequest
from app.lib.security.principal import Principal


@dataclass
class IdentityQueries:
    """The providers, and what users are shown of their own identities; reads only."""

    reader: Reader
    cursors: CursorCodec
    providers: Providers

    def list_providers(self, paging: PageRequest) -> ProviderPage:
        shown = [ProviderRead(each.name, each.title) for each in self.providers.values()]
        return page_of(ProviderPage, "providers", shown, paging, self.cursors)

    async def list(self, paging: PageRequest, viewer: Principal) -> IdentityPage:
        own = await self.reader.all(OWN_IDENTITIES, user_id=viewer.user_id)
        return page_of(IdentityPage, "identities", own, paging, self.cursors)
