"""Every public name says its types, and tells of its arguments: by a walk through all of them."""

import importlib
import inspect
import re
from functools import cached_property

import pytest

import cynet

ROOMS = (
    "cynet", "cynet.data", "cynet.data.text", "cynet.distributed", "cynet.models", "cynet.losses",
    "cynet.optim", "cynet.schedules", "cynet.sklearn", "cynet.train", "cynet.runs",
    "cynet.interop.safetensors", "cynet.uwnet",
)  # fmt: skip
RETURNED = (  # what public names return
    "cynet.data.images.pictures.PictureProblem", "cynet.runs.facts.Facts", "cynet.runs.predictor.Answer",
    "cynet.runs.predictor.Predicted", "cynet.runs.replay.History", "cynet.runs.replay.Replay",
    "cynet.runs.validation.Division", "cynet.train.loop.Progress", "cynet.train.loop.Result",
    "cynet.train.predictions.Calibration", "cynet.uwnet.layers.ActivationLayer",
    "cynet.uwnet.layers.BatchnormLayer", "cynet.uwnet.layers.ConnectedLayer",
    "cynet.uwnet.layers.ConvolutionalLayer", "cynet.uwnet.layers.MaxpoolLayer", "cynet.uwnet.net.Net",
)  # fmt: skip
BOUND = "self", "cls"
ELSEWHERE = ("cynet.BatchNorm1d",)  # whose arguments are told of at BatchNorm2d
SPECIAL = (
    "__init__", "__call__", "__len__", "__iter__", "__getitem__", "__enter__", "__exit__", "__repr__",
    "__str__",
)  # fmt: skip


# -- annotations: every public function, class and method has them, for each argument and the result --------
def public():
    """Each public function and class as (path, object), once."""
    found = [(path, _named(path)) for path in RETURNED]
    seen = {id(value) for _, value in found}
    for room in ROOMS:
        module = importlib.import_module(room)
        for name in module.__all__ if hasattr(module, "__all__") else _defined(module):
            value = getattr(module, name)
            if not inspect.ismodule(value) and callable(value) and id(value) not in seen:
                seen.add(id(value))
                found.append((f"{room}.{name}", value))
    return found


def _named(path):
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _defined(module):
    """The names without an underscore that a module defines itself."""
    return [
        name for name, value in vars(module).items()
        if name[0] != "_" and getattr(value, "__module__", None) == module.__name__
    ]  # fmt: skip


def methods(kind):
    """(name, function) of the public methods of a class, and of those of its bases that are cynet's."""
    for base in kind.__mro__:
        if base.__module__.startswith("cynet."):
            for name, value in vars(base).items():
                if name in SPECIAL or name[0] != "_":
                    value = value.func if isinstance(value, cached_property) else value
                    for part in (value.fget, value.fset) if isinstance(value, property) else (value,):
                        part = inspect.unwrap(getattr(part, "__func__", part))
                        written = inspect.isfunction(part) and part.__code__.co_filename != "<string>"
                        if written and part.__module__.startswith("cynet."):
                            yield f"{base.__name__}.{name}", part


def lacking(function):
    """What has no annotation: names of arguments, and "return"."""
    signature = inspect.signature(function)
    empty = inspect.Parameter.empty
    found = [p.name for p in signature.parameters.values() if p.annotation is empty and p.name not in BOUND]
    return found + (["return"] if signature.return_annotation is empty else [])


def unannotated():
    found = {}
    for path, value in public():
        parts = methods(value) if inspect.isclass(value) else [(path, inspect.unwrap(value))]
        found |= {name: lacks for name, function in parts if (lacks := lacking(function))}
    return found


def test_every_public_function_says_its_types():
    assert unannotated() == {}


def test_what_has_no_types_is_found():
    def half(x: int, y=1) -> None: ...

    assert lacking(half) == ["y"] and lacking(lambda: 0) == ["return"]
    paths = {path for path, _ in public()}
    assert len(paths) > 100 and {"cynet.Conv2d", "cynet.runs.start", "cynet.uwnet.make_net"} <= paths


