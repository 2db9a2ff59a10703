"""The page: a template, its style and scripts, with the document in it as JSON. It asks for nothing else."""

import html
import json
from importlib import resources

from cynet.core.names import SPELLED

SCRIPTS = ("base.js", "lines.js", "compare.js", "classes.js", "columns.js", "texts.js", "model.js", "page.js")


def render(document):
    """The page of a document.

    Parameters
    ----------
    document : dict
        As `gather` makes it.

    Returns
    -------
    str
        HTML that needs no other file and no network.
    """
    parts = {
        "title": html.escape(_shown(f"{document['name']} - cynet report")),
        "style": _read("page.css"),
        "data": embedded(document),
        "script": "\n".join(_read(name) for name in SCRIPTS),
    }
    text = _read("page.html")
    before, *rest = text.split("{{")
    pieces = [piece.partition("}}") for piece in rest]
    return before + "".join(parts[name] + after for name, _, after in pieces)


def embedded(document):
    """JSON that is safe inside a script element: nothing in it can end the element or open a comment."""
    text = json.dumps(_shown(document), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _shown(value):
    """A document with what is no UTF-8 in its texts, as in names of files, escaped: browsers show a box."""
    if isinstance(value, dict):
        return {_shown(name): _shown(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_shown(each) for each in value]
    return value.encode(errors=SPELLED).decode() if isinstance(value, str) else value


def _read(name):
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
