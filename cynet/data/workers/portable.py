"""Whether worker processes can be given what a user defined: asked, and answered in words, before any starts.

Design: a function is sent to a worker as its name, by which the worker imports it. That fails for what no
module holds (lambdas, what is defined within a function), and for what is defined in a script that a worker
cannot import: one that was typed in, piped in or given by -c, or one that would do all of its work again when
it is imported. A worker could only die of it, with a message on a terminal that nobody may look at.
"""

import ast
import contextlib
import io
import linecache
import multiprocessing
import os
import sys
from multiprocessing import process
from multiprocessing.reduction import ForkingPickler

MAINS = "__main__", "__mp_main__"  # the script; the same in a process that `multiprocessing` started
TYPED = "<stdin", "<console", "<python-input", "<ipython-input"  # the "files" of what was typed in
REMEDY = "put it into a module that the script imports, or use workers=0"
GUARD = 'if __name__ == "__main__": main()'


class _Finder(ForkingPickler):
    """A pickler that notes the functions and classes that are sent by their names."""

    def __init__(self, file):
        super().__init__(file)
        self.found = []

    def reducer_override(self, value):
        if isinstance(getattr(value, "__qualname__", None), str):  # also what wraps a function, as lru_cache
            self.found.append(value)
        return NotImplemented


def sent_by_name(value):
    """The functions and classes that a worker would have to import, were it given `value`."""
    finder = _Finder(io.BytesIO())
    finder.dump(value)
    return finder.found


def needs_main(value):
    """Whether something of it is defined in the owner's script."""
    return any(_module_of(one) in MAINS for one in sent_by_name(value))


def _module_of(one):
    return getattr(one, "__module__", None)


def check(name, function):
    """Refuse a function that worker processes cannot be given.

    Raises
    ------
    TypeError
        Saying what it is called, which function or class it is, where that is defined, and what to do.
    """
    try:
        found = sent_by_name(function)
    except Exception as error:
        raise TypeError(
            f"{name}: wanted a function that can be pickled, one at the top of a module (or workers=0), got "
            f"{function!r} ({error})"
        ) from None
    for one in found:
        place = _out_of_reach(one)
        if place:
            raise TypeError(
                f"{name}: wanted a function that worker processes can import, got {one.__qualname__}, "
                f"which is defined {place}: {REMEDY}"
            )


def _out_of_reach(one):
    """Where something is defined that workers cannot import; None where they can."""
    module = _module_of(one)
    if module in MAINS:
        return _lost_main(one)
    if module is None or _importable(module):
        return None
    return f"in {module}, a module that is not found on sys.path"


def _lost_main(one):
    main = sys.modules["__main__"]
    file, name = getattr(main, "__file__", None), getattr(getattr(main, "__spec__", None), "name", None)
    codes = {code.co_filename for code in _code_of(one)}
    if not file or file.startswith(TYPED):
        files = [code for code in codes if os.path.isfile(code)]
        if files:
            return f"in {files[0]}, which is over: an interactive session does not tell workers of it"
        return "in no file, but on stdin, by python -c, in a notebook or an interactive session"
    if name is None and not os.path.isfile(os.path.join(process.ORIGINAL_DIR or "", file)):
        return f"in {file}, which is not there any more"
    if any(code.startswith(TYPED) for code in codes):
        return f"in no file: it was typed in after {os.path.basename(file)} ran"
    if name and name.rpartition(".")[2] == "__main__":
        return f"in {file}, which only python -m and the like run, and nobody imports"
    return None


def _code_of(one):
    members = vars(one).values() if isinstance(one, type) else [getattr(one, "__wrapped__", one)]
    return [code for code in (getattr(member, "__code__", None) for member in members) if code]


def _importable(name):
    """Whether a module can be found, not only used because somebody made it by hand."""
    top = name.partition(".")[0]
    for finder in sys.meta_path:
        with contextlib.suppress(Exception):  # a finder of somebody else's
            if finder.find_spec(top, None) is not None:
                return True
    # One that was found in the current folder, which is another one now; workers begin in the first.
    file = getattr(sys.modules.get(top), "__file__", None) or ""
    folder = os.path.dirname(file.removesuffix("__init__.py").rstrip(os.sep))
    return bool(file) and folder in (os.path.abspath(p or process.ORIGINAL_DIR or "") for p in sys.path)


# -- the process that asks for workers -----------------------------------------------------------------------
def daemonic():
    """Whether this process may start no others."""
    return multiprocessing.current_process().daemon


def refuse_daemonic(workers):
    """Raise ValueError where this process may start no others."""
    if daemonic():
        raise ValueError(
            "workers: wanted 0 in a daemonic process, as those of multiprocessing.Pool are, which may start "
            f"no others, got {workers}"
        )


def refuse_import():
    """Raise RuntimeError in a worker that imports the owner's script, which would start more workers."""
    if getattr(process.current_process(), "_inheriting", False):
        raise RuntimeError(f"a worker process imports your script again; start its work under: {GUARD}")


def refuse_unguarded(functions):
    """Raise RuntimeError where workers would import a script that starts these workers while it is imported.

    Parameters
    ----------
    functions : iterable of (int, callable)
        What workers are to be given, with their places among the transforms.
    """
    for place, function in functions:
        if needs_main(function) and (file := _unguarded()):
            raise RuntimeError(
                f"transforms[{place}]: {function!r} needs what is defined in {file}, and a worker that "
                f"imports it would start the same work again: {REMEDY}, or start the work under: {GUARD}"
            )


def _unguarded():
    """The script, where it is being run at its top level now and nothing in it asks for its `__name__`."""
    script, frame = vars(sys.modules["__main__"]), sys._getframe()
    while frame and not (frame.f_globals is script and frame.f_code.co_name == "<module>"):
        frame = frame.f_back
    if frame is None:
        return None
    file = frame.f_code.co_filename
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:
        return None
    before = [statement for statement in tree.body if statement.lineno <= frame.f_lineno]
    return None if not before or any(map(_asks_for_name, before)) else file


def advice(functions):
    """A sentence for a worker that ended with an error: on the script without a guard, else on modules.

    Parameters
    ----------
    functions : iterable of (int, callable)
        What it was given.
    """
    named = [(_module_of(one), one) for _, function in functions for one in sent_by_name(function)]
    if any(module in MAINS for module, _ in named) and not _is_guarded():
        return f"If your script starts training when it is imported, use: {GUARD}"
    modules = sorted({module for module, _ in named if module and module not in (*MAINS, "builtins")})
    places = f"sys.path as seen from {process.ORIGINAL_DIR}, where this process began"
    what = ", ".join(modules) or "what it imports"
    return f"If that is a ModuleNotFoundError: {what} must be found on {places}"


def _is_guarded():
    """Whether the script asks for its `__name__`; also where there is none to ask."""
    file = getattr(sys.modules["__main__"], "__file__", None)
    try:
        return file is None or any(map(_asks_for_name, ast.parse("".join(linecache.getlines(file))).body))
    except SyntaxError:
        return True


def _asks_for_name(node):
    """Whether a statement compares `__name__` with something, itself, not in a function that it defines."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
        return False
    if isinstance(node, ast.Compare):
        return any(isinstance(part, ast.Name) and part.id == "__name__" for part in ast.walk(node))
    return any(map(_asks_for_name, ast.iter_child_nodes(node)))
