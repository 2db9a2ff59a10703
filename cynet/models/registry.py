"""The registry of models: `@model()` on a function of (input_shape, classes, and options) adds a net.

`least=` in the brackets is the least shape of an input, (height, width, channels) for pictures and (length,
channels) for signals; without it the net takes shapes of any size and number of axes. `tokens=True`: it takes
texts, tokens of a shape (length,), and gives logits for each.
"""

from cynet.core.registry import Registry

model = Registry("model", "cynet.models")
