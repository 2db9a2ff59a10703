"""The recipes of the package: TOML files of settings, by their names."""

from pathlib import Path

from .errors import RefusedError
from .hints import suggestion

RECIPES = Path(__file__).parent.parent / "recipes"


def names():
    """Those there are, in order."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def file(name, argument):
    """The file of a recipe; a `RefusedError` names the argument where there is none of that name."""
    known = names()
    if name not in known:
        hint = suggestion(name, known)
        wanted = f"{argument}: wanted one of {', '.join(known)}, got {name!r}"
        raise RefusedError(wanted + (f" ({hint})" if hint else ""))
    return RECIPES / f"{name}.toml"
