"""Floor 1: the compiled kernels, a folder for each subject, with the Python that drives its loops.

They compute on arrays and know no layers; every argument was checked on the floors above.
"""

from cynet.core import compiled as _compiled  # noqa: F401  refuses where this processor lacks what they need
