"""The loader: where a value may come from, which wins, and how text becomes a value."""

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from app.lib.settings import ByteSize, ConfigurationError, Secret, load, variable_name

READ = Meta(description="Fields with a description are read from the environment.")


class Boat(msgspec.Struct, frozen=True, kw_only=True):
    name: Annotated[str, READ] = "Argo"
    crew: Annotated[int, Meta(ge=1, le=50)] = 50
    length: Annotated[float, Meta(gt=0)] = 21.5
    afloat: Annotated[bool, READ] = True
    insured: Annotated[bool | None, READ] = None
    ports: Annotated[tuple[str, ...], READ] = ()
    draught: Annotated[Annotated[int, Meta(ge=1)] | None, READ] = None
    rig: Annotated[Literal["sloop", "ketch"], READ] = "sloop"
    hold: Annotated[ByteSize, READ] = ByteSize(1000)
    password: Annotated[Secret | None, READ] = None


def boat(env_file: Path | None = None, **environ: str) -> Boat:
    return Boat(**load(Boat, environ, env_file).values)


def refusal(**environ: str) -> str:
    return "\n".join(load(Boat, environ).faults.values())


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_without_anything_the_defaults_hold(tmp_path: Path) -> None:
    values, origins, _ = load(Boat, {}, tmp_path / "there is none")

    assert values == {}
    assert origins == {variable_name(name): "default" for name in Boat.__struct_fields__}


def test_each_source_wins_over_the_next(tmp_path: Path) -> None:
    secret = write(tmp_path, "secret", "from a file")
    other = write(tmp_path, "other", "from another file")
    env_file = write(tmp_path, ".env", f"NAME=from .env\nNAME_FILE={other}\n")
    sources: dict[str, str] = {"NAME": "from the environment", "NAME_FILE": str(secret)}

    def found() -> tuple[str, str]:
        values, origins, _ = load(Boat, sources, env_file)
        return values.get("name", "Argo"), origins["NAME"]

    assert found() == ("from the environment", "environment")
    del sources["NAME"]
    assert found() == ("from a file", f"file {secret}")
    del sources["NAME_FILE"]
    assert found() == ("from .env", str(env_file))
    env_file.write_text(f"NAME_FILE={other}\n")
    assert found() == ("from another file", f"file {other}")
    env_file.write_text("")
    assert found() == ("Argo", "default")


def test_an_empty_value_is_absent(tmp_path: Path) -> None:
    env_file = write(tmp_path, ".env", "NAME=Maria\nCREW=\nRIG\n")

    values, origins, _ = load(Boat, {"NAME": "", "AFLOAT": "", "PORTS": "", "PASSWORD": "", "HOLD_FILE": ""}, env_file)

    assert values == {"name": "Maria"}
    assert {name for name, origin in origins.items() if origin != "default"} == {"NAME"}


def test_a_dotenv_file_may_quote_and_comment(tmp_path: Path) -> None:
    env_file = write(
        tmp_path, ".env", "# a boat\nexport NAME='Santa Maria' # big\nPASSWORD=\"a$HOME${b}#c\"\n\nCREW=40\n"
    )

    found = boat(env_file)

    assert (found.name, found.crew) == ("Santa Maria", 40)
    assert found.password == Secret("a$HOME${b}#c")


def test_a_dotenv_file_that_is_no_text_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes(b"NAME=\xff\xfe")

    with pytest.raises(ConfigurationError) as caught:
        load(Boat, {}, path)
    assert str(caught.value) == f"{path}: cannot be read as UTF-8 text"


@pytest.mark.parametrize(
    ("content", "value"), [("s3\n", "s3"), ("s3\r\n", "s3"), ("s3\n\n", "s3\n"), (" s3 ", " s3 "), ("a\nb\n", "a\nb")]
)
def test_a_secret_file_loses_one_line_end_and_nothing_else(tmp_path: Path, content: str, value: str) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content.encode())

    assert boat(PASSWORD_FILE=str(path)).password == Secret(value)


