"""The lab's pages: sections with a heading, text, tables and charts, as one HTML file without a script."""

from __future__ import annotations

import html
from importlib.metadata import PackageNotFoundError, version

from cynet._version import __version__
from cynet.core.pages.filling import filled, read, style

ROOM = "cynet.lab"


def page(title, lead, sections):
    """A page.

    Parameters
    ----------
    title, lead : str
        Plain text.
    sections : iterable of (str, str)
        A heading, plain text, and HTML.

    Returns
    -------
    str
    """
    body = "".join(f"<section><h2>{html.escape(head)}</h2>{text}</section>\n" for head, text in sections)
    parts = {
        "title": html.escape(title), "lead": html.escape(lead), "style": style(ROOM, "page.css"),
            "body": body,
        "made": html.escape(f"cynet {__version__}, NumPy {_version('numpy')}"),
    }  # fmt: skip
    return filled(read(ROOM, "page.html"), parts)


def paragraph(text, kind=""):
    """A paragraph of plain text."""
    return f'<p class="{kind}">{html.escape(text)}</p>' if kind else f"<p>{html.escape(text)}</p>"


def table(headings, rows):
    """A table of plain texts; the first column is text, the others are numbers."""
    head = "".join(f"<th>{html.escape(each)}</th>" for each in headings)
    lines = ("".join(f"<td>{html.escape(str(each))}</td>" for each in row) for row in rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def preformatted(text):
    return f"<pre>{html.escape(text)}</pre>"


def _version(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
