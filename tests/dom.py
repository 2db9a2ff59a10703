"""A page as a browser shows it, or as it was written, as a tree that tests can ask."""

import html
import json
import re
import shutil
import subprocess
import tempfile
from html.parser import HTMLParser

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
VOID = ("area", "base", "br", "col", "hr", "img", "input", "link", "meta")


class Node:
    """An element; `children` are elements and texts."""

    def __init__(self, tag, attributes=()):
        self.tag, self.attributes, self.children = tag, dict(attributes), []

    def __getitem__(self, name):
        return self.attributes[name]

    @property
    def text(self):
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    def walk(self):
        for child in self.children:
            if isinstance(child, Node):
                yield child
                yield from child.walk()

    def all(self, tag, **attributes):
        """The elements within, by tag and attributes; a class is one of its words."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [node for node in self.walk() if node.tag == tag and node._has(wanted)]

    def _has(self, wanted):
        words = self.attributes.get("class", "").split()
        return all(
            value in words if name == "class" else self.attributes.get(name) == value
            for name, value in wanted.items()
        )

    def one(self, tag, **attributes):
        (found,) = self.all(tag, **attributes)
        return found

    def rows(self):
        """The texts of a table's cells, row by row, its heading first."""
        return [[cell.text.strip() for cell in row.children] for row in self.all("tr")]


class _Tree(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.root = Node("")
        self.open = [self.root]

    def handle_starttag(self, tag, attributes):
        self.open[-1].children.append(node := Node(tag, attributes))
        if tag not in VOID:
            self.open.append(node)

    def handle_startendtag(self, tag, attributes):
        self.open[-1].children.append(Node(tag, attributes))

    def handle_endtag(self, tag):
        if tag in [node.tag for node in self.open]:
            while self.open.pop().tag != tag:
                pass

    def handle_data(self, text):
        self.open[-1].children.append(text)


def parsed(text):
    """The tree of a page's text."""
    tree = _Tree()
    tree.feed(text)
    tree.close()
    return tree.root


def browsed(path, *flags):
    """(a page's text after its scripts ran in Chromium, what the console said)."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        done = subprocess.run(
            [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=4000",
             "--disable-background-networking", f"--user-data-dir={profile}", "--enable-logging=stderr",
             "--dump-dom", *flags, path.as_uri()],
            capture_output=True, text=True, timeout=100,
        )  # fmt: skip
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def asked(path, script, *flags):
    """(what an expression gives in a page once it is built, the page's tree); its console must be silent.

    The page is built by a line `build();`. Where the expression is a promise, what it comes to.
    """
    text = path.read_text(encoding="utf-8")
    assert text.count("\nbuild();\n") == 1
    told = f"\nbuild();\n(async () => {{ document.title = JSON.stringify(await ({script})); }})();\n"
    path.write_text(text.replace("\nbuild();\n", told), encoding="utf-8")
    dom, console = browsed(path, *flags)
    assert console == []
    return json.loads(html.unescape(re.search(r"<title>(.*?)</title>", dom, re.DOTALL)[1])), parsed(dom)
