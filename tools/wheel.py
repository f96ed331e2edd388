"""What a wheel holds beyond `app`: the client that the demo page loads. An editable install finds it by itself."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ClientHook(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "editable":
            name = "lodestar-realtime.js"
            build_data["force_include"][f"clients/javascript/{name}"] = f"app/domain/realtime/static/{name}"
