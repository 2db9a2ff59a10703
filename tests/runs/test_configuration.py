"""Files of settings: read within bounds, every value of its type and in its range, whatever the file."""

import os
import tomllib
from dataclasses import fields

import pytest
from damages import COUNT, bounded, damaged_bytes, damaged_values
from hypothesis import given, settings

from cynet import cli
from cynet.runs import configuration
from cynet.runs.ranges import RANGES, checked
from cynet.train import Settings

WHOLE = Settings(
    init_from="x.safetensors", data_dir="é/ü", lr_steps={3: 0.1, 5: 0.01}, clip_norm=1.0, patience=3,
    threads=2, workers=1, checkpoint_every=7, steps=20, lr=0.5, schedule="steps",
)  # fmt: skip
ORIGINS = dict.fromkeys(RANGES, "flag")


def written(path, values, origins=ORIGINS):
    configuration.write(path, {"cynet": "0.1.0"} | values, origins)
    return path


def test_every_setting_has_a_range_that_takes_what_it_is_by_default():
    assert list(RANGES) == [field.name for field in fields(Settings)]
    for name, value in WHOLE.flat().items():
        if value is not None:
            assert checked(name, value) == getattr(WHOLE, name)


def test_what_is_written_comes_back_typed(tmp_path):
    found = configuration.read(written(tmp_path / "config.toml", WHOLE.flat()))
    assert Settings(**found.values) == WHOLE and found.version == "0.1.0"
    assert found.origins.keys() == found.plain.keys() and not found.unknown
    assert found.told == {"cynet": "0.1.0"} | found.plain | {"origin": found.origins}


@pytest.mark.parametrize(("text", "words"), [
    ("a = " + "[" * 100_000, "at most 16 brackets within each other, got more at line 1"),
    ("a = " + "{a = " * 40_000, "at most 16 brackets within each other"),
    ("# note\n" + "a." * 20_000 + "a = 1", "at most 1,000 dots and brackets, got more at line 2"),
    ("[" + "a." * 20_000 + "a]", "at most 1,000 dots and brackets"),
    ("[[a]]\n" * 20_000, "at most 1,000 dots and brackets"),
    ("steps = " + "9" * 200_000, "wanted numbers of at most 4,300 digits, got more"),
    ("steps = 0x" + "f" * 200_000, "steps: wanted a number, got a whole number of 800,000 bits"),
    ("steps = " + "9" * 4_000, "steps: wanted a number, got a whole number of "),
    ("x = 0x" + "f" * 200_000, None),
    ("lr = 1" + "0" * 18, None),
    ("lr = 1e999", "lr: wanted a number of at least 0, got 'inf'"),
    ("lr = 1979-05-27", "lr: wanted a number, got datetime.date(1979, 5, 27)"),
    ("data_dir = 5", "data_dir: wanted text in quotes, got 5"),
    ('data_dir = "a\\u0000b"', "data_dir: wanted a name without NUL, got 'a\\x00b'"),
    (f'data = "{"x" * 5000}"', "data: wanted a name of at most 4,096 letters, got 'xxx"),
    (f'lr_steps = "{"1:.1," * 40_000}"', "lr_steps: wanted at most 100,000 letters, got 200,000"),
    (f'schedule = "{"x" * 100_000}"', "schedule: wanted one of constant, steps, "),
    (f"{'x' * 200_000} = 1", None),
    ("origin = 3", "origin: wanted a table of texts, got 3"),
    ("[origin]\nlr = 3", "origin.lr: wanted text in quotes, of at most 8,192 letters, got 3"),
    ("cynet = 3", "cynet: wanted text in quotes"),
    ('"' * 200_000, ""), ("'" * 200_001, ""), ('x = """\\' + '"""\\' * 60_000, ""), ("\x00", "Invalid"),
    ('"' + "x" * 90_000 + '" = {}\n["' + "x" * 90_000 + '"]', "Cannot declare"),
    ("#" + " " * 300_000, "wanted a file of at most 262,144 bytes, got 300,001"),
])  # fmt: skip
def test_no_text_takes_long_or_comes_out_untyped(tmp_path, text, words):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with bounded():
        if words is None:
            configuration.read(path)
            return
        with pytest.raises(ValueError) as caught:
            configuration.read(path)
    assert str(caught.value).startswith(f"{path}: ") and words in str(caught.value)
    assert len(str(caught.value)) < 1_000


