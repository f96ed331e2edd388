"""What the parameters of a path name, made by the domains' ``tests/domain/<name>/makers.py`` for the contract tests."""

import importlib
import re
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from tests.support.people import People, Person

Maker = tuple[str, dict[str, Any]] | Callable[["Making"], Awaitable[Any]]
"""Where a client posts what, or a function that returns the id."""


@dataclass
class Making:
    """For one request by ``boss``, a superuser: ``number`` counts those to the operation."""

    client: httpx.AsyncClient
    people: People
    boss: Person
    operation_id: str
    names: Collection[str]
    """Of the path's parameters."""
    number: int
    where: str
    """The makers of the operation's domain."""
    found: dict[str, Any] = field(default_factory=dict)

    async def get(self, name: str) -> Any:
        """The id of what is called so; what it belongs to comes first."""
        if name not in self.found:
            assert name in makers(), (
                f'add "{name}": ("/api/v1/…", {{…}}) to MAKERS in {self.where}: what a client posts'
            )
            maker = makers()[name]
            self.found[name] = await (self._post(*maker) if isinstance(maker, tuple) else maker(self))
        return self.found[name]

    async def get_owner(self) -> Any:
        """The user whom the path names, or else the caller."""
        return await self.get("user_id") if "user_id" in self.names else self.boss.id

    async def _post(self, path: str, body: dict[str, Any]) -> Any:
        values = {name: await self.get(name) for name in re.findall(r"\{(\w+)\}", path)}
        return (await self.client.post(path.format(**values), json=body)).raise_for_status().json()["id"]


@cache
def makers() -> dict[str, Maker]:
    """By the name of the parameter."""
    return {name: maker for each in _modules() for name, maker in each.MAKERS.items()}


@cache
def bodies() -> dict[str, dict[str, Any]]:
    """By operation: those whose bodies name what is there, which no generator guesses."""
    return {name: body for each in _modules() for name, body in getattr(each, "BODIES", {}).items()}


@cache
def shared() -> set[str]:
    """Operations by which all who are signed in may read or do something with what is another's."""
    return {name for each in _modules() for name in getattr(each, "SHARED", {})}


def _modules() -> list[Any]:
    folders = sorted(path.parent for path in (Path(__file__).parents[1] / "domain").glob("*/makers.py"))
    return [importlib.import_module(f"tests.domain.{folder.name}.makers") for folder in folders]
