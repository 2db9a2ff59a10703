"""What the documents say is so: examples run, links, files and names lead somewhere, sizes are right."""

import importlib
import re
import runpy
import shlex
from pathlib import Path
from xml.etree import ElementTree

import pytest
from helpers import run_python

from cynet.cli.parser import Parser
from cynet.runs.net_code import SOURCE

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted(path for path in ROOT.glob("*.md")) + sorted(ROOT.glob("d*/*.md"))
IDS = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
OF_THE_HOUSE = [ROOT / name for name in ("ARCHITECTURE.md", "CONTRIBUTING.md", "README.md")]
FENCED = re.compile(r"^```.*?^```$", re.M | re.S)
CODE = re.compile(r"`([^`\n]+)`")
FILE = re.compile(r"[\w./*-]+\.(?:py|pyx|pxd|h|js|css|svg|md)\b(?!\()")
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\nIt printed here:\n\n```text\n(.*?)^```)?", re.M | re.S)
EXAMPLES = [
    pytest.param(code, printed, id=f"{path.name}-{number}")
    for path in DOCUMENTS
    for number, (code, printed) in enumerate(BLOCK.findall(path.read_text()))
]


@pytest.mark.parametrize(("code", "printed"), EXAMPLES)
def test_an_example_runs(code, printed, tmp_path):
    script = tmp_path / "example.py"
    script.write_text(code)
    done = run_python(script, cwd=tmp_path, OMP_NUM_THREADS="1")  # steps are short, and threads not the point
    assert done.returncode == 0, done.stderr
    accuracy = re.search(r"test accuracy ([\d.]+)", done.stdout)
    if "test accuracy" in code:
        assert float(accuracy[1]) > 0.7
    if printed:  # what the document says it printed, but for what another processor rounds otherwise
        found, wanted = (text.split() for text in (done.stdout, printed))
        assert [word for word in found if "." not in word] == [word for word in wanted if "." not in word]
        numbers = [[float(word) for word in words if "." in word] for words in (found, wanted)]
        assert numbers[0] == pytest.approx(numbers[1], abs=0.1)


@pytest.mark.parametrize("path", DOCUMENTS, ids=IDS)
def test_links_lead_somewhere(path):
    for link in re.findall(r"\]\(([^)]+)\)", path.read_text()):
        if not link.startswith("http"):
            assert (path.parent / link.partition("#")[0]).exists(), link


@pytest.mark.parametrize("path", DOCUMENTS, ids=IDS)
def test_links_to_a_line_lead_to_what_they_name(path):
    for name, file, line in re.findall(r"\[`(\w+)`\]\(([^)#]+)#L(\d+)\)", path.read_text()):
        text = (path.parent / file).read_text().splitlines()[int(line) - 1]
        assert re.search(rf"^ *(c?p?def\b.*\b{name}\(|class {name}\b|{name} = )", text), (name, text)


def commands(path):
    """[name, word, ...] of each command in a document's shell blocks."""
    for block in re.findall(r"^```sh\n(.*?)^```", path.read_text(), re.M | re.S):
        for line in block.splitlines():
            for part in re.split(r"&&|\|\|", line):
                words = shlex.split(part, comments=True)
                if words[:1] == ["cynet"]:
                    yield words[1:]
                elif words[:1] == ["python"] and words[1].startswith("tools/"):
                    yield [Path(words[1]).stem, *words[2:]]


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if any(commands(path))], ids=lambda p: p.name)
def test_the_commands_of_a_document_are_understood(path):
    for name, *words in commands(path):
        if name in ("size", "wheel"):  # they look at the sources, and are no commands
            assert words[:1] == {"size": [], "wheel": ["--output"]}[name]
            continue
        module = importlib.import_module(f"cynet.cli.{name.replace('-', '_')}")
        parser = Parser(name, "")
        module.add_flags(parser)
        parser.parse_args([word for word in words if word != "..."])


def spans(path):
    """What stands between backticks in a line of text."""
    return CODE.findall(FENCED.sub("", path.read_text()))


def is_there(word, near):
    """Whether a word is a file or folder: from the root, the package or the document; a bare name, of any."""
    word = word.removesuffix("/")
    places = (ROOT, ROOT / "cynet", near) if "/" in word else (ROOT, near)
    if any(any(place.glob(word)) for place in places):
        return True
    return "/" not in word and any(any((ROOT / room).rglob(word)) for room in ("cynet", "tests", "tools"))


@pytest.mark.parametrize("path", DOCUMENTS, ids=IDS)
def test_the_files_that_a_document_names_exist(path):
    words = {word for word in FILE.findall(path.read_text()) if "NAME" not in word and word[0] != "."}
    words = {word for word in words if Path(word).name not in (SOURCE, "FILE.py")}  # of a run; of a user
    assert [word for word in sorted(words) if not is_there(word.removeprefix("../"), path.parent)] == []