# -- docstrings: each tells of the arguments and of what comes back, in numpydoc's sections -----------------
def untold(function, text):
    """The arguments that no section of a docstring lists, and "Returns" where there is none."""
    signature, text = inspect.signature(function), text or ""
    found = []
    for name in signature.parameters:
        line = rf"^ *\**(\w+, \**)*{name}(, \**\w+)*( :.*)?$"
        if name not in BOUND and not re.search(line, text, re.MULTILINE):
            found.append(name)
    gives = signature.return_annotation not in (None, "None")
    told = re.search(r"^ *(Returns|Yields)$", text, re.MULTILINE)
    return found + (["Returns"] if gives and not told else [])


def undocumented():
    """{path: what its docstring leaves out} of public functions, constructors and methods."""
    found = {}
    for path, value in public():
        if value.__module__.startswith(("cynet.runs", "cynet.report")):
            continue
        if not inspect.isclass(value):
            found[path] = untold(value, value.__doc__) if not is_context(value) else []
            continue
        home = next(base for base in value.__mro__ if "__init__" in vars(base))
        if home.__module__.startswith("cynet."):
            found[path] = untold(
                home.__init__, value.__doc__ if "Parameters\n" in value.__doc__ else home.__doc__
            )
        for name, _ in methods(value):
            short = name.partition(".")[2]
            if short[0] != "_":
                found[name] = [] if inspect.getdoc(getattr(value, short)) else ["all"]
    return {name: lacks for name, lacks in found.items() if lacks}


def is_context(value):
    return hasattr(value, "__wrapped__") and "Iterator" in str(inspect.signature(value).return_annotation)


def test_every_public_name_tells_of_its_arguments():
    found = undocumented()
    assert {name: lacks for name, lacks in found.items() if name not in ELSEWHERE} == {}


def test_what_is_untold_is_found():
    def half(x: int, y: int) -> int:
        """x is halved."""

    assert untold(half, half.__doc__) == untold(half, None) == ["x", "y", "Returns"]
    text = "Parameters\n----------\n    x, y : int\n\nReturns\n-------\nint\n"
    assert untold(half, text) == [] and untold(half, text.replace("x, ", "")) == ["x"]


# -- rooms whose names are loaded when they are asked for ---------------------------------------------------
def test_a_name_that_is_not_there_is_told_with_its_room():
    for room in ("cynet", "cynet.layers", "cynet.losses"):
        module = importlib.import_module(room)
        for name in ("Conv3d", "conv2d", "containers", "_hidden"):
            with pytest.raises(AttributeError) as caught:
                getattr(module, name)
            assert str(caught.value) == f"module {room!r} has no attribute {name!r}"


def test_each_room_lists_what_it_has():
    nn, losses = importlib.import_module("cynet.nn"), importlib.import_module("cynet.losses")
    layers = importlib.import_module("cynet.layers")
    assert dir(layers) == sorted(nn.__all__) and layers.__all__ == nn.__all__
    named = {"CrossEntropyLoss", "BCEWithLogitsLoss", "HuberLoss", "L1Loss", "MSELoss"}
    assert {*losses.__all__} == named <= {*dir(losses)} and dir(losses) == sorted({*dir(losses)})
    for name in named:
        assert getattr(losses, name) is getattr(cynet, name)
    for name in nn.__all__:
        assert getattr(layers, name) is getattr(nn, name) is getattr(cynet, name)
    modules = {
        "data", "distributed", "interop", "layers", "losses", "models", "nn", "optim", "runs", "schedules",
        "sklearn", "train", "uwnet",
    }  # fmt: skip
    assert dir(cynet) == sorted(cynet.__all__) and modules <= {*cynet.__all__}
    others = {
        "__version__", *named, "SGD", "Adam", "AdamW", "Lookahead", "check_gradients", "summary",
        "show_config", "Layer", "no_grad", "from_spec", "to_spec", "Input", "Parameter", "seed",
        "get_num_threads", "set_num_threads", "im2col", "col2im", "Predictor", "load",
    }  # fmt: skip
    assert {*cynet.__all__} == others | modules | {*nn.__all__}
    assert importlib.import_module("cynet.schedules").__all__ == [
        "Constant",
        "Cosine",
        "MultiStep",
        "OneCycle",
    ]
