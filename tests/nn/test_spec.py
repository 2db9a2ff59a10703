"""A net as plain data: what `to_spec` tells, `from_spec` builds again; whatever else is refused in words."""

import copy
import json
import time
import tracemalloc

import drawn_graphs
import numpy as np
import pytest
from examples import EXAMPLES, made, normal

import cynet
from cynet import Concat, Conv2d, Flatten, Graph, Input, Linear, ReLU, Residual, Sequential
from cynet.nn import from_spec, spec, to_spec


def several(value):
    return value if isinstance(value, tuple) else (value,)


def shapes_of(shape):
    return shape if isinstance(shape[0], tuple) else (shape,)


def again(model):
    """The net that JSON tells of, with the state of this one."""
    found = from_spec(json.loads(json.dumps(to_spec(model), allow_nan=False)))
    own, other = model.state_dict(), found.state_dict()
    assert [(name, array.shape, array.dtype) for name, array in own.items()] == [
        (name, array.shape, array.dtype) for name, array in other.items()
    ]
    found.load_state_dict(own)
    return found


def assert_same_outputs(model, other, xs):
    for training in (False, True):
        found = []
        for one in (model, other):
            cynet.seed(3)
            found.append(several(one.train(training)(*xs)))
        for wanted, got in zip(*found, strict=True):
            assert wanted.tobytes() == got.tobytes()


@pytest.mark.parametrize("call", EXAMPLES)
def test_every_registered_layer_is_built_again(call):
    cynet.seed(1)
    model = made(call)
    other = again(model)
    assert repr(other) == repr(model) and to_spec(other) == to_spec(model)
    assert_same_outputs(model, other, [normal(shape, i) for i, shape in enumerate(shapes_of(EXAMPLES[call]))])


@pytest.mark.parametrize("name", cynet.models.names())
def test_every_model_is_built_again(name):
    cynet.seed(1)
    shape = {"conv1d_small": (32, 3), "language_model": (7,)}.get(name, (32, 32, 3))
    model = cynet.models.create(name, shape)
    x = np.arange(14).reshape(2, 7) % 10 if name == "language_model" else normal((2, *shape))
    assert_same_outputs(model, again(model), [x])


@pytest.mark.parametrize("seed", range(60))
def test_drawn_graphs_are_built_again(seed):
    model, shapes = drawn_graphs.graph(seed)
    assert_same_outputs(model, again(model), [normal((2, *shape), i) for i, shape in enumerate(shapes)])


def test_shared_layers_stay_shared_and_stand_once():
    layer = Conv2d(4, 4, 1)
    model = Sequential(layer, Residual(Sequential(layer, ReLU())), layer)
    told = to_spec(model)
    assert sum(entry["kind"] == "Conv2d" for entry in told["layers"]) == 1
    other = from_spec(told)
    assert other[0] is other[2] is other[1].body[0] and len(other.parameters()) == 2


def test_names_of_a_graphs_layers_are_kept():
    x = Input((5, 5, 3))
    h = Conv2d(3, 4, 3, name="stem")(x)
    model = Graph(x, Linear(36, 2, name="head.last")(Flatten()(h)))
    assert list(from_spec(to_spec(model)).state_dict()) == [
        "stem.weight", "stem.bias", "head.last.weight", "head.last.bias",
    ]  # fmt: skip


def test_a_layer_may_have_another_name_in_each_graph():
    layer = Conv2d(3, 3, 1, name="one")
    x = Input((4, 4, 3))
    first = Graph(x, layer(x))
    layer.name = "other"
    y = Input((4, 4, 3))
    model = Sequential(first, Graph(y, layer(y)))
    assert list(again(model).state_dict()) == ["0.one.weight", "0.one.bias", "1.other.weight", "1.other.bias"]


def test_frozen_parameters_stay_frozen():
    model = Sequential(Conv2d(3, 4, 1), cynet.BatchNorm2d(4))
    model[0].weight.requires_grad = False
    found = from_spec(to_spec(model))
    assert [p.requires_grad for p in found.parameters()] == [False, True, True, True]


def test_attributes_that_were_set_are_told_as_they_are():
    model = Sequential(Conv2d(4, 4, 3), cynet.Dropout(0.5))
    model[0].stride, model[0].bias, model[1].p = (2, 2), None, np.float32(0.25)
    found = again(model)
    assert (found[0].stride, found[0].bias, found[1].p) == ((2, 2), None, 0.25)


# -- what has no spec ----------------------------------------------------------------------------------------
class Own(cynet.Layer):
    def __init__(self, inner):
        self.inner = inner

    def forward(self, x):
        return self.inner(x)


