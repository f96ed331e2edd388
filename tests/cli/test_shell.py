"""``app shell``: a prompt at a terminal, and programs without one."""

from pathlib import Path

from app.lib.db.url import DatabaseURL
from tests.cli.conftest import Cli, text_of
from tests.support.processes import app_command
from tests.support.terminal import Terminal

PROMPT = ">>> "
CREATE = """\
from app.domain.accounts.dtos import ServiceAccountCreate
async with unit() as u:
    await user_service(u).create_service_account(ServiceAccountCreate(name="harbour master"))

await reader.all(prepare(select(tables["users"].c.name), str))
"""


def test_a_prompt_awaits_reads_and_writes(own_url: DatabaseURL, tmp_path: Path) -> None:
    environ = {
        "DATABASE_URL": text_of(own_url),
        "PYTHON_BASIC_REPL": "1",
        "SECRET_KEY": "a-key-for-the-prompt-of-tests",
    }
    with Terminal(app_command("shell"), tmp_path, environ) as shell:
        banner = shell.until(PROMPT)
        assert "account_queries" in banner
        assert max(map(len, banner.splitlines()[1:])) <= 100
        assert all(map(str.strip, banner.splitlines())), "a domain without services has no line"
        for line in CREATE.splitlines(keepends=True):
            shell.write(line)
        assert "['harbour master']" in shell.until("]\n" + PROMPT)
        shell.write("1 / 0\n")
        assert shell.until("ZeroDivisionError").count("File") == 1
        shell.write("settings.secret_key\n")
        shell.until("********\n" + PROMPT)
        shell.write("import asyncio\nprint('waits'); await asyncio.sleep(3600)\n")
        shell.until("\nwaits")
        shell.write("\x03")
        shell.until("KeyboardInterrupt\n" + PROMPT)
        shell.write("exec('print(1 + 41)\\nwhile True: pass')\n")
        shell.until("\n42")
        shell.write("\x03")
        shell.until("KeyboardInterrupt\n" + PROMPT)
        shell.write("raise SystemExit(3)\n")
        assert shell.end() == 3
    assert "a-key-for-the-prompt-of-tests" not in shell.shown


def test_a_program_runs_without_a_terminal(at: Cli) -> None:
    program = "print(settings.port, (await account_queries.list_users(page(), None, {})).total, unit is not None)"
    piped = at("shell", stdin=f"{program}\n")

    assert (piped.exit_code, piped.stdout) == (0, "8000 0 True\n")
    assert at("shell", "-c", program).stdout == piped.stdout
    failed = at("shell", "-c", "print(1)\nawait reader.all()")
    assert (failed.exit_code, failed.stdout) == (1, "1\n")
    assert 'File "<shell>", line 2' in failed.stderr