def test_dots_and_brackets_in_texts_and_comments_count_for_nothing(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(f"# {'[.' * 9000}\ndata_dir = '{'./' * 1500}'\ninit_from = \"{'[' * 3000}\"\n")
    assert configuration.read(path).plain["data_dir"] == "./" * 1500


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_other_encodings_are_read_or_named(tmp_path, encoding):
    path = tmp_path / "mine.toml"
    path.write_text("momentum = 0.5\n", encoding=encoding)
    if encoding == "utf-8-sig":
        assert configuration.read(path).values == {"momentum": 0.5}
    else:
        with pytest.raises(ValueError, match="wanted a text in UTF-8: "):
            configuration.read(path)


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "huge"])
def test_what_is_no_file_of_settings_is_refused_and_never_waited_for(tmp_path, capsys, kind):
    path = tmp_path / "mine.toml"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        with path.open("wb") as file:
            file.truncate(100 * 2**30)
    with bounded(), pytest.raises((OSError, ValueError), match=r"mine\.toml: wanted a (regular )?file"):
        configuration.read(path)
    with bounded():
        assert cli.main(["train", "--config", str(path)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and str(path) in err


def test_control_characters_of_a_file_do_not_reach_the_terminal(tmp_path, capsys):
    path = tmp_path / "mine.toml"
    path.write_text('"\\u001b[2J" = 1')
    assert cli.main(["train", "--config", str(path)]) == 2
    assert "unknown key: \\x1b[2J (" in capsys.readouterr().err


def read_again(path):
    """Read a file: a sound answer or a sentence that names it, within bounds, and the file as it was."""
    before = path.read_bytes()
    with bounded():
        try:
            found = configuration.read(path)
        except ValueError as error:
            assert str(error).startswith(f"{path}: ") and str(error).isprintable()
        else:
            Settings(**found.values)
            assert all(isinstance(text, str) for text in found.origins.values())
            assert Settings.unflat(found.plain) == Settings(**found.values)
    assert path.read_bytes() == before


@settings(max_examples=COUNT)
@given(values=damaged_values({n: v for n, v in WHOLE.flat().items() if v is not None} | {"origin": ORIGINS}))
def test_drawn_values_in_every_place_are_typed_or_refused(tmp_path_factory, values):
    path = tmp_path_factory.getbasetemp() / "drawn.toml"
    path.write_bytes(as_toml(values).encode(errors="surrogatepass"))
    read_again(path)


@settings(max_examples=COUNT)
@given(
    data=damaged_bytes(f"{configuration.toml(WHOLE.flat())}[origin]\n{configuration.toml(ORIGINS)}".encode())
)
def test_drawn_bytes_are_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "drawn.toml"
    path.write_bytes(data)
    read_again(path)


def as_toml(values):
    """Anything as TOML, nested values in line; what is None is left out."""
    if not isinstance(values, dict):
        return f"x = {inline(values)}\n"
    known = {name: value for name, value in values.items() if value is not None}
    return "".join(f"{inline(name)} = {inline(value)}\n" for name, value in known.items())


def inline(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{inline(k)} = {inline(v)}" for k, v in value.items() if v is not None) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(inline(each) for each in value if each is not None) + "]"
    return configuration.toml({"x": value})[4:-1]


def test_what_the_tests_write_is_toml():
    nested = {"a b": [1, [True]], "c": {"d": "\x7f", "e": 0.5}}
    assert tomllib.loads(as_toml(nested)) == nested


def test_a_version_of_too_many_digits_is_refused_by_its_kind(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(f"cynet = 0x{'f' * 5000}\n")
    with pytest.raises(ValueError) as caught:
        configuration.read(path)
    wanted = "wanted text in quotes, of at most 8,192 letters, got"
    assert str(caught.value) == f"{path}: cynet: {wanted} a int"
    for value, words in (
        ("'" + "x" * 8193 + "'", f"cynet: {wanted} '{'x' * 79}"),
        ("3", f"cynet: {wanted} 3"),
    ):
        path.write_text(f"cynet = {value}\n")
        with pytest.raises(ValueError) as caught:
            configuration.read(path)
        assert str(caught.value) == f"{path}: {words}"
    path.write_text(f"cynet = '{'x' * 8192}'\n[origin]\nlr = 'flag'\nmine = 3\n")
    found = configuration.read(path)
    assert (len(found.version), found.origins) == (8192, {"lr": "flag"})


def test_only_what_cannot_be_read_is_set_aside(tmp_path):
    path = tmp_path / "config.toml"
    assert configuration.set_aside(path) is None and not list(tmp_path.iterdir())
    written(path, {"cynet": "1"} | Settings(steps=3, lr=0.1, schedule="constant").flat())
    before = path.read_bytes()
    assert configuration.set_aside(path) is None and path.read_bytes() == before
    path.write_bytes(before[:40])
    said = configuration.set_aside(path)
    assert said.startswith(f"{path}: ") and said.endswith("; kept as config.damaged.toml")
    assert (tmp_path / "config.damaged.toml").read_bytes() == path.read_bytes() == before[:40]