@pytest.mark.parametrize("content", ["", "\n", "\r\n"])
def test_a_secret_that_was_not_delivered_is_no_default(tmp_path: Path, content: str) -> None:
    path = write(tmp_path, "secret", content)

    assert refusal(PASSWORD_FILE=str(path)) == f"PASSWORD_FILE: {path} is empty (set in the environment)"


def test_a_secret_file_must_be_there_and_hold_text(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")

    line = "PASSWORD_FILE: expected the path of a readable text file (set in the environment)"
    for path in (str(tmp_path / "none"), str(tmp_path), str(tmp_path / "binary"), "a\0b", "the\nsecret\nitself"):
        assert refusal(PASSWORD_FILE=path) == line


@pytest.mark.parametrize(
    ("word", "value"),
    [
        *((word, True) for word in ("true", "True", "TRUE", "1", "yes", "YES", "on", "On")),
        *((word, False) for word in ("false", "False", "FALSE", "0", "no", "No", "off", "OFF")),
    ],
)
def test_a_truth_has_many_words(word: str, value: bool) -> None:
    found = boat(AFLOAT=word, INSURED=word)

    assert found.afloat is value
    assert found.insured is value


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("Piraeus", ("Piraeus",)),
        ("Piraeus,Iolcus", ("Piraeus", "Iolcus")),
        (" Piraeus , Iolcus ,", ("Piraeus", "Iolcus")),
        (",", ()),
    ],
)
def test_a_list_is_separated_by_commas(text: str, ports: tuple[str, ...]) -> None:
    assert boat(PORTS=text).ports == ports


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1),
        ("2000000", 2_000_000),
        ("10B", 10),
        ("1kB", 1000),
        ("2MB", 2_000_000),
        ("2 mb", 2_000_000),
        ("1.5MB", 1_500_000),
        ("2MiB", 2_097_152),
        ("1GiB", 1_073_741_824),
        ("1GB", 1_000_000_000),
    ],
)
def test_a_size_has_a_unit(text: str, size: int) -> None:
    assert boat(HOLD=text).hold == size


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("CREW", "many", "CREW: expected a whole number"),
        ("CREW", "1.5", "CREW: expected a whole number"),
        ("CREW", "0", "CREW: must be >= 1"),
        ("CREW", "51", "CREW: must be <= 50"),
        ("DRAUGHT", "deep", "DRAUGHT: expected a whole number"),
        ("DRAUGHT", "-2", "DRAUGHT: must be >= 1"),
        ("LENGTH", "long", "LENGTH: expected a number"),
        ("LENGTH", "0", "LENGTH: must be > 0.0"),
        ("AFLOAT", "nearly", "AFLOAT: expected true or false"),
        ("INSURED", "nearly", "INSURED: expected true or false"),
        ("RIG", "raft", "RIG: expected one of ketch, sloop"),
        *(
            ("HOLD", text, "HOLD: expected a size such as 2000000 or 2MB")
            for text in ("big", "-1", "0", "0.1B", "1TB", "1e9", "9" * 20)
        ),
    ],
)
def test_a_bad_value_says_what_is_taken(name: str, text: str, line: str) -> None:
    assert refusal(**{name: text}) == line


def test_a_choice_is_taken_in_any_case() -> None:
    assert boat(RIG="KETCH").rig == "ketch"


def test_a_type_that_the_loader_does_not_know_is_an_error() -> None:
    class Odd(msgspec.Struct):
        value: Annotated[complex, READ] = 0j

    assert "VALUE" in load(Odd, {"VALUE": "1+2j"}).faults


@pytest.mark.asvs("13.3.1")
def test_a_secret_shows_itself_only_when_asked() -> None:
    secret = Secret("hunter2")
    shown: list[Any] = [str(secret), repr(secret), f"{secret}", f"{secret!r}", repr([secret]), "%s" % secret]  # noqa: UP031 - one of the ways

    assert not [text for text in shown if "hunter2" in text]
    assert secret.reveal() == "hunter2"
    assert secret == Secret("hunter2")
    assert secret != Secret("hunter3")
    assert secret != "hunter2"
    assert hash(secret) == hash(Secret("hunter2"))
