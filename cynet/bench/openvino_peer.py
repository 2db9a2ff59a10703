"""The peer OpenVINO: inference on the processor in float32, one request at a time as fast as it can.

Imported only where openvino is wanted. That import would tell its makers of it over the network; so what
tells them is taken for not installed, which openvino allows for.
"""

import functools
import sys
from importlib import import_module

from .exported import WAYS as FORMATS
from .exported import FilePeer, converted
from .timing import nothing as rest  # its threads sleep at once

__all__ = ["FORMATS", "check_equal", "converted", "inference", "rest", "set_num_threads"]

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
openvino = import_module("openvino")


@functools.cache
def _core():
    """The one of this process, for good.

    Each gives the thread a stack for the handlers of signals, and takes it back in the end. Of two, the one
    that ends last puts back the stack of the other, which may be gone: the next signal, a Ctrl-C, is then a
    segmentation fault.
    """
    return openvino.Core()


def _start(content, x, threads):
    """A request's run, from an array to an array."""
    core = _core()
    options = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
    }
    request = core.compile_model(core.read_model(content), "CPU", options).create_infer_request()
    return lambda: request.infer([x], share_inputs=True)[0]


_peer = FilePeer("openvino", _start)
check_equal, inference, set_num_threads = _peer.check_equal, _peer.inference, _peer.set_num_threads
