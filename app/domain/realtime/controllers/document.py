from typing import Any

import msgspec
from litestar import Request, Response, get

from app.domain.realtime.asyncapi import realtime_document
from app.lib.openapi.document import tagged_document
from app.lib.security.policies import public

ASYNCAPI_PATH = "/docs/asyncapi.json"


@get(ASYNCAPI_PATH, guards=[public], include_in_schema=False, name="asyncapi")
async def get_asyncapi(request: Request[Any, Any, Any]) -> Response[bytes]:
    return tagged_document(msgspec.json.encode(realtime_document(request.app.state.core.settings)))
