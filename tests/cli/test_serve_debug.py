"""``app serve --debug``: breakpoints at a terminal."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from app.lib.db.url import DatabaseURL
from tests.cli.conftest import Cli, refusal, text_of
from tests.support.processes import NO_TLS, PATIENCE, free_port
from tests.support.terminal import Terminal

PROGRAM = """
from app.cli import main
from app.lib.events.bus import Events

publish = Events.publish

async def stopping(self, unit, event):
    where = "in the transaction"
    breakpoint()
    return await publish(self, unit, event)

Events.publish = stopping
main()
"""
ACCOUNT = {"email": "ada@example.com", "password": "correct horse battery"}
PROMPT = "(Pdb) "


def test_a_breakpoint_stops_a_request_for_as_long_as_one_likes(own_url: DatabaseURL, tmp_path: Path) -> None:
    base = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-c", PROGRAM, "serve", "--debug", "--port", str(port)]
    environ = {"DATABASE_URL": text_of(own_url), "JOBS_WORKER": "off"}
    with Terminal(command, tmp_path, environ) as terminal, ThreadPoolExecutor() as pool:
        terminal.until("breakpoint() opens the debugger here")
        with httpx.Client(verify=NO_TLS, timeout=PATIENCE, transport=httpx.HTTPTransport(retries=10)) as client:
            answer = pool.submit(client.post, f"{base}/api/v1/auth/register", json=ACCOUNT)
            terminal.until(PROMPT)
            terminal.write("p where\n")
            assert "'in the transaction'" in terminal.until(PROMPT)
            terminal.write("next\n")
            terminal.until(PROMPT)
            terminal.write("p __import__('asyncio').get_running_loop().paused > 0\n")
            assert "\nTrue" in terminal.until(PROMPT)
            terminal.write("exec('print(1 + 41)\\nwhile True: pass')\n")
            terminal.until("\n42")
            terminal.write("\x03")
            terminal.until("KeyboardInterrupt")
            terminal.until(PROMPT)
            terminal.write("continue\n")
            assert answer.result(PATIENCE).status_code == 201
            assert client.get(f"{base}/health").is_success
        terminal.write("\x03")
        assert terminal.end() == 0


def test_the_debugger_is_refused_in_production_and_with_several_workers(cli: Cli) -> None:
    production = {"ENVIRONMENT": "production", "SECRET_KEY": "pT4vQ8xW2zR6nM0kB5jH9gF3dS7aL1cY"}
    line = refusal(cli("serve", "--debug", **production, PUBLIC_URL="https://api.example.com"), 1)
    assert "refused in production" in line
    assert "neither --workers nor --reload" in refusal(cli("serve", "--debug", "--workers", "2"), 2)
    assert "neither --workers nor --reload" in refusal(cli("serve", "--debug", "--reload"), 2)
