"""Where values lie: nothing is written over what somebody still wants, and little extent is lost."""

import drawn_graphs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cynet
from cynet.interop.c import operations
from cynet.interop.c.arena import ALIGNMENT, planned
from cynet.interop.c.files import arena_of, unit_of
from cynet.interop.c.writing import prepared
from cynet.interop.program.lowering import lower
from cynet.interop.program.steps import Program, Step


def exported(model, *shapes):
    unit = unit_of(prepared(lower(model, *shapes)))
    return unit, arena_of(unit)


def drawn(seed):
    model, shapes = drawn_graphs.graph(seed)
    return model, *shapes


def walked(unit, arena):
    """Do the steps by name alone: whoever writes signs, whoever reads looks for the signature.

    Returns the bytes that are wanted at once, at most: no plan needs less.
    """
    program, signed = unit.program, np.full(arena.size, -1)
    signature = {value: value for value in program.shapes}
    last = {value: i for i, step in enumerate(program.steps) for value in step.inputs}
    last |= dict.fromkeys(program.outputs, len(program.steps))
    made, most = set(), 0

    def part(value):
        extent = arena.values[value]
        assert extent.size >= unit.bytes(value) and extent.offset % ALIGNMENT == 0
        return signed[extent.offset : extent.offset + unit.bytes(value)]

    def look(values):
        for value in values:
            assert value not in arena.values or (part(value) == signature[value]).all()

    for i, step in enumerate(program.steps):
        scratch = [arena.scratch[name] for name, extent in unit.scratches.items() if extent.step == i]
        for extent in scratch:
            signed[extent.offset : extent.offset + extent.size] = -2
        look(step.inputs)
        if operations.is_view(program, step):
            signature[step.output] = signature[step.inputs[0]]
        else:
            part(step.output)[:] = step.output
            places = operations.over(program, step)
            allowed = {value for place, value in enumerate(step.inputs) if place in places}
            look(value for value in step.inputs if value not in allowed)
        made.add(step.output)
        wanted = [value for value in made if last.get(value, i) > i]
        look(wanted)
        for extent in scratch:
            assert (signed[extent.offset : extent.offset + extent.size] == -2).all()
        kept = {signature[value] for value in wanted if value in arena.values}
        most = max(most, sum(map(unit.bytes, kept)))
    look(program.outputs)
    return most


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_values_stay_until_nobody_wants_them(seed):
    unit, arena = exported(*drawn(seed))
    assert walked(unit, arena) <= arena.bound <= arena.size <= 1.5 * arena.bound


def test_hardly_any_room_is_lost():
    plans = [exported(*drawn(seed))[1] for seed in range(20)]
    assert np.mean([arena.size / arena.bound for arena in plans]) < 1.02


@pytest.mark.parametrize("name", ["uwnet2", "resnet20"])
def test_of_known_nets_none_is_lost(name):
    unit, arena = exported(cynet.models.create(name), (32, 32, 3))
    values = sum(unit.bytes(step.output) for step in unit.program.steps)
    assert walked(unit, arena) <= arena.bound == arena.size < values


def chain(*steps, shapes, outputs):
    return Program(dict(enumerate(shapes)), (0,), outputs, steps)


def laid(program, over=(), views=(), scratch=None):
    def size(value):
        return 4 * int(np.prod(program.shapes[value]))

    return planned(program, size, frozenset(views), lambda _: over, scratch)


def curve(source, output):
    return Step("curve", "", (source,), output)


def test_a_value_is_written_over_only_where_nobody_wants_it_later():
    steps = [curve(0, 1), curve(1, 2), Step("add", "", (1, 2), 3)]
    extents = laid(chain(*steps, shapes=[(8,)] * 4, outputs=(3,)), over=(0,)).values
    assert extents[1] is not extents[2] and extents[3] is extents[1]
    assert {extent.offset for extent in extents.values()} == {0, 32}
    extents = laid(
        chain(*steps[:2], shapes=[(8,)] * 3, outputs=(1, 2)), over=(0,)
    ).values  # an output is wanted
    assert extents[1] is not extents[2]


def test_a_step_that_reads_a_value_twice_writes_over_it_only_where_it_may_both_times():
    steps = [curve(0, 1), Step("conv", "", (1, 1), 2)]
    program = chain(*steps, shapes=[(8,)] * 3, outputs=(2,))
    assert laid(program, over=(1,)).values[2] is not laid(program, over=(1,)).values[1]
    arena = laid(program, over=(0, 1))
    assert arena.values[2] is arena.values[1]


def test_views_have_the_room_of_what_they_show():
    steps = [curve(0, 1), Step("reshape", "", (1,), 2), curve(2, 3), Step("reshape", "", (0,), 4)]
    program = chain(*steps, shapes=[(8,)] * 5, outputs=(3, 4))
    arena = laid(program, views=(2, 4))
    assert arena.values[1] is arena.values[2] and arena.views == {4: 0} and arena.size == 64


def test_scratch_is_held_for_a_step_alone():
    program = chain(curve(0, 1), curve(1, 2), shapes=[(8,)] * 3, outputs=(2,))
    arena = laid(program, scratch={"a": (0, 100), "b": (0, 4), "c": (1, 40)})
    assert arena.size == arena.bound == 32 + 112 + 16
    assert arena.scratch["a"].size == 112 and not arena.scratch["a"].meets(arena.scratch["c"])


def test_a_net_without_steps_needs_no_room():
    arena = laid(chain(shapes=[(8,)], outputs=(0,)))
    assert arena.size == arena.bound == 0
