"""Floor 0: what everything stands on: checks, files, buffers, random keys, threads, registries."""
