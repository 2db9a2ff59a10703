"""The page: a template, its style and scripts, with the document in it as JSON. It asks for nothing else."""

import html

from cynet.core.pages.filling import embedded, filled, read, script, shown, style

SCRIPTS = (
    "figures.js", "lines.js", "compare.js", "classes.js", "columns.js", "texts.js", "model.js", "page.js",
)  # fmt: skip


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
        "title": html.escape(shown(f"{document['name']} - cynet report")),
        "style": style(__package__, "page.css"),
        "data": embedded(document),
        "script": script(__package__, *SCRIPTS),
    }
    return filled(read(__package__, "page.html"), parts)
