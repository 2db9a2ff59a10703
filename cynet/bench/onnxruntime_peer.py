"""The peer ONNX Runtime: inference on the processor, all its rewriting of the graph on.

Its threads spin on after a run, as they do where nobody says otherwise: some 40 ms, in which they would take
a processor from whoever comes next, longer than a turn's lead. So `rest` waits until they are asleep.

Imported only where onnxruntime is wanted.
"""

import onnxruntime

from .exported import WAYS as FORMATS
from .exported import FilePeer, converted
from .timing import settle as rest

__all__ = ["FORMATS", "check_equal", "converted", "inference", "rest", "set_num_threads"]


def _start(content, x, threads):
    """A session's run, from an array to an array."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3  # errors
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    fed = {session.get_inputs()[0].name: x}
    return lambda: session.run(None, fed)[0]


_peer = FilePeer("onnxruntime", _start)
check_equal, inference, set_num_threads = _peer.check_equal, _peer.inference, _peer.set_num_threads
