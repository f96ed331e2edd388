"""The AsyncAPI document (https://www.asyncapi.com): a file by hand, which tests compare with the frames."""

from pathlib import Path
from typing import Any

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from app.lib.http.query import PASSED_ON
from app.lib.http.responses import revalidated
from app.lib.security.policies import public
from app.lib.settings import WebAddress

ASYNCAPI_PATH = "/docs/asyncapi.json"
_FILE = Path(__file__).parents[1] / "static" / "asyncapi.json"


def realtime_document(address: WebAddress, product: str, version: str) -> dict[str, Any]:
    """The document of a service at this address."""
    document: dict[str, Any] = msgspec.json.decode(_FILE.read_bytes())
    scheme, _, host = address.origin.partition("://")
    server = {"host": host} | ({"pathname": address.path} if address.path else {})
    document["info"] |= {"title": f"{product} realtime", "version": version}
    document["servers"]["sockets"] |= {**server, "protocol": scheme.replace("http", "ws")}
    document["servers"]["streams"] |= {**server, "protocol": scheme}
    return document


def document_handler(address: WebAddress, product: str, version: str) -> HTTPRouteHandler:
    """Serves the document, which is read once."""
    content = msgspec.json.encode(realtime_document(address, product, version))

    @get(ASYNCAPI_PATH, guards=[public], opt=dict(PASSED_ON), include_in_schema=False, name="asyncapi")
    async def get_asyncapi() -> Response[bytes]:
        return revalidated(content)

    return get_asyncapi