@pytest.mark.parametrize("path", OF_THE_HOUSE, ids=lambda p: p.name)
def test_the_folders_that_a_document_names_exist(path):
    words = {
        word for span in spans(path) for word in re.findall(r"(?<![\w./-])[a-z][\w./*-]*/[\w./*-]*", span)
    }
    words = {word for word in words if "NAME" not in word and not word.startswith(("build/", "venv/"))}
    assert words or path.name == "README.md"
    assert [word for word in sorted(words) if not is_there(word, path.parent)] == []


def test_what_architecture_says_is_in_a_file_is_there():
    found = re.findall(r"`([\w/]+\.\w+)`:\s`(\w+)`", (ROOT / "ARCHITECTURE.md").read_text())
    assert len(found) > 5
    for file, name in found:
        path = next(place / file for place in (ROOT, ROOT / "cynet") if (place / file).exists())
        assert re.search(rf"\b{name}\b", path.read_text()), (file, name)


@pytest.mark.parametrize("path", DOCUMENTS, ids=IDS)
def test_the_names_that_a_document_tells_of_exist(path):
    for name in {name for span in spans(path) for name in re.findall(r"\bcynet(?:\.[a-z_]\w*)+(?!\w)", span)}:
        parts = name.split(".")
        for count in range(len(parts), 0, -1):
            try:
                found = importlib.import_module(".".join(parts[:count]))
                break
            except ModuleNotFoundError:
                continue
        for part in parts[count:]:
            assert hasattr(found, part), name
            found = getattr(found, part)


def folders():
    """The folders of the package that hold something, from it, as in `nn/layers`."""
    found = (path for path in (ROOT / "cynet").rglob("*") if path.is_dir() and path.name != "__pycache__")
    return {
        path.relative_to(ROOT / "cynet").as_posix()
        for path in found
        if any(one.is_file() for one in path.iterdir())
    }


def test_architecture_names_the_folders_that_exist():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    rooms = {folder for folder in folders() if "/" not in folder}
    assert set(re.findall(r"^  (\w+)/ ", text, re.M)) == rooms
    floors = runpy.run_path(str(ROOT / "tests/test_floors.py"))["FLOOR_OF"]
    told = {room: int(floor) for room, floor in re.findall(r"^  (\w+)/ +F(\d)  ", text, re.M)}
    assert told == {room: floors[room] for room in rooms - {"recipes"}}


def test_the_picture_of_the_house_has_all_rooms_and_no_others():
    text = (ROOT / "docs/house.svg").read_text()
    assert re.findall(r"(?:href|src|url)\W[^\s\")]*", text) == ["url(#tip"] * 3 + ["url(#head"]
    drawn = [
        each.text for each in ElementTree.fromstring(text).iter() if "room" in each.get("class", "").split()
    ]
    assert sorted(drawn) == sorted(folder.rpartition("/")[2] for folder in folders())


def test_the_sizes_that_architecture_tells_are_about_right():
    size = runpy.run_path(str(ROOT / "tools/size.py"))
    text = (ROOT / "ARCHITECTURE.md").read_text().partition("## The trunk")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([a-z, ]+) \| *([\d,]*) *\| *([\d,]*) *\| *([\d,]*) *\|$", text, re.M)
    told = {room for rooms, *_ in rows for room in rooms.split(", ")}
    assert told == {folder for folder in folders() if "/" not in folder} - {"recipes"}
    for rooms, *numbers in rows:
        found = [0, 0, 0]
        for path in size["sources"](*(f"cynet/{room}" for room in rooms.split(", "))):
            lines = size["lines"](path)
            found[path.suffix in size["COMPILED"]] += lines
            found[2] += lines * size["in_trunk"](path)
        for number, lines in zip(numbers, found, strict=True):
            assert abs(int(number.replace(",", "") or 0) - lines) <= max(150, lines // 5), (rooms, found)


def test_each_word_of_the_project_is_told_once_and_used():
    text = (ROOT / "CONTRIBUTING.md").read_text().partition("## The project's words")[2]
    words = re.findall(r"^\| ([a-z]+) \| [^|]+ \|$", text, re.M)[1:]  # after the heading
    assert len(words) > 50 and words == sorted(set(words))
    paths = [path for path in (ROOT / "cynet").rglob("*") if path.suffix in (".py", ".pyx", ".pxd")]
    code = "\n".join(path.read_text() for path in [*paths, ROOT / "tools/size.py", *ROOT.glob("tests/*.py")])
    used = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+", code)}
    assert [word for word in words if word not in used] == []


def test_readme_has_the_two_commands():
    text = (ROOT / "README.md").read_text()
    for mark in ("<!-- train -->", "<!-- test -->"):
        assert re.search(rf"^{mark}\n```sh\npython -m pip install .*\n```$", text, re.M)
