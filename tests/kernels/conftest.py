"""Shared by the tests of convolutions."""

import pytest

from cynet.kernels.conv import algorithm
from cynet.kernels.conv.planes import PlanarGradient


@pytest.fixture
def without_planes(monkeypatch):
    """The choice among all but the algorithms whose lanes are pixels, which test_planes.py has."""
    others = [entry for entry in algorithm.REGISTRY if not issubclass(entry[1], PlanarGradient)]
    monkeypatch.setattr(algorithm, "REGISTRY", others)
