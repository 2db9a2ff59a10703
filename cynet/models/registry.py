"""The registry of models: `@model()` on a function of (batch_norm, classes, channels) adds a net."""

from cynet.core.registry import Registry

model = Registry("model", "cynet.models")