class Other(Own):
    pass


class Longer(Sequential):
    pass


def test_layers_that_cynet_does_not_know_are_listed_at_once():
    model = Sequential(Own(Other(ReLU())), Longer(ReLU()), Conv2d(3, 4, 1))
    with pytest.raises(ValueError, match=r"wanted layers of cynet's, got Longer, Other, Own$"):
        to_spec(model)


@pytest.mark.parametrize(("count", "more"), [(10, ""), (11, " and 1 more"), (1234, " and 1,224 more")])
def test_of_many_layers_that_cynet_does_not_know_ten_are_named_and_the_others_counted(count, more):
    names = [f"Own{i:04}" for i in range(count)]
    if count < 20:
        model = Sequential(*(type(name, (ReLU,), {"__qualname__": name})() for name in names))
        listed = ", ".join(names[:10])
        with pytest.raises(ValueError, match=rf"wanted layers of cynet's, got {listed}{more}$"):
            to_spec(model)
    shown = ", ".join(map(repr, names[:10]))
    with pytest.raises(ValueError, match=rf"wanted layers that cynet knows, got {shown}{more}$"):
        from_spec({"cynet_net": 1, "layers": [{"kind": name} for name in names]})


def test_a_layer_whose_pass_was_set_on_the_object_is_not_known():
    layer = ReLU()
    layer.forward = lambda x: x
    with pytest.raises(ValueError, match=r"got ReLU$"):
        to_spec(Sequential(layer))


def test_what_cannot_be_told_is_refused():
    shared, looped = Sequential(Linear(3, 3), Linear(3, 3)), Sequential(ReLU())
    odd = Sequential(Conv2d(3, 4, 1))
    shared[1].weight = shared[0].weight
    looped.layers.append(looped)
    odd[0].stride = object()
    deep = ReLU()
    for _ in range(5_000):
        deep = Sequential(deep)
    endless = cynet.ELU()
    endless.alpha = float("inf")
    for model, text in (
        (endless, "ELU.alpha: wanted a number, .*, got inf"),
        (shared, "one that several share: Linear"),
        (looped, "wanted layers that do not hold themselves, got such a Sequential"),
        (odd, r"Conv2d.stride: wanted a number.*got <object"),
        (deep, "wanted at most 100 layers within each other"),
    ):
        with pytest.raises(ValueError, match=text):
            to_spec(model)
    with pytest.raises(TypeError, match="model: wanted a Layer, got 3"):
        to_spec(3)


# -- specs that are none -------------------------------------------------------------------------------------
RELU = {"kind": "ReLU"}


def net(*layers):
    return {"cynet_net": 1, "layers": list(layers)}


def linear(**arguments):
    return net({"kind": "Linear", "arguments": {"in_features": 2, "out_features": 3} | arguments})


def around(number):
    return {"kind": "Residual", "arguments": {"body": {"layer": number}}}


def graph(**changes):
    calls = [{"layer": 0, "name": "0", "sources": [0], "count": 1}]
    return net(RELU, {"kind": "Graph", "inputs": [[4, 4, 3]], "calls": calls, "outputs": [1]} | changes)


def called(**changes):
    return graph(calls=[{"layer": 0, "name": "0", "sources": [0], "count": 1} | changes])


def laughs(depth):
    """Layers each of which holds the one before twice: paths without end, of few entries."""
    held = [{"kind": "Sequential", "arguments": {"layers": [{"layer": i}] * 2}} for i in range(depth)]
    return net(RELU, *held)


def nested(depth):
    held = [{"kind": "Sequential", "arguments": {"layers": [{"layer": i}]}} for i in range(depth)]
    return net(RELU, *held)


