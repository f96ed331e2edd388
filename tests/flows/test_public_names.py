"""Names beyond ASCII in PUBLIC_URL and CORS_ORIGINS, over HTTP."""

from tests.domain.notifications.steps import ONE_CLICK, composed, confirmed
from tests.support.apps import BASE_URL, Deployment, client_of

ASCII = "https://xn--bcher-kva.example"
WRITTEN = "HTTPS://B\u00fccher.example:443/"


async def test_mails_lead_to_a_public_name_beyond_ascii(deployment: Deployment) -> None:
    app = await deployment.start(PUBLIC_URL=WRITTEN)
    async with client_of(app) as client:
        await confirmed(app, client)
        (mail,) = await composed(app, "welcome")
        assert mail.unsubscribe_url is not None
        assert mail.unsubscribe_url.startswith(f"{ASCII}/api/v1/")
        assert f"{ASCII}/" in mail.text

        answer = await client.post(mail.unsubscribe_url.replace(ASCII, BASE_URL), data=ONE_CLICK)
        feed = await client.get("/api/v1/feed.atom")

    assert answer.status_code == 200
    assert f'href="{ASCII}/api/v1/feed.atom' in feed.text


async def test_browsers_find_their_origin_however_it_was_set(deployment: Deployment) -> None:
    app = await deployment.start(CORS_ORIGINS=f"{WRITTEN}, http://LOCALHOST:3000/, http://[::1]:80")
    async with client_of(app) as client:
        for origin in (ASCII, "http://localhost:3000", "http://[::1]"):
            answer = await client.get("/health", headers={"Origin": origin})
            assert answer.headers["access-control-allow-origin"] == origin
        other = await client.get("/health", headers={"Origin": "https://bucher.example"})
    assert "access-control-allow-origin" not in other.headers


async def test_pages_may_send_headers_of_tracing_and_those_of_the_setting(deployment: Deployment) -> None:
    app = await deployment.start(CORS_ORIGINS="https://app.example", CORS_HEADERS="X-Client-Version")
    async with client_of(app) as client:
        headers = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
        allowed = (await client.options("/api/v1/posts", headers=headers)).headers["access-control-allow-headers"]

    wanted = {"traceparent", "tracestate", "sentry-trace", "baggage", "authorization", "x-client-version"}
    assert wanted <= set(allowed.lower().split(", "))
