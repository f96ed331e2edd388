"""Another name for the project, in a copy of the tree."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli.scaffold.product import Product, current_product, parse_product
from app.cli.scaffold.renaming import files_of, git, rename_tree
from tests.cli.conftest import Cli, refusal
from tools.check_removal import ROOT, pretend_installed

OLD = current_product(ROOT)
NEW = Product("Zoës Great.Tide-Tables 2", "zoes-great-tide-tables-2")
GIT = {f"GIT_{who}_{what}": "zoe@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


@pytest.fixture
def project(cli: Cli, tmp_path: Path) -> Path:
    result = cli("new", "project", NEW.name, "tides", "--color", "#aa2200", **GIT)
    assert (result.exit_code, result.stdout) == (0, f"{tmp_path}/tides\n"), result.stderr
    return tmp_path / "tides"


def test_a_new_project_has_its_own_name_everywhere_and_works(project: Path) -> None:
    named = [path for path in files_of(project) if mentions(OLD, project / path) or mentions(OLD, Path(path))]
    readme, config = (project / "README.md").read_text(), (project / "app/config.py").read_text()

    assert {path.name for path in named} == {"CHANGELOG.md", "LICENSE"}
    assert readme.startswith(f"# {NEW.name}\n")
    assert '"#aa2200"' in config
    assert (project / f"clients/python/{NEW.snake}_client/client.py").read_text().count(
        f"class {NEW.pascal}Client"
    ) == 1
    holders = [line for line in (project / "LICENSE").read_text().splitlines() if line.startswith("Copyright")]
    assert [OLD.name in holders[0], NEW.name in holders[1], len(holders)] == [True, True, 2]
    assert git(project, "log", "--format=%s").startswith(f"project: start {NEW.name} from {OLD.name} ")
    assert git(project, "status", "--porcelain") == ""
    check(project)


def check(project: Path) -> None:
    """Lint, the exported documents and some tests that read names."""
    pretend_installed(project, NEW.snake)
    bin_ = Path(sys.executable).parent
    app = (sys.executable, "-c", "from app.cli import main; main()")
    run(project, bin_ / "ruff", "format", "--check")
    run(project, bin_ / "ruff", "check")
    run(project, sys.executable, "tools/words.py")
    assert run(project, *app, "openapi", "export") == (project / "docs/openapi.json").read_text()
    assert run(project, *app, "config", "example") == (project / ".env.example").read_text()
    quick = ("tests/test_config_mail.py", "tests/flows/test_product_name.py")
    run(project, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "not postgresql", *quick)


def run(folder: Path, *command: str | Path) -> str:
    environ = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": ""}
    done = subprocess.run(command, cwd=folder, env=environ, check=False, capture_output=True, text=True)  # noqa: S603 - ours
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def mentions(product: Product, path: Path) -> bool:
    """In any case, with or without separators, in the text or the name of a file."""
    is_text = path.is_file() and not path.is_symlink() and path.suffix not in {".png", ".gz", ".woff2"}
    text = path.read_text() if is_text else str(path)
    return product.slug.replace("-", "") in text.lower().replace("-", "").replace("_", "").replace(" ", "")


def test_a_second_name_leaves_nothing_of_the_first(project: Path) -> None:
    last = Product("Acme", "acme-shop")
    rename_tree(project, NEW, last, None)

    assert [str(path) for path in files_of(project) if mentions(NEW, project / path)] == []
    assert (project / "LICENSE").read_text().count("Copyright (c)") == 2
    assert "class AcmeShopClient" in (project / "clients/python/acme_shop_client/client.py").read_text()


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Polar Star", "polar-star"),
        ("  Café   Größe 2 ", "cafe-grosse-2"),
        ("Nord-Süd.Bahn", "nord-sud-bahn"),
        ("日本", "riben"),
        ("B2B", "b2b"),
    ],
)
def test_a_name_gives_a_plain_one_for_packages(name: str, slug: str) -> None:
    assert parse_product(ROOT, name, None) == Product(" ".join(name.split()), slug)


def test_each_form_of_a_name() -> None:
    product = parse_product(ROOT, "McDuck Nord-Süd", None)
    assert (product.snake, product.constant, product.pascal) == ("mcduck_nord_sud", "MCDUCK_NORD_SUD", "McDuckNordSud")
    assert parse_product(ROOT, "Tests", "wharf-9").pascal == "Wharf9"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("app",), "'app' is the name of a package already"),
        (("Tests",), "'tests' is the name of a package already"),
        (("Posts",), "'posts' is the name of a package already"),
        (("Litestar",), "'litestar' is the name of a package already"),
        (("Advanced Alchemy",), "'advanced-alchemy' is the name of a package already"),
        (("JSON",), "'json' is the name of a package already"),
        (("Class",), "'class' is the name of a package already"),
        (("Tides", "--slug", "Tides"), "'Tides' cannot name packages"),
        (("Tides", "--slug", "../tides"), "'../tides' cannot name packages"),
        (("9 Lives",), "a letter first"),
        (("Mary's",), "PRODUCT_NAME may have other signs"),
        (("A/B",), "is not a name"),
        (("",), "is not a name"),
        (("n" * 31,), "30 characters at most"),
        (("Tides", "--color", "red"), "'red' is not a colour"),
    ],
)
def test_a_name_that_cannot_be_is_refused_in_a_line(cli: Cli, arguments: tuple[str, ...], reason: str) -> None:
    for command in (("rename", "--yes"), ("new", "project")):
        assert reason in refusal(cli(*command, *arguments), 2)


def test_what_is_there_is_not_written_over(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "tides").mkdir()
    (tmp_path / "tides/mine").touch()

    assert "exists already" in refusal(cli("new", "project", "Tides"), 5)
    assert "already" in refusal(cli("rename", "--yes", OLD.name), 5)
    assert [path.name for path in (tmp_path / "tides").iterdir()] == ["mine"]