BAD = {
    "none": (None, "spec: wanted a table, got None"),
    "a list": ([RELU], "spec: wanted a table"),
    "no JSON": ("{", "spec: wanted the JSON of a net"),
    "deep JSON": ("[" * 100_000, "spec: wanted the JSON of a net"),
    "long JSON": (" " * (1 << 25), "spec: wanted at most 16,777,216 letters"),
    "empty": ({}, "spec: wanted cynet_net, layers, got none"),
    "version": ({"cynet_net": 2, "layers": [RELU]}, "cynet_net: wanted version 1, got 2"),
    "version as text": ({"cynet_net": "1", "layers": [RELU]}, "spec.cynet_net: wanted a whole number"),
    "more": (net(RELU) | {"code": "print()"}, "spec: wanted cynet_net, layers, got 'code'"),
    "layers": ({"cynet_net": 1, "layers": {}}, "spec.layers: wanted a list"),
    "no layers": (net(), "layers: wanted 1 to 10,000, got 0"),
    "values taken": (called(sources=[0] * 100_001), r"sources: wanted 1 to 100,000, got 100,001"),
    "values taken by all": (
        graph(calls=[{"layer": 0, "name": "0", "sources": [0] * 60_000, "count": 1}] * 2),
        r"calls\[1\].sources: wanted at most 100,000 of all calls",
    ),
    "a million layers": (net(*[RELU] * 1_000_000), "layers: wanted 1 to 10,000, got 1,000,000"),
    "no table": (net("ReLU"), r"layers\[0\]: wanted a table with a kind, got 'ReLU'"),
    "no kind": (net({}), r"layers\[0\]: wanted a table with a kind, got \{\}"),
    "unknown": (net({"kind": "os.system"}, RELU, {"kind": "Mine"}), "knows, got 'Mine', 'os.system'"),
    "a class that is no layer": (net({"kind": "Layer"}), "knows, got 'Layer'"),
    "more of a layer": (net(RELU | {"code": 1}), r"layers\[0\]: wanted kind, .* got 'code'"),
    "arguments": (net(RELU | {"arguments": []}), r"layers\[0\].arguments: wanted a table"),
    "argument": (linear(code=1), r"layers\[0\]: Linear: wanted the arguments in_features, .* got 'code'"),
    "of none": (net(RELU | {"arguments": {"x": 1}}), "ReLU: wanted the arguments of none, got 'x'"),
    "missing": (net({"kind": "Linear"}), r"layers\[0\]: Linear: .*missing"),
    "kind of argument": (linear(in_features="2"), "Linear: in_features: wanted"),
    "range of argument": (linear(in_features=0), "Linear: in_features: wanted"),
    "huge argument": (linear(in_features=2**24 + 1), r"in_features: wanted a whole number from -16777216"),
    "endless argument": (linear(in_features=10**5000), "in_features: wanted .* got a larger one"),
    "NaN": (linear(in_features=float("nan")), "in_features: wanted a finite number, got nan"),
    "long text": (linear(in_features="2" * 1000), "in_features: wanted a text of 1 to 200"),
    "long list": (linear(in_features=[1] * 1000), "in_features: wanted at most 16 in a list, got 1,000"),
    "list in list": (linear(in_features=[[[1]]]), r"in_features\[0\]: wanted a number"),
    "table": (linear(in_features={"a": 1}), r"in_features: wanted layer, got none"),
    "a layer as number": (net(RELU, linear(in_features={"layer": 0})["layers"][0]), "Linear: in_features"),
    "large": (linear(in_features=2**24, out_features=2**24), "wanted at most 268,435,456 values in all"),
    "large norm": (
        net({"kind": "LayerNorm", "arguments": {"normalized_shape": [2**24] * 16}}),
        "LayerNorm: wanted at most 268,435,456",
    ),
    "forward": (net(around(1), RELU), "layer: wanted one before it, got 1"),
    "itself": (net(RELU, around(1)), "layer: wanted a whole number from 0 to 0, got 1"),
    "negative": (net(RELU, around(-1)), "got -1"),
    "flag as number": (net(RELU, around(True)), "wanted a whole number, got True"),
    "no layer": (net({"kind": "Sequential", "arguments": {"layers": [3]}}), r"layers\[0\]: wanted a Layer"),
    "no list": (net({"kind": "Sequential", "arguments": {"layers": 3}}), "layers: wanted a list of layers"),
    "no branches": (net({"kind": "Concat", "arguments": {"branches": []}}), "Concat: branches: wanted"),
    "of nobody": (net(RELU, RELU), r"layers\[0\]: wanted a layer that another one holds"),
    "laughs": (laughs(60), "wanted at most 100,000 layers in all places"),
    "deep": (nested(200), "wanted at most 100 layers within each other, got 101"),
    "deep on one side": (
        net(RELU, *({"kind": "Sequential", "arguments": {"layers": [{"layer": i}, {"layer": 0}]}}
                    for i in range(200))),
        "wanted at most 100 layers within each other, got 101",
    ),
    "name": (net(RELU | {"name": "../a"}), "name: wanted letters from a to z"),
    "no name": (net(RELU | {"name": ""}), r"layers\[0\].name: wanted a text"),
    "frozen": (net(RELU | {"frozen": ["weight"]}), "frozen: wanted a parameter, got 'weight'"),
    "frozen attribute": (net(RELU | {"frozen": ["forward"]}), "frozen: wanted a parameter, got 'forward'"),
    "graph": (net(RELU, {"kind": "Graph"}), r"layers\[1\]: wanted inputs, calls, outputs, got none"),
    "graph's arguments": (graph(arguments={}), r"layers\[1\].arguments: wanted none of a Graph"),
    "graph's shape": (graph(inputs=[[0, 4, 3]]), r"inputs\[0\]: wanted a whole number from 1"),
    "graph's flag as size": (graph(inputs=[[4, True, 3]]), r"inputs\[0\]: wanted a whole number from 1"),
    "call's few": (
        net(
            RELU,
            {"kind": "Graph", "inputs": [[4]], "outputs": [0, 1],
             "calls": [{"layer": 0, "name": "0", "sources": [0], "count": 1}]},
            {"kind": "Graph", "inputs": [[4]], "outputs": [1],
             "calls": [{"layer": 1, "name": "0", "sources": [0], "count": 1}]},
        ),
        r"calls\[0\].count: wanted 2, as the layer gives, got 1",
    ),
    "graph's shape of none": (graph(inputs=[[]]), r"inputs\[0\]: wanted a list of sizes"),
    "graph without outputs": (graph(outputs=[]), r"outputs: wanted 1 to"),
    "graph's output": (graph(outputs=[2]), "outputs: wanted a whole number from 0 to 1, got 2"),
    "graph's other inputs": (graph(inputs=[[4, 4, 3], [1]]), r"Graph: .*wanted"),
    "call of itself": (called(layer=1), r"calls\[0\].layer: wanted a whole number from 0 to 0, got 1"),
    "call of a later value": (called(sources=[1]), r"calls\[0\].sources: wanted"),
    "call of two": (called(sources=[0, 0]), r"Graph: ReLU: wanted as many inputs"),
    "call of none": (called(sources=[]), r"calls\[0\].sources: wanted 1 to"),
    "call's count": (called(count=2), r"calls\[0\].count: wanted 1, as the layer gives, got 2"),
    "call's huge count": (called(count=10**9), r"calls\[0\].count: wanted a whole number"),
    "call's name": (called(name="a b"), "name: wanted letters"),
    "spare call": (
        graph(calls=[{"layer": 0, "name": "0", "sources": [0], "count": 1}] * 2),
        "calls: wanted those that the outputs depend on",
    ),
    "two of a name": (
        net(RELU, {"kind": "Tanh"}, graph()["layers"][1] | {"calls": [
            {"layer": 0, "name": "a", "sources": [0], "count": 1},
            {"layer": 1, "name": "a", "sources": [1], "count": 1},
        ], "outputs": [2]}),
        "got two called 'a'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_a_wrong_spec_is_refused_in_words(what):
    found, text = BAD[what]
    tracemalloc.start()
    begun = time.perf_counter()
    try:
        with pytest.raises(ValueError, match=text) as error:
            from_spec(found)
        assert tracemalloc.get_traced_memory()[1] < 1 << 26 and time.perf_counter() - begun < 10
    finally:
        tracemalloc.stop()
    assert len(str(error.value)) < 1000 and "\n" not in str(error.value)


def test_the_callers_bound_counts_all_layers_together():
    told = to_spec(Sequential(Linear(10, 10), Linear(10, 10), cynet.BatchNorm1d(10)))
    assert from_spec(told, 260)
    with pytest.raises(ValueError, match="wanted at most 259 values in all, got 260 or more"):
        from_spec(told, 259)
    assert Linear(100, 100)  # no bound is left


def _places(value, found, path=()):
    found.append(path)
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in pairs:
        _places(one, found, (*path, key))
    return found


ODD = [None, True, -1, 0, 2, 3.5, 2**40, "", "ReLU", [], [0], {}, {"layer": 0}, [{"layer": 0}], float("inf")]


def test_changed_specs_are_built_or_refused():
    x = Input((6, 6, 3))
    h = Conv2d(3, 4, 3, name="stem")(x)
    branches = Concat(Sequential(), cynet.Dropout(0.1))(h)
    model = Graph(x, [cynet.Add()(h, h), Residual(cynet.BatchNorm2d(8))(branches)])
    told, rng, refused = to_spec(model), np.random.default_rng(0), 0
    places = _places(told, [])[1:]
    for _ in range(1500):
        changed = copy.deepcopy(told)
        *way, last = places[rng.integers(len(places))]
        inner = changed
        for key in way:
            inner = inner[key]
        if rng.integers(4):
            inner[last] = copy.deepcopy(ODD[rng.integers(len(ODD))])
        else:
            del inner[last]
        try:
            assert isinstance(from_spec(changed, 10_000), cynet.Layer)
        except ValueError as error:
            refused += bool(str(error))
    assert refused > 700


def test_limits_are_those_of_the_module():
    assert from_spec(nested(spec.MOST_DEPTH - 1))
    many = {"kind": "Sequential", "arguments": {"layers": [{"layer": 0}] * 9_000}}
    assert len(from_spec(net(RELU, many))) == 9_000


def test_the_names_of_layers_come_back_wherever_they_stand():
    cynet.seed(0)
    inner = cynet.Residual(cynet.Conv2d(3, 3, 1, name="inner"), name="block")
    model = cynet.Sequential(cynet.Conv2d(3, 3, 1, name="stem"), inner, cynet.ReLU())
    again = cynet.nn.from_spec(cynet.nn.to_spec(model))
    assert [layer.name for _, layer in again.walk()] == [layer.name for _, layer in model.walk()]
    assert {"stem", "block", "inner"} <= {layer.name for _, layer in again.walk()}
    assert cynet.nn.to_spec(again) == cynet.nn.to_spec(model)


HELD = {"kind": "Sequential", "arguments": {"layers": [{"layer": 0}]}}


@pytest.mark.parametrize("found", [
    net(*[RELU] * (spec.MOST_LAYERS - 1),
        {"kind": "Sequential", "arguments": {"layers": [{"layer": i} for i in range(spec.MOST_LAYERS - 1)]}}),
    net(RELU, {"kind": "Sequential", "arguments": {"layers": [{"layer": 0}] * (spec.MOST_PLACES - 2)}}),
    net(RELU | {"name": "a" * spec.MOST_NAME}), net({"kind": "Reshape", "arguments": {"shape": [1] * 16}}),
    called(name="a" * spec.MOST_NAME), graph(inputs=[[2] * 16]), graph(inputs=[[spec.MOST_INTEGER]]),
    linear(in_features=spec.MOST_INTEGER, out_features=1, bias=False),
    net({"kind": "ZeroPad2d", "arguments": {"padding": -spec.MOST_INTEGER}}),
], ids=["layers", "places", "name", "list", "call", "axes", "size", "integer", "least"])  # fmt: skip
def test_a_spec_at_each_limit_is_read(found):
    spec.check(found)


@pytest.mark.parametrize(("found", "text"), [
    (net(*[RELU] * 10_000, HELD), "layers: wanted 1 to 10,000, got 10,001"),
    (net(RELU, {"kind": "Sequential", "arguments": {"layers": [{"layer": 0}] * 99_999}}),
     r"layers\[1\]: wanted at most 100,000 layers in all places, got 100,001 or more"),
    (net(RELU, {"kind": "Sequential", "arguments": {"layers": [{"layer": 0}] * 100_001}}),
     "layers: wanted at most 100,000 in a list, got 100,001"),
    (net(RELU, {"kind": "Sequential", "arguments": {"layers": [{"layer": 0}] * 16 + [1]}}),
     "layers: wanted at most 16 in a list, got 17"),
    (net(RELU | {"name": "a" * 201}), r"layers\[0\].name: wanted a text of 1 to 200 letters"),
    (net(RELU | {"frozen": [3]}), r"layers\[0\].frozen: wanted a text of 1 to 200 letters, got 3"),
    (net({"kind": "Reshape", "arguments": {"shape": [1] * 17}}), "shape: wanted at most 16 in a list, got 1"),
    (net({"kind": "Reshape", "arguments": {"a" * 201: 1}}), "arguments: wanted names of arguments, got 'aaa"),
    (net({"kind": "Reshape", "arguments": {"a b": 1}}), "arguments: wanted names of arguments, got 'a b'"),
    (called(name="a" * 201), r"calls\[0\].name: wanted a text of 1 to 200 letters"),
    (graph(inputs=[[2] * 17]), r"inputs\[0\]: wanted a list of sizes"),
    (graph(inputs=[[2**24 + 1]]), r"inputs\[0\]: wanted a whole number from 1 to 16777216, got 16777217"),
    (called(count=100_001), r"calls\[0\].count: wanted a whole number from 1 to 100000, got 100001"),
])  # fmt: skip
def test_a_spec_just_beyond_a_limit_is_refused(found, text):
    with pytest.raises(ValueError, match=f"{text}"):
        spec.check(found)
