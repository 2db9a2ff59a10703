"""What the documents say is so: their Python examples run, their links and folders exist."""

import re
from pathlib import Path

import pytest
from helpers import run_python

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted(path for path in ROOT.glob("*.md")) + sorted(ROOT.glob("d*/*.md"))
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
    done = run_python(script, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    accuracy = re.search(r"test accuracy ([\d.]+)", done.stdout)
    if "test accuracy" in code:
        assert float(accuracy[1]) > 0.7
    if printed:  # what the document says it printed, but for what another processor rounds otherwise
        found, wanted = (text.split() for text in (done.stdout, printed))
        assert [word for word in found if "." not in word] == [word for word in wanted if "." not in word]
        numbers = [[float(word) for word in words if "." in word] for words in (found, wanted)]
        assert numbers[0] == pytest.approx(numbers[1], abs=0.1)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    for link in re.findall(r"\]\(([^)]+)\)", path.read_text()):
        if not link.startswith("http"):
            assert (path.parent / link.partition("#")[0]).exists(), link


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_to_a_line_lead_to_what_they_name(path):
    for name, file, line in re.findall(r"\[`(\w+)`\]\(([^)#]+)#L(\d+)\)", path.read_text()):
        text = (path.parent / file).read_text().splitlines()[int(line) - 1]
        assert re.search(rf"^ *(c?p?def\b.*\b{name}\(|class {name}\b|{name} = )", text), (name, text)


def test_architecture_names_the_folders_that_exist():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    for folder in (ROOT / "cynet").iterdir():
        if folder.is_dir() and folder.name != "__pycache__":
            assert f"\n  {folder.name}/" in text


def test_readme_has_the_two_commands():
    text = (ROOT / "README.md").read_text()
    for mark in ("<!-- train -->", "<!-- test -->"):
        assert re.search(rf"^{mark}\n```sh\npython -m pip install .*\n```$", text, re.M)
