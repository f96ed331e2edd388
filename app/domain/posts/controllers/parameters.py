"""The parameters that routes of posts share."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import PathParameter, QueryParameter
from msgspec import Meta

from app.domain.posts.limits import MAX_SLUG, MAX_TAG
from app.domain.posts.services.queries import POST_SORT_KEYS, TAGS_SORT_KEYS
from app.lib.pagination.sorting import sort_parameter

# What fits neither is not there, so it is 404 and not 422: the bounds are documentation.
_REFERENCE = {"type": OpenAPIType.STRING, "maxLength": MAX_SLUG, "pattern": "^[a-z0-9]+(?:-[a-z0-9]+)*$"}

PostReference = Annotated[str, PathParameter(description="The post's id or its slug.", schema_extra=_REFERENCE)]
PostId = Annotated[str, PathParameter(description="The post's id.", schema_extra=_REFERENCE)]

Sort = Annotated[str | None, sort_parameter(POST_SORT_KEYS, "-published_at")]
TagSort = Annotated[str | None, sort_parameter(TAGS_SORT_KEYS, "-posts")]
Author = Annotated[
    list[Annotated[UUID, QueryParameter(schema_extra={"maxLength": 36})]] | None,
    QueryParameter(description="Written by this user; repeat for any of several.", max_items=20),
]
TagFilter = Annotated[
    # msgspec reads the one and the document is written from the other.
    list[Annotated[str, Meta(max_length=MAX_TAG), QueryParameter(max_length=MAX_TAG)]] | None,
    QueryParameter(name="tag", description="Has this tag; repeat for any of several.", max_items=20),
]
Text = Annotated[
    str | None,
    QueryParameter(
        max_length=200,
        description=(
            "Words that title and content have, all of them, without regard to case, accents and vowel points; in "
            "scripts without spaces, parts of them. `sort=-relevance` puts posts with the words in their title first. "
            "Without a word nothing is found."
        ),
    ),
]
PublishedAfter = Annotated[datetime | None, QueryParameter(description="An instant in UTC (RFC 3339).")]
PublishedBefore = PublishedAfter
Mine = Annotated[bool | None, QueryParameter(description="Your own posts instead, drafts and scheduled ones included.")]
Expand = Annotated[Literal["author"] | None, QueryParameter(description="Shows the authors' public profiles, too.")]
