"""Floor 0: what everything stands on: checks, buffers, threads, random keys, files, registries, types."""
