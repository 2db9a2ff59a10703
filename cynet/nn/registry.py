"""The registry of layers, through which generic tests walk: `@registry.layer(examples={...})` on a class."""

from cynet.core.registry import Registry

# examples: for the tests, calls of the constructor, each with the shape of an input.
# pointwise: y[i] depends on x[i] alone, and backward reads one array beside dy, x or y.
layer = Registry("layer", "cynet.nn", "layers", "containers")
