"""Floor 1: what every layer stands on (Layer, Parameter, argument checks, buffers, threads, random keys)."""
