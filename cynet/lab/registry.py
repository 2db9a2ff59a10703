"""The registry of exercises: `@exercise("what it is about")` on a function that makes one, named as its
file."""

from cynet.core.registry import Registry

exercise = Registry(
    "exercise", "cynet.lab", "exercises", called=lambda file, defined: file.replace("_", "-"), closed=True
)


def find(name):
    """The exercise of a name.

    Parameters
    ----------
    name : str

    Returns
    -------
    Exercise

    Raises
    ------
    ValueError
        Where there is none; it suggests the nearest.
    """
    return exercise[exercise.checked(name, "EXERCISE")]()
