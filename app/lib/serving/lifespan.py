"""A lifespan inside those of the plugins before it."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from litestar import Litestar
from litestar.config.app import AppConfig
from litestar.plugins import InitPlugin


class InnerLifespan(InitPlugin):
    """Ends before the lifespans of earlier plugins: SQLAlchemy's disposes of the engine, which background work still
    needs.
    """

    def __init__(self, lifespan: Callable[[], AbstractAsyncContextManager[None]]) -> None:
        self._lifespan = lifespan

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        def enter(_app: Litestar) -> AbstractAsyncContextManager[None]:
            return self._lifespan()

        app_config.lifespan.append(enter)
        return app_config
