"""Node.js before 22, which has no WebSocket of its own: a flag takes it from a newer one."""

import asyncio
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.clients.driven import PATIENCE, node
from tests.clients.scripted import ScriptedServer

CLIENT = Path(__file__).parents[2] / "clients/typescript/src/lodestar-realtime.js"
MISSING = """
import { Realtime } from CLIENT;
try {
  new Realtime({ baseUrl: "http://127.0.0.1:1", getToken: async () => "token" });
} catch (error) {
  console.log(`${error}`);
}
"""
GIVEN = """
import { Realtime } from CLIENT;
const { WebSocket } = globalThis;
delete globalThis.WebSocket;
class Other extends WebSocket {}
const realtime = new Realtime({ baseUrl: "URL", getToken: async () => "token", WebSocket: Other });
console.log(await realtime.publish("room:tea", "Ahoy"));
realtime.close();
"""


@asynccontextmanager
async def said(program: str, *flags: str) -> AsyncIterator[asyncio.Task[bytes]]:
    """What a program writes until it ends by itself, by the end of the block."""
    text = program.replace("CLIENT", f'"{CLIENT.as_uri()}"')
    process = await asyncio.create_subprocess_exec(
        str(node()), *flags, "--input-type=module", "--eval", text, stdout=PIPE
    )
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        yield tasks.create_task(_read(process))


async def _read(process: asyncio.subprocess.Process) -> bytes:
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out


async def test_what_is_missing_is_said_at_once_and_by_name() -> None:
    async with said(MISSING, "--no-experimental-websocket") as written:
        text = await written

    assert text.startswith(b"TypeError: ")
    assert b"Node.js 22" in text
    assert b"package ws" in text


async def test_another_class_of_sockets_can_be_given(server: ScriptedServer) -> None:
    async with said(GIVEN.replace("URL", server.url)) as written:
        talk = await server.accept()
        await talk.ack(7)
        assert await written == b"7\n"
