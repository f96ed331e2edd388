import json
from pathlib import Path

from tests.cli.conftest import Cli

ROOT = Path(__file__).parents[2]


def test_routes_are_listed_with_policy_and_limits(cli: Cli, tmp_path: Path) -> None:
    rows = json.loads(cli("routes", "--json").stdout)

    found = {(row["method"], row["path"]): row for row in rows}
    assert list(found) == sorted(found, key=lambda key: (key[1], key[0]))
    assert found["POST", "/api/v1/auth/login"] == {
        "method": "POST",
        "path": "/api/v1/auth/login",
        "operation": "login",
        "policy": "public",
        "limits": ["auth"],
    }
    assert found["GET", "/api/v1/users"]["policy"] == "users:read"
    assert found["GET", "/api/v1/users"]["limits"] == []
    assert found["GET", "/health"]["operation"] == "getHealth"
    assert not any(method == "OPTIONS" for method, _ in found)
    assert list(tmp_path.iterdir()) == []  # no secret is kept, no database is made, for a list

    header, *lines = cli("routes").stdout.splitlines()

    assert header.split() == ["METHOD", "PATH", "OPERATION", "POLICY", "LIMITS"]
    assert [line.split()[:2] for line in lines] == [[row["method"], row["path"]] for row in rows]


def test_the_document_is_the_committed_one_and_sorted(cli: Cli, tmp_path: Path) -> None:
    """With any settings."""
    text = cli("openapi", "export", PORT="9000", DOCS="off", PUBLIC_URL="https://api.example.com").stdout

    assert text == (ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"), "run: just openapi"
    assert text.endswith("}\n")
    document = json.loads(text)
    assert document["openapi"].startswith("3.1")
    assert list(document) == sorted(document)
    assert list(document["paths"]) == sorted(document["paths"])
    assert list(tmp_path.iterdir()) == []


def test_the_document_goes_to_a_file(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "openapi.json"

    assert cli("openapi", "export", "--output", str(path)).exit_code == 0
    assert json.loads(path.read_text())["openapi"].startswith("3.1")
