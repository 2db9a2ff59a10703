"""A training step cut into shards, whose gradients come out the same however many processes compute them.

Design: the batch of a step is cut by index into S shards. Each goes through the net by itself, and the
gradients of all are added in a tree that depends on S alone (`tree.py`). One process computes all of them, or
N processes S / N each, and exchange sums (`exchange.py`) while backward goes on: a gradient travels as soon
as nothing adds to it any more (`gradients.py`). What a step tells besides, losses and the statistics of batch
norm, everybody gets from everybody (`told.py`), and uses in the order of the shards. So the number of
processes is no part of the result. `sharding.py` is the step itself, `world.py` what it needs of other
processes; here there are none, and `cynet.distributed` has those of MPI.
"""
