"""Another name for the project, in a copy of the tree, and how that takes later versions of the original."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.cli import main
from app.cli.scaffold.product import Product, current_product, parse_product
from app.cli.scaffold.renaming import GUIDE, KIT, KIT_CHANGES, copy_tree, files_of, git, rename_tree
from tests.cli.conftest import Cli, refusal
from tools.check_removal import ROOT, pretend_installed

OLD = current_product(ROOT)
NEW = Product("Zoës Great.Tide-Tables 2", "zoes-great-tide-tables-2")
GIT = {f"GIT_{who}_{what}": "zoe@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


COMMAND = f"uv run app rename '{NEW.name}' --slug {NEW.slug} --color '#aa2200' --yes"
KEEP_THE_OLD = {KIT_CHANGES, *(f"{folder}LICENSE" for folder in ("", "clients/python/", "clients/typescript/"))}
"""The kit's changelog as it is, and the first holder of the copyright."""
STEPS = re.compile(r"Then each later version .+?^```sh\n(.+?)^```", re.MULTILINE | re.DOTALL)
needs_uv = pytest.mark.skipif(shutil.which("uv") is None, reason="uv is not installed")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tests change it, one after the other, and commit what they have changed."""
    target = tmp_path_factory.mktemp("projects") / "tides"
    arguments = ["new", "project", NEW.name, str(target), "--color", "#aa2200"]
    result = CliRunner().invoke(main, arguments, env=GIT, prog_name="app")
    assert (result.exit_code, result.stdout) == (0, f"{target}\n"), result.output
    return target


def test_a_new_project_has_its_own_name_everywhere_and_works(project: Path) -> None:
    readme, config = (project / "README.md").read_text(), (project / "app/config.py").read_text()

    assert mentioning(OLD, project) == KEEP_THE_OLD
    assert readme.startswith(f"# {NEW.name}\n")
    assert '"#aa2200"' in config
    assert (project / f"clients/python/{NEW.snake}_client/client.py").read_text().count(
        f"class {NEW.pascal}Client"
    ) == 1
    holders = [line for line in (project / "LICENSE").read_text().splitlines() if line.startswith("Copyright")]
    assert [OLD.name in holders[0], NEW.name in holders[1], len(holders)] == [True, True, 2]
    check(project)


def test_a_new_project_has_a_changelog_and_a_history_of_its_own(project: Path) -> None:
    changes = (project / "CHANGELOG.md").read_text()

    assert changes.partition("## [Unreleased]")[2] == f"\n\n### Added\n- Everything that `{KIT_CHANGES}` has.\n"
    assert (project / KIT_CHANGES).read_bytes() == (ROOT / "CHANGELOG.md").read_bytes()
    assert git(project, "log", "--format=%s").startswith(f"project: start {NEW.name} from {OLD.name} ")
    assert git(project, "rev-parse", KIT) == git(project, "rev-parse", "main")
    assert git(project, "remote").split() == ["upstream"]
    assert git(project, "status", "--porcelain") == ""


@needs_uv
def test_a_later_version_is_taken_by_the_steps_of_the_guide(project: Path, tmp_path: Path) -> None:
    """With uv itself, in an environment of the project's own. Both names own `app`, which is there at the end."""
    git(project, "remote", "set-url", "upstream", str(write_later_version(tmp_path / "kit")))
    change(project / "README.md", "A backend service", "A service of tides")
    git(project, "commit", "--all", "--message", "readme: say what it is for", **GIT)
    [steps] = STEPS.findall((project / GUIDE).read_text())
    assert COMMAND in steps.splitlines()
    environment, compiled = project / ".venv", sysconfig.get_path("purelib")
    uv = {
        **GIT,
        "UV_NO_DEV": "1",
        "UV_PROJECT_ENVIRONMENT": str(environment),
        "VIRTUAL_ENV": "",
        "PYTHONPATH": compiled,
    }

    run(project, "uv", "sync", **uv)
    run(
        project,
        "sh",
        "-euc",
        steps.replace("uv run just test", "ruff check && ruff format --check"),
        **uv,
    )

    readme = (project / "README.md").read_text()
    assert [f"First calls of {NEW.name}" in readme, "A service of tides" in readme] == [True, True]
    assert mentioning(OLD, project) == KEEP_THE_OLD
    assert COMMAND in (project / GUIDE).read_text().splitlines()
    assert '"#aa2200"' in (project / "app/config.py").read_text()
    assert "[0.2.0]" in (project / KIT_CHANGES).read_text()
    assert "[0.2.0]" not in (project / "CHANGELOG.md").read_text()
    assert git(project, "status", "--porcelain") == " M docs/openapi.json\n"  # it has the version
    assert git(project, "tag") == ""
    run(project, "uv", "sync", **uv)
    assert run(project, environment / "bin/app", "--version", PYTHONPATH="") == "0.2.0\n"


def write_later_version(folder: Path) -> Path:
    """A repository of the original with a tag v0.2.0."""
    copy_tree(ROOT, folder)
    change(folder / "README.md", "## First calls", f"## First calls of {OLD.name}")
    change(folder / "CHANGELOG.md", "## [Unreleased]", "## [Unreleased]\n\n## [0.2.0] - 2027-01-15")
    change(folder / "pyproject.toml", 'version = "0.1.0"', 'version = "0.2.0"')
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "release: 0.2.0", **GIT)
    git(folder, "tag", "--annotate", "v0.2.0", "--message", "v0.2.0", **GIT)
    return folder


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def check(project: Path) -> None:
    """Lint, the exported documents and some tests that read names."""
    pretend_installed(project.parent, NEW.snake)
    bin_ = Path(sys.executable).parent
    app = (sys.executable, "-c", "from app.cli import main; main()")
    run(project, bin_ / "ruff", "format", "--check")
    run(project, bin_ / "ruff", "check")
    run(project, sys.executable, "tools/words.py")
    assert run(project, *app, "openapi", "export") == (project / "docs/openapi.json").read_text()
    assert run(project, *app, "config", "example") == (project / ".env.example").read_text()
    quick = ("tests/test_config_mail.py", "tests/flows/test_product_name.py", "tests/architecture/test_changelog.py")
    run(project, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "not postgresql", *quick)


def run(folder: Path, *command: str | Path, **environ: str) -> str:
    path = f"{folder}:{folder.parent}"
    environ = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "", **environ}
    done = subprocess.run(command, cwd=folder, env=environ, check=False, capture_output=True, text=True)  # noqa: S603 - ours
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def mentioning(product: Product, project: Path) -> set[str]:
    """Files that have its name, in their text or their own name."""
    files = files_of(project)
    return {str(path) for path in files if mentions(product, project / path) or mentions(product, Path(path))}


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

    assert "exists already" in refusal(cli("new", "project", "Tides", "tides"), 5)
    assert [path.name for path in (tmp_path / "tides").iterdir()] == ["mine"]


def test_a_new_project_is_not_written_into_the_checkout(cli: Cli) -> None:
    for folder in (ROOT, ROOT / "build/tides", ROOT / "app/../build"):
        assert "is inside this checkout" in refusal(cli("new", "project", "Tides", str(folder)), 2)


@pytest.mark.parametrize("name", [OLD.name, OLD.name.upper(), f" {OLD.slug} "])
def test_the_name_that_it_has_changes_nothing(cli: Cli, name: str) -> None:
    for command in (("rename", "--yes"), ("new", "project")):
        assert f"It is called {OLD.name} already" in refusal(cli(*command, name), 5)
