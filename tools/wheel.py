"""What a wheel holds beyond `app`: the client that the demo page loads, and the manual of the API. An editable install
finds them by itself.
"""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ClientHook(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "editable":
            name = "lodestar-realtime.js"
            build_data["force_include"]["docs/api.md"] = "app/domain/system/static/api.md"
            build_data["force_include"][f"clients/typescript/src/{name}"] = f"app/domain/realtime/static/{name}"
