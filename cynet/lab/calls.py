"""Which of a student's functions calls which other one, by the text."""

import ast
import re

PLACE = re.compile(r"^(?:def|cpdef|cdef)\b[^\n(=]*?(\w+)\(", re.MULTILINE)
COMMENT = re.compile(r"#.*")
TEXT = re.compile(r'""".*?"""', re.DOTALL)


def called(work):
    """The functions of the file that each of its functions calls, itself or through others.

    Parameters
    ----------
    work : folder.Handed

    Returns
    -------
    dict of str to set of str
        Empty where the file cannot be read as text.
    """
    source = work.source().decode(errors="replace")
    try:
        names = _of_python(source) if work.language == "python" else _of_cython(source)
    except (SyntaxError, ValueError, RecursionError):
        return {}
    return {name: _reached(names, name) for name in names}


def _of_python(source):
    return {
        node.name: {
            each.func.id
            for each in ast.walk(node)
            if isinstance(each, ast.Call) and isinstance(each.func, ast.Name)
        }
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef)
    }


def _of_cython(source):
    source = COMMENT.sub("", TEXT.sub("", source))
    places = list(PLACE.finditer(source))
    ends = [each.start() for each in places[1:]] + [len(source)]
    return {
        place[1]: set(re.findall(r"\b(\w+)\s*\(", source[place.end() : end]))
        for place, end in zip(places, ends, strict=True)
    }


def _reached(names, name):
    found, left = set(), [name]
    while left:
        for each in names.get(left.pop(), ()):
            if each in names and each not in found:
                found.add(each)
                left.append(each)
    return found - {name}
