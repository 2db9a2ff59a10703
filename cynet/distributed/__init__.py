"""Floor 5: training by several processes, on one machine or many, over MPI (mpi4py, an extra).

`init` begins it; `cynet train --distributed` does so by itself. What is trained has the same bytes for any
number of processes that divides that of the shards: docs/distributed.md.
"""

from .start import current, init

__all__ = ["current", "init"]
