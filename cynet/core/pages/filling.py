"""A page from its template: texts at the places that it names, with a document in it as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

from cynet.core.names import SPELLED


def filled(template: str, parts: Mapping[str, str]) -> str:
    """The template with a text for each {{name}}; in the texts themselves braces mean nothing."""
    before, *rest = template.split("{{")
    pieces = [piece.partition("}}") for piece in rest]
    return before + "".join(parts[name] + after for name, _, after in pieces)


def embedded(document: Any) -> str:
    """JSON that is safe inside a script element: nothing in it can end the element or open a comment."""
    text = json.dumps(shown(document), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def shown(value: Any) -> Any:
    """A document with what is no UTF-8 in its texts, as in names of files, escaped: browsers show a box."""
    if isinstance(value, dict):
        return {shown(name): shown(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [shown(each) for each in value]
    return value.encode(errors=SPELLED).decode() if isinstance(value, str) else value


def style(package: str, *names: str) -> str:
    """The style that pages share, and behind it a page's own: files that come with a package."""
    return "\n".join([read(__package__, "base.css"), *(read(package, name) for name in names)])


def script(package: str, *names: str) -> str:
    """The script that pages share, and behind it a page's own ones."""
    return "\n".join([read(__package__, "elements.js"), *(read(package, name) for name in names)])


def read(package: str, name: str) -> str:
    """The text of a file that comes with a package."""
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")
