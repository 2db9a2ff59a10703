"""Peers that run a net from the ONNX file that cynet writes of it, each way that is the fastest for some net.

Design: such a peer's threads are those that its session was made for. So a session is made for each number of
threads when it is first asked for one, in a turn's steps that are not timed.
"""

import tempfile
from pathlib import Path

import numpy as np

from cynet import interop
from cynet.nn.modes import evaluating
from cynet.nn.passes import no_grad

from .peers import check_close

# Where the input has its channels, and whether batch norm is within the weights: each may be faster.
WAYS = {
    "NCHW": ("nchw", False),
    "NCHW, folded": ("nchw", True),
    "NHWC": ("nhwc", False),
    "NHWC, folded": ("nhwc", True),
}


class FilePeer:
    """A framework that runs ONNX files.

    Parameters
    ----------
    name : str
    start : callable
        (the bytes of a file, an input, a number of threads) -> a function that runs the net on that input and
        returns its output.
    """

    def __init__(self, name, start):
        self.name, self.start, self.threads = name, start, 1

    def set_num_threads(self, threads):
        """How many threads the runs that follow use."""
        self.threads = threads

    def check_equal(self, model, net, x, training):
        """Refuse to compare a net that does not give the same outputs, whichever way.

        Parameters
        ----------
        model, net : cynet.Layer
        x : ndarray of float32
        training : bool
            False: it evaluates alone.

        Raises
        ------
        ValueError
        """
        if training:
            raise ValueError(f"wanted a net that evaluates, got one in training: {self.name} cannot train")
        with evaluating(model), no_grad():
            ours = model(x)
        for way in WAYS:
            theirs = self.inference(net, x, way)()
            first = WAYS[way][0] == "nchw" and theirs.ndim > 2
            check_close(self.name, ours, np.moveaxis(theirs, 1, -1) if first else theirs)

    def inference(self, net, x, way):
        """A function that computes the outputs of a batch, by as many threads as are set when it is called.

        Parameters
        ----------
        net : cynet.Layer
        x : ndarray of float32
        way : str
            One of `WAYS`.
        """
        content, given, runs = written(net, x.shape[1:], way), arranged(x, way), {}

        def step():
            run = runs.get(self.threads)
            if run is None:
                run = runs[self.threads] = self.start(content, given, self.threads)
            return run()

        return step


def converted(model):
    """The net itself, of which a file is written where the shape of its input is known."""
    return model


def written(net, shape, way):
    """The bytes of a net's file, for inputs of a shape."""
    layout, fold = WAYS[way]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "net.onnx")
        interop.save_onnx(net, path, tuple(shape), layout=layout, fold=fold)
        return path.read_bytes()


def arranged(x, way):
    """A batch as the file of a way takes it."""
    return np.ascontiguousarray(np.moveaxis(x, -1, 1)) if WAYS[way][0] == "nchw" and x.ndim > 2 else x
