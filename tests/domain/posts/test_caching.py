"""Caches: public answers may be shared and have to be asked for again; everything has an ETag."""

import httpx

from tests.domain.posts.writing import FEED, POSTS, TAGS, draft, write

PUBLIC = "public, max-age=0, must-revalidate"
MINUTE = "public, max-age=60, must-revalidate"


async def test_a_current_version_is_not_sent_again(calls: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    post = await write(calls, tags=["sea"])
    for url in (f"{POSTS}/{post['id']}", f"{POSTS}/{post['slug']}", POSTS, f"{POSTS}?q=wind", TAGS, FEED):
        first = await client.get(url)
        headers = {"If-None-Match": first.headers["etag"]}
        again = await client.get(url, headers=headers)
        assert first.headers["cache-control"] == again.headers["cache-control"] == (MINUTE if url == TAGS else PUBLIC)
        assert first.headers.get("vary") == (None if url in {TAGS, FEED} else "Authorization")
        assert (again.status_code, again.content) == (304, b"")
        await calls.patch(f"{POSTS}/{post['id']}", json={"title": f"Not {url}", "tags": [f"t{len(url)}"]})
        assert (await client.get(url, headers=headers)).status_code == 200


async def test_what_may_be_for_the_caller_alone_is_private(calls: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    post, hidden = await write(calls), await draft(calls)
    by_caller = [f"{POSTS}/{post['id']}", f"{POSTS}/{post['slug']}?expand=author"]
    lists = [POSTS, f"{POSTS}?expand=author"]
    for_all = [f"/api/v1/users/{post['author_id']}/posts", TAGS, FEED]
    for _ in range(1):
        for url in [*by_caller, *lists, *for_all]:
            answers = [await client.get(url), await calls.get(url)]
            shared = MINUTE if url == TAGS else PUBLIC
            assert answers[0].headers["cache-control"] == shared, url
            assert answers[1].headers["cache-control"] == ("private, no-cache" if url in by_caller else shared), url
            assert {each.headers.get("vary") for each in answers} == {None if url in for_all else "Authorization"}
            assert (answers[0].content != answers[1].content) is (url in by_caller), "the author has the metadata"
        for url in (f"{POSTS}?mine=true", f"{POSTS}/{hidden['id']}", f"{POSTS}/{hidden['slug']}?expand=author"):
            private, refused = await calls.get(url), await client.get(url)
            kept = "no-store" if "mine" in url or hidden["slug"] in url else "private, no-cache"
            assert (private.status_code, private.headers["cache-control"]) == (200, kept)
            assert refused.status_code in {401, 404}
            assert refused.headers["cache-control"] == "private, no-cache"
            assert "Not yet" not in (await client.get(POSTS)).text


async def test_heads_are_those_of_the_bodies(calls: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    post = await write(calls, tags=["sea"])
    for url in (f"{POSTS}/{post['id']}", f"{POSTS}?q=wind", f"/api/v1/users/{post['author_id']}/posts", TAGS, FEED):
        whole, head = await client.get(url), await client.head(url)
        assert (head.status_code, head.content) == (200, b"")
        for name in ("etag", "cache-control", "vary", "content-type", "content-length", "link"):
            assert head.headers.get(name) == whole.headers.get(name), (url, name)
        unchanged = await client.head(url, headers={"If-None-Match": whole.headers["etag"]})
        assert unchanged.status_code == 304
