"""Runs what documents show for a shell, against an app in this process."""

import asyncio
import os
import re
import shlex
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from tests.support.forks import Fork
from tests.support.processes import PATIENCE

HOST = re.compile(r"https?://[\w.]+(?::\d+)?(?=/)")
CAPTURE = re.compile(r"""(\w+)=\$\((.*) \| (?:jq -r '?([^\s']+)'?|sed 's/\.\*"(\w+)":".*)\)""", re.DOTALL)
FUNCTION = re.compile(r'(\w+)\(\) \{ (.*) "\$@"; \}')
REFUSED = re.compile(r'# \{"status": (\d+)')
VARIABLE = re.compile(r"\$(\w+)")


class DocumentShell:
    """Runs commands of a document: ``curl``, functions that call it, ``app``, and variables.

    ``ask`` gives the value of a variable that no command has set, as a reader would know it. Each command has to
    succeed, but one before a comment that shows how it is refused, and one after a comment that begins with "or": what
    it does may be done already. ``refusals`` are right everywhere. ``environ`` are the app's settings; without them
    ``app`` is not run, because that takes seconds.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        ask: Callable[["DocumentShell", str], Awaitable[str]] | None = None,
        environ: dict[str, str] | None = None,
        refusals: set[int] | None = None,
        **variables: str,
    ) -> None:
        self.client = client
        self.variables = variables
        self.answers: list[httpx.Response] = []
        self._ask = ask
        self._environ = environ
        self._refusals = refusals or set()
        self._functions: dict[str, str] = {}

    async def run(self, block: str) -> None:
        lines = block.replace("\\\n", " ").strip().splitlines()
        for number, line in enumerate(lines):
            command = re.sub(r"\s+# .*", "", line).strip()
            if not command or command.startswith("#") or "…" in command:
                continue
            if defined := FUNCTION.fullmatch(command):
                self._functions[defined[1]] = defined[2]
                continue
            before = len(self.answers)
            await self._command(command)
            refused = REFUSED.match(lines[number + 1]) if number + 1 < len(lines) else None
            is_second = number > 0 and lines[number - 1].startswith("# or")
            for answer in self.answers[before:]:
                wanted = {int(refused[1])} if refused else {409, 422} if is_second else self._refusals
                assert answer.is_success or answer.status_code in wanted, f"{command}\n{answer} {answer.text}"

    async def _command(self, command: str) -> None:
        program = command.removeprefix("uv run ").split()[0]
        if captured := CAPTURE.fullmatch(command):
            name, curl, path, key = captured.groups()
            value: Any = (await self.curl(curl)).json()
            for step in re.findall(r"\w+", path or key):
                value = value[int(step) if step.isdigit() else step]
            self.variables[name] = str(value)
        elif program == "curl" or program in self._functions:
            await self.curl(command)
        elif program == "app":
            if self._environ is None:
                return
            words = shlex.split(await self._expanded(command.removeprefix("uv run ")))[1:]
            code, said = await asyncio.to_thread(_run, words, {**os.environ, **self._environ})
            assert code == 0, f"{command}\n{said}"
        else:
            name, _, value = command.partition("=")
            self.variables.setdefault(name, value)

    async def _expanded(self, command: str) -> str:
        for name in VARIABLE.findall(command):
            if name not in self.variables:
                assert self._ask, name
                command = re.sub(rf"\${name}\b", await self._ask(self, name), command)
        return VARIABLE.sub(lambda match: self.variables[match[1]], command)

    async def curl(self, command: str) -> httpx.Response:
        name, _, rest = command.partition(" ")
        command = f"{self._functions.get(name, name)} {rest}"
        method, url, body = "GET", "", None
        headers: dict[str, str] = {}
        fields: list[tuple[str, str]] = []
        is_query = False
        words = iter(shlex.split(await self._expanded(command))[1:])
        for word in words:
            match word:
                case "-X":
                    method = next(words)
                case "-H":
                    header, _, value = next(words).partition(": ")
                    headers[header] = value
                case "-d" | "--data-urlencode":
                    body = next(words)
                    fields += [(body.partition("=")[0], body.partition("=")[2])] if not body.startswith("{") else []
                case "-o" | "-w":
                    next(words)
                case "-G" | "-sG":
                    is_query = True
                case "-i" | "-s" | "-sS":
                    pass
                case _:
                    url = word
        if is_query:
            sent: dict[str, Any] = {"params": fields} if fields else {}
        else:
            sent = {"data": dict(fields)} if fields else {"content": body}
            method = "POST" if body is not None and method == "GET" else method
        answer = await self.client.request(method, HOST.sub("", url, count=1), headers=headers, **sent)
        self.answers.append(answer)
        return answer


def _run(arguments: list[str], environ: dict[str, str]) -> tuple[int, str]:
    """Exit code and output of a command, in a process of its own, because it has a loop of its own."""
    with TemporaryDirectory() as name:
        output, errors = Path(name, "output"), Path(name, "errors")
        code = Fork(arguments, Path.cwd(), environ, output, errors).wait(PATIENCE)
        return code, output.read_text() + errors.read_text()
