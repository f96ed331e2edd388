"""The service behind nginx and Caddy, for `just test-deploy`, which installs them."""

import getpass
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.certificates import self_signed
from tests.support.processes import Server, app_command, free_port

DEPLOY = Path(__file__).parents[2] / "deploy"
ADDRESS = "https://127.0.0.1"
"""Of the proxies, without the port."""
KINDS = ("nginx", "caddy")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file with the certificate of the proxies; its key is next to it."""
    return self_signed(tmp_path_factory.mktemp("tls"))[1]


StartService = Callable[..., Server]


@pytest.fixture
def start_service(tmp_path: Path) -> Iterator[StartService]:
    """Starts services that trust a proxy on this machine and have one database."""
    database = f"sqlite+aiosqlite:///{tmp_path}/service.db"
    fixed = {"ENVIRONMENT": "test", "DATABASE_URL": database, "TRUSTED_PROXIES": "127.0.0.1", "LOG_FORMAT": "json"}
    with ExitStack() as stack:

        def start(name: str, public_url: str, port: int | None = None) -> Server:
            folder = tmp_path / name
            folder.mkdir(exist_ok=True)
            environ = {**fixed, "PUBLIC_URL": public_url, "SECRET_KEY": "k" * 16 + "0123456789abcdef" * 2}
            environ["PORT"] = str(port or free_port())
            command = [sys.executable, *app_command("serve")]  # a fresh one, which has a supervisor
            server = stack.enter_context(Server(command, folder, int(environ["PORT"]), environ))
            server.until_it_answers("/health/ready")
            return server

        yield start


StartProxy = Callable[..., Server]


@pytest.fixture
def start_proxy(tmp_path: Path, certificate: Path) -> Iterator[StartProxy]:
    """Checks the configuration of `deploy/`, with the words of a place replaced, and starts the proxy with it."""
    with ExitStack() as stack:

        def start(kind: str, port: int, upstreams: list[int], changes: Mapping[str, str] | None = None) -> Server:
            folder = tmp_path / f"{kind}-{port}"
            folder.mkdir()
            first, second = upstreams
            moved = {"127.0.0.1:8001": f"127.0.0.1:{first}", "127.0.0.1:8002": f"127.0.0.1:{second}", **(changes or {})}
            write = nginx_files if kind == "nginx" else caddy_files
            check, run = write(folder, port, certificate, moved)
            environ = {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
            with Server(check, folder, port, environ) as checked:
                assert checked.process.wait(60) == 0, checked.output + checked.errors
            return stack.enter_context(Server(run, folder, port, environ))

        yield start


def replaced(text: str, changes: Mapping[str, str]) -> str:
    """The text with each of these replaced, which has to be in it."""
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def program(name: str) -> str:
    """Debian has nginx where only root looks."""
    return shutil.which(name) or f"/usr/sbin/{name}"


def nginx_files(folder: Path, port: int, certificate: Path, moved: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The command that checks, and the one that runs."""
    changes = {
        **moved,
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "listen 80;": f"listen 127.0.0.1:{free_port()};",
        "    listen [::]:443 ssl http2;\n": "",
        "    listen [::]:80;\n": "",
        "/etc/ssl/lodestar/fullchain.pem": str(certificate),
        "/etc/ssl/lodestar/privkey.pem": str(certificate.with_suffix(".key")),
        "/var/log/nginx/": f"{folder}/",
    }
    (folder / "site.conf").write_text(replaced((DEPLOY / "nginx.conf").read_text(), changes))
    main = folder / "nginx.conf"
    kept = "".join(
        f"{each}_temp_path {folder}/{each};" for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main.write_text(
        f"user {getpass.getuser()}; daemon off; worker_processes 1; pid {folder}/pid; error_log stderr;"
        f"events {{}} http {{ {kept} include {folder}/site.conf; }}"
    )
    command = [program("nginx"), "-e", "stderr", "-c", str(main)]
    return [*command, "-t"], command


def caddy_files(folder: Path, port: int, certificate: Path, moved: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The command that checks, and the one that runs."""
    files = f"tls {certificate} {certificate.with_suffix('.key')}"
    changes = {
        **moved,
        "example.com {": f"{ADDRESS}:{port} {{\n{files}",
        "{\n\tservers {": "{\nadmin off\nauto_https disable_redirects\n\tservers {",
        "/var/log/caddy/": f"{folder}/",
    }
    config = folder / "Caddyfile"
    config.write_text(replaced((DEPLOY / "Caddyfile").read_text(), changes))
    options = ["--adapter", "caddyfile", "--config", str(config)]
    return [program("caddy"), "validate", *options], [program("caddy"), "run", *options]
