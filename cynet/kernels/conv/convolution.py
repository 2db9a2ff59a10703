"""The choice among the algorithms of convolution, for one shape of input.

An algorithm is a file of this folder, beside its loops, that registers itself. To be there is enough, and all
but the tiled one, which does everything, may be deleted, with what is built on it.
"""

from importlib import import_module
from pkgutil import iter_modules

from . import __path__ as _folder
from . import algorithm

for _found in iter_modules(_folder, f"{__package__}."):
    if _found.name != __name__:
        import_module(_found.name)

choose = algorithm.choose
