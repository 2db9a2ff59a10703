"""The texts of a net as C, line by line: pointers, calls, sizes, what the program beside it prints."""

import re

import numpy as np
import pytest

import cynet
from cynet.interop.c import joining, literals, source, tables, writing
from cynet.interop.c.ends import Whole
from cynet.interop.c.files import arena_of, texts, unit_of
from cynet.interop.c.tables import Lying, Windows, lying
from cynet.interop.c.trial import trial
from cynet.interop.c.unit import bounds
from cynet.interop.c.writing import checked_name, prepared
from cynet.interop.int8.quantizing import quantized
from cynet.interop.program.folding import with_pixels
from cynet.interop.program.lowering import lower
from cynet.interop.program.steps import Program, Step
from cynet.kernels.resize import places

RNG = np.random.default_rng(3)


# -- literals ------------------------------------------------------------------------------------------------
def test_nine_digits_tell_a_number_from_its_neighbours():
    bits = RNG.integers(0, 2**32, 2000, np.uint32)
    values = np.append(bits, np.uint32([0x3F800001, 0x7F7FFFFF, 1, 0x80000000])).view(np.float32)
    for value in values[np.isfinite(values)]:
        text = literals.number(value)
        assert text[-1] == "f" and np.float32(text[:-1]).tobytes() == value.tobytes(), text
    assert [literals.number(x) for x in (1, 0.1, -2.5, 1e10, np.nan, np.inf, -np.inf)] == [
        "1.0f", "0.100000001f", "-2.5f", "1e+10f", "NAN", "INFINITY", "-INFINITY",
    ]  # fmt: skip


def test_texts_are_quoted_for_every_reader_of_c():
    assert literals.quoted('a"b\\c 1?é\n') == '"a\\042b\\134c \\061\\077\\303\\251\\012"'
    assert literals.quoted("plain (text) [x]{y}~!#%&'*+,-./:;<=>@^_`|") == (
        '"plain (text) [x]{y}~!#%&\'*+,-./:;<=>@^_`|"'
    )
    assert literals.remark("a/b*/c é\\ ok_1 (x)[y]+=-:;,.") == "a?b??c ?? ok_1 (x)[y]+=-:;,."


def test_short_constants_are_numbers_and_long_ones_bytes(monkeypatch):
    values = np.arange(10, dtype=np.int16)
    assert literals.array("a", values, "int16_t") == (
        "static const int16_t a[] = {\n    0, 1, 2, 3, 4, 5, 6, 7,\n    8, 9,\n};\n", "a",
    )  # fmt: skip
    half = np.array([[0.5, -1]], np.float32)
    assert literals.array("b", half, "float")[0] == "static const float b[] = {\n    0.5f, -1.0f,\n};\n"
    for nbytes, text in ((2**16 - 4, False), (2**16, True)):
        made, pointer = literals.array("c", np.zeros(nbytes // 4, np.int32), "int32_t")
        assert made.startswith(literals.BYTES) == text and pointer == ("c.numbers" if text else "c")
    monkeypatch.setattr(literals, "LONG", 100)
    values = np.arange(60, dtype=">i2")
    made, pointer = literals.array("d", values, "int16_t")
    head = "static const union { char bytes[121]; int16_t numbers[60]; } d = {\n"
    lines = made.removeprefix(head).removesuffix("};\n").splitlines()
    assert made.startswith(head) and pointer == "d.numbers" and len(lines) == 2
    told = "".join(line.strip().strip('"') for line in lines)
    data = re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), told).encode("latin-1")
    assert (
        data == values.astype("<i2").tobytes()
        and len(re.findall(r"\\\d{3}|[^\\]", lines[0].strip()[1:-1])) == 96
    )


# -- what the net's own files say ----------------------------------------------------------------------------
def whole_of(program, classes=(), name="net", ranked=True):
    unit = unit_of(program)
    return Whole(unit, arena_of(unit), classes, name, ranked)


def several_ends():
    """A net of two inputs and two outputs, one of them a view of an input."""
    x, y = cynet.Input((2, 3)), cynet.Input((4,))
    return cynet.Graph([x, y], [cynet.Reshape((6,))(x), cynet.Tanh()(cynet.Sigmoid()(y))])


def test_lines_of_a_net_of_several_ends():
    whole = whole_of(prepared(lower(several_ends(), (2, 3), (4,))))
    assert source._body(whole) == [
        "unsigned char *const bytes = arena;",
        "const float *const v1 = input_1;",
        "const float *const v2 = input_0;",
        "float *const v3 = (void *)(bytes + 0);",
        "float *const v4 = (void *)(bytes + 0);",
        "curve_sigmoid(v1, v3, 4); /* 1 */",
        "curve_tanh(v3, v4, 4); /* 2 */",
        "memcpy(output_0, v2, 24);",
        "memcpy(output_1, v4, 16);",
    ]
    assert source._sizes(whole) == [
        "#define NET_ARENA 16 /* bytes */", "#define NET_INPUT_0_SIZE 6", "#define NET_INPUT_1_SIZE 4",
        "#define NET_OUTPUT_0_SIZE 6", "#define NET_OUTPUT_1_SIZE 4",
    ]  # fmt: skip
    assert source._layout(whole) == [
        " *     float input_0[2][3]", " *     float input_1[4]", " *     float output_0[6]",
        " *     float output_1[4]",
    ]  # fmt: skip
    header = source.header(whole)
    both = "const float *input_0, const float *input_1, float *output_0, float *output_1"
    assert f"void net_run({both});\nvoid net_run_in(void *arena, {both});\n" in header
    assert "expf, memcpy, tanhf." in header and "_classes" not in header and "HEIGHT" not in header


def test_lines_of_a_net_that_does_nothing():
    whole = whole_of(Program({0: ()}, (0,), (0,), ()), name="Eye")
    assert source._body(whole) == [
        "(void)arena;", "const float *const v0 = input;", "memcpy(output, v0, 4);",
    ]  # fmt: skip
    assert source._layout(whole) == [" *     float input[1]", " *     float output[1]"]
    assert source._sizes(whole)[:2] == ["#define EYE_ARENA 16 /* bytes */", "#define EYE_INPUT_SIZE 1"]


def test_pictures_and_classes_have_their_sizes():
    model = cynet.Sequential(cynet.Conv2d(3, 2, 3), cynet.GlobalAvgPool2d())
    program = with_pixels(prepared(lower(model, (6, 5, 3))), (0,) * 3, (1,) * 3)
    whole = whole_of(program, ("a", "ü"), "eye")
    assert source._sizes(whole)[1:] == [
        "#define EYE_INPUT_SIZE 90", "#define EYE_OUTPUT_SIZE 2", "#define EYE_HEIGHT 6",
        "#define EYE_WIDTH 5", "#define EYE_CHANNELS 3", "#define EYE_CLASSES 2",
    ]  # fmt: skip
    text = source.source(whole)
    assert 'const char *const eye_classes[2] = {\n    "a",\n    "\\303\\274",\n};\n' in text
    assert "extern const char *const eye_classes[EYE_CLASSES];" in source.header(whole)
    assert source._layout(whole)[0] == " *     uint8_t input[6][5][3], rows of pixels, 0 to 255"
    plain = whole_of(prepared(lower(model, (6, 5, 3))))
    assert source._layout(plain)[0] == " *     float input[6][5][3], rows of pixels"
    assert "typedef int16_t place;" in text and source.ORDER not in text


def test_constants_and_memory_are_asked_for_once_and_by_their_kind():
    unit = unit_of(prepared(lower(cynet.Tanh(), (4,))))
    unit.begin(3)
    assert unit.array("a", np.zeros(4), "int8") == "a_3" != unit.array("a", np.zeros(1), "int32") == "a_3_"
    assert unit.array("b", np.zeros((2, 2)), "int8") == "a_3" and len(unit.constants) == 2
    assert (unit.scratch(5), unit.scratch(5, "int8"), unit.scratch(5, "int32")) == (
        "scratch_3", "scratch_3_", "scratch_3__",
    )  # fmt: skip
    assert [one.bytes for one in unit.scratches.values()] == [20, 5, 20]
    assert {one.step for one in unit.scratches.values()} == {3}
    assert unit.struct("s", {"a": 1.0, "b": {"c": 2, "d": np.inf}}) == "&s_3"
    assert unit.constants[-1] == "static const struct s s_3 = {.a = 1.0f, .b = {.c = 2, .d = INFINITY}};\n"


def test_a_picture_among_several_inputs_has_no_sizes_of_its_own():
    x, y = cynet.Input((2, 3, 1)), cynet.Input((2, 3, 1))
    whole = whole_of(prepared(lower(cynet.Graph([x, y], cynet.Add()(x, y)), (2, 3, 1), (2, 3, 1))))
    assert not any("HEIGHT" in line for line in source._sizes(whole)) and len(source._sizes(whole)) == 4


@pytest.mark.parametrize(("shape", "place"), [
    ((1, 2**15 - 1, 1), "int16"), ((1, 2**15, 1), "int32"), ((2**15, 1, 1), "int32"),
    ((1, 1, 2**15), "int16"),
])  # fmt: skip
def test_places_of_long_pictures_have_more_bits(shape, place):
    assert unit_of(Program({0: shape}, (0,), (0,), ())).place == place


def test_the_order_of_bytes_is_asked_for_where_constants_are_bytes(monkeypatch):
    program = prepared(lower(cynet.Linear(40, 20), (40,)))
    assert source.ORDER not in source.source(whole_of(program))
    monkeypatch.setattr(literals, "LONG", 1000)
    assert source.ORDER in source.source(whole_of(program))


def test_eight_bits_tell_what_they_stand_for():
    samples = RNG.standard_normal((9, 3)).astype(np.float32)
    program = quantized(cynet.Linear(3, 2), (3,), samples)
    whole, own = whole_of(program), program.answer
    assert source._sizes(whole)[3:] == [
        f"#define NET_OUTPUT_SCALE {literals.number(own.scale)}", f"#define NET_OUTPUT_ZERO ({own.zero})",
    ]  # fmt: skip
    assert source._layout(whole) == [
        " *     float input[3]",
        " *     int8_t output[2], real numbers are NET_OUTPUT_SCALE * (they - NET_OUTPUT_ZERO)",
    ]


# -- the program beside it -----------------------------------------------------------------------------------
def test_what_the_program_prints_of_classes_and_of_numbers():
    def of(*layers, shape=(3,), **options):
        return trial(whole_of(prepared(lower(cynet.Sequential(*layers), shape)), **options))

    best, numbers = "print_answer(void)\n{\n    enum { SIZE", "print_answer(void)\n{\n    print_outputs();\n}"
    logits = of(cynet.Linear(3, 2))
    assert best in logits and "sum += expf(real[i] - most);" in logits and '"%s%d %.1f %%"' in logits
    assert (
        "(double)(expf(real[best] - most) / sum)" in logits
        and "For each sample a line is printed: the best" in logits
    )
    shares = of(cynet.Linear(3, 2), cynet.Softmax())
    assert "sum += real[i];" in shares and "(double)(real[best] / sum)" in shares
    named = of(cynet.Linear(3, 2), classes=("a", "b"), name="eye")
    assert '"%s%s %.1f %%", shown ? ", " : "", eye_classes[best]' in named
    inner = of(cynet.Linear(3, 2), cynet.Softmax(), cynet.Linear(2, 2))
    assert "sum += expf(real[i] - most);" in inner
    for other in (
        of(cynet.Linear(3, 1)), of(cynet.Linear(3, 2), ranked=False), of(cynet.ReLU(), shape=(2, 3)),
        trial(whole_of(prepared(lower(several_ends(), (2, 3), (4,))))),
    ):  # fmt: skip
        assert numbers in other and best not in other and "a line is printed: the outputs." in other


def test_what_the_program_reads():
    model = cynet.Sequential(cynet.GlobalAvgPool2d())
    for channels, ending, digit in ((1, "pgm", "5"), (3, "ppm", "6"), (2, None, None)):
        program = with_pixels(prepared(lower(model, (6, 5, channels))), (0,) * channels, (1,) * channels)
        text = trial(whole_of(program))
        assert (f'is_named(name, ".{ending}")' in text) == (ending is not None)
        assert (f"or a picture in a .{ending} file" in text) == (ending is not None)
        assert (f"getc(file) != '{digit}'" in text) == (ending is not None)
        assert ("if (!fits(file, name))" in text) == (ending is not None)
        floats = trial(whole_of(prepared(lower(model, (6, 5, channels)))))
        assert "is_named" not in floats and "fits" not in floats
    text = trial(whole_of(prepared(lower(several_ends(), (2, 3), (4,)))))
    assert "one after another: float input_0[2][3], then float input_1[4].\n" in text
    assert (
        "#define SAMPLE (sizeof input_0 + sizeof input_1)" in text
        and "static float output_1[NET_OUTPUT_1" in text
    )
    assert "bytes += fread(input_0, 1, sizeof input_0, file);\n    bytes += fread(input_1," in text
    assert "net_run(input_0, input_1, output_0, output_1);" in text


# -- joined steps --------------------------------------------------------------------------------------------
def steps_of(model, *shapes):
    return [
        (step.operation, len(step.inputs), (step.after or {}).get("kind"))
        for step in prepared(lower(model, *shapes)).steps
    ]


def test_sums_are_done_where_the_later_of_two_is_written_and_can_be():
    x = cynet.Input((4, 4, 3))

    def conv(**options):
        return cynet.Conv2d(3, 3, 3, padding=1, **options)

    def summed(make):
        y = cynet.Tanh()(x)
        return steps_of(cynet.Graph(x, make(y)), x.shape)

    tanh = ("curve", 1, None)
    assert summed(lambda y: cynet.Add()(y, conv()(y))) == [tanh, ("conv", 2, None)]
    assert summed(lambda y: cynet.ReLU()(cynet.Add()(conv()(y), y))) == [tanh, ("conv", 2, "relu")]
    bent = summed(lambda y: cynet.Add()(cynet.ReLU()(conv()(y)), y))
    assert bent == [tanh, ("conv", 1, "relu"), ("add", 2, None)]
    assert summed(lambda y: cynet.Add()(conv(groups=3)(y), y)) == [tanh, ("conv", 1, None), ("add", 2, None)]

    def taken_twice(y):
        z = conv()(y)
        return [cynet.Add()(z, y), cynet.Sigmoid()(z)]

    twice = steps_of(cynet.Graph(x, taken_twice(cynet.Tanh()(x))), x.shape)
    assert twice == [tanh, ("conv", 1, None), ("add", 2, None), ("curve", 1, None)]
    both = summed(lambda y: cynet.Add()(cynet.Add()(conv()(y), conv()(y)), y))
    assert both == [tanh, ("conv", 1, None), ("conv", 2, None), ("add", 2, None)]
    assert summed(lambda y: cynet.Add()(y, y)) == [tanh, ("add", 2, None)]
    three = summed(lambda y: cynet.Add()(y, conv()(y), y))
    assert three == [tanh, ("conv", 1, None), ("add", 3, None)]


def test_the_other_term_of_a_sum_is_there_when_it_is_added():
    """The convolution that comes last takes the other's output, in whichever order they are added."""
    x = cynet.Input((4, 4, 3))
    one, two = cynet.Conv2d(3, 3, 1)(x), cynet.Conv2d(3, 3, 1)(x)
    for terms in ((one, two), (two, one)):
        program = prepared(lower(cynet.Graph(x, cynet.Add()(*terms)), x.shape))
        first, second = program.steps
        assert second.inputs == (program.inputs[0], first.output) and second.output == program.outputs[0]


def test_flattening_goes_into_the_weights_behind_it_where_they_alone_take_it():
    linear = cynet.Linear(24, 5)
    flat = cynet.Sequential(cynet.MaxPool2d(1), cynet.Flatten(), linear)
    _, reshape, step = prepared(lower(flat, (2, 3, 4))).steps
    assert reshape.operation == "reshape"
    moved = linear.weight.data.reshape(5, 4, 2, 3).transpose(0, 2, 3, 1).reshape(5, 24)
    np.testing.assert_array_equal(step.arrays["weight"], moved)
    x = cynet.Input((2, 3, 4))
    y = cynet.Flatten()(x)
    program = prepared(lower(cynet.Graph(x, [cynet.Linear(24, 5)(y), y]), x.shape))
    assert program.steps[0].operation == "flatten"
    for shape, stays in (
        ((1, 1, 4), False),
        ((3, 2, 1), False),
        ((1, 3, 4), True),
        ((3, 1, 4), True),
        ((5, 1), False),
    ):
        (step,) = prepared(lower(cynet.Flatten(), shape)).steps
        assert step.operation == ("flatten" if stays else "reshape"), shape


def test_sums_of_one_value_are_that_value():
    for operation in ("add", "multiply", "concatenate"):
        for after, wanted in ((None, "reshape"), ({"kind": "elu", "alpha": 2.0}, "curve")):
            step = Step(operation, "a", (0,), 1, after=after)
            (found,) = joining.without_single_sums(Program({0: (3,), 1: (3,)}, (0,), (1,), (step,))).steps
            assert (found.operation, dict(found.numbers), found.after) == (wanted, after or {}, None)


def test_what_is_of_each_channel_by_itself():
    for layer, channels, alone in (
        (cynet.Conv2d(4, 4, 3, groups=4), 4, True), (cynet.Conv2d(4, 8, 3, groups=4), 4, False),
        (cynet.Conv2d(4, 4, 3, groups=2), 4, False), (cynet.Conv2d(1, 1, 3), 1, False),
        (cynet.ConvTranspose2d(4, 4, 3, groups=4), 4, False),
    ):  # fmt: skip
        program = lower(layer, (5, 5, channels))
        assert joining.depthwise(program, program.steps[0]) == alone


def test_bounds_are_curves_that_do_no_more():
    kinds = {"relu": (0, np.inf), "relu6": (0, 6), "tanh": (-np.inf, np.inf)}
    for kind, wanted in kinds.items():
        assert bounds(Step("conv", "", (0,), 1, after={"kind": kind})) == wanted
    assert bounds(Step("conv", "", (0,), 1)) == (-np.inf, np.inf)


# -- tables --------------------------------------------------------------------------------------------------
CONVOLUTIONS = [
    ((8, 9, 3), {"kernel_size": 3, "padding": 1}), ((8, 20, 3), {"kernel_size": 3, "stride": 2}),
    ((8, 9, 4), {"kernel_size": (3, 1), "groups": 2}), ((5, 4, 2), {"kernel_size": 3}),
    ((9, 22, 2), {"kernel_size": 3, "dilation": 2, "padding": 2}),
    ((9, 22, 2), {"kernel_size": (3, 1), "dilation": (2, 1), "padding": (2, 0)}),
    ((8, 9, 2), {"kernel_size": 1}), ((8, 9, 2), {"kernel_size": 1, "stride": 2}),
    ((8, 12, 2), {"kernel_size": 3, "padding": 2, "padding_mode": "reflect"}),
    ((7, 12, 2), {"kernel_size": 3, "padding": 2, "padding_mode": "circular"}),
    ((7, 12, 4), {"kernel_size": 3, "groups": 2, "padding": 1}),
    ((2, 12, 2), {"kernel_size": (1, 2), "padding": (0, 0, 0, 1)}),
    ((8, 12, 2), {"kernel_size": (3, 1), "padding": (0, 4), "padding_mode": "circular"}),
    ((14, 9, 2), {"kernel_size": (1, 3), "padding": (4, 0), "padding_mode": "circular"}),
    ((3, 18, 2), {"kernel_size": (1, 3), "padding": (0, 1)}), ((3, 12, 2), {"kernel_size": (3, 1)}),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "options"), CONVOLUTIONS, ids=range(len(CONVOLUTIONS)))
def test_windows_lie_where_they_are_said_to_lie(shape, options):
    """All that are read in place are even, one after another, without zeros; the others are copied."""
    program = lower(cynet.Conv2d(shape[2], 4, **options), shape)
    (step,) = program.steps
    found, laid = tables.of_convolution(step, shape, program.shapes[step.output])
    groups = len(laid)
    span, width, channels = lying(found, groups), found.given[1], shape[2]
    for row in range(span.top, span.bottom):
        start = (found.rows[row, 0] * width + found.columns[span.left, 0]) * channels
        for column in range(span.left, span.right):
            seen = found.rows[row][:, None] * width + found.columns[column]
            assert (found.rows[row] >= 0).all() and (found.columns[column] >= 0).all()
            across = np.arange(seen.shape[1])
            line = np.arange(seen.shape[0])[:, None] * span.line
            wanted = start + (column - span.left) * span.pixel + line + across * channels
            np.testing.assert_array_equal(seen * channels, wanted)
    assert span.right - span.left >= 6 or (span.right, span.bottom) == (0, 0)
    six = range(0, found.out[0] * found.out[1], 6)
    inside = [
        span.top <= p // found.out[1] < span.bottom and span.left <= p % found.out[1] <= span.right - 6
        for p in six
    ]
    assert span.copies(found) == (not all(inside) or found.out[0] * found.out[1] % 6 != 0)


def test_how_many_windows_need_no_copy():
    def of(shape, **options):
        program = lower(cynet.Conv2d(shape[2], 4, **options), shape)
        found, laid = tables.of_convolution(program.steps[0], shape, program.shapes[program.outputs[0]])
        return lying(found, len(laid))

    assert of((8, 9, 3), kernel_size=3, padding=1) == Lying(1, 7, 1, 8, 3, 27)
    assert of((8, 20, 3), kernel_size=3, stride=2) == Lying(0, 3, 0, 9, 6, 60)
    assert of((8, 9, 2), kernel_size=1) == Lying(0, 1, 0, 72, 2, 0)
    assert of((8, 8, 3), kernel_size=3) == Lying(0, 6, 0, 6, 3, 24)
    assert of((8, 7, 3), kernel_size=3) == Lying(), "five in a row"
    assert of((8, 9, 4), kernel_size=(3, 1), groups=2) == Lying(0, 6, 0, 9, 4, 36)
    assert of((8, 12, 4), kernel_size=3, groups=2) == Lying(), "the pixels of a group lie apart"
    assert of((8, 20, 2), kernel_size=3, dilation=2) == Lying()


def test_weights_are_panels_of_sixteen_and_biases_are_padded():
    laid = RNG.standard_normal((2, 3, 2, 18)).astype(np.float32)
    found = tables.packed(laid)
    assert found.dtype == np.float32 and len(found) == 2 * 6 * 20
    for group in range(2):
        rows = laid[group].reshape(6, 18)
        first, second = np.split(found[group * 120 : (group + 1) * 120], [96])
        np.testing.assert_array_equal(first.reshape(6, 16), rows[:, :16])
        np.testing.assert_array_equal(second.reshape(6, 4), np.pad(rows[:, 16:], ((0, 0), (0, 2))))
    bias = np.arange(6.0)
    assert tables.biases(bias, 2, 3).tolist() == [[0, 1, 2, 0], [3, 4, 5, 0]]
    assert tables.biases(None, 1, 5).tolist() == [[0.0] * 8]


def test_of_areas_and_of_rows():
    found = tables.of_areas((5, 4, 2), (3, 2, 2))
    assert found.rows.tolist() == [[0, 1, -1], [1, 2, 3], [3, 4, -1]] and found.columns.tolist() == [
        [0, 1],
        [2, 3],
    ]
    assert places.areas(5, 3)[0].tolist() == [[0, 1, 3], [2, 4, 5]]
    rows = tables.of_rows(7, 3, 2)
    assert (rows.given, rows.out, rows.count, rows.same) == ((1, 7, 3), (1, 7, 2), 1, True)
    blind = tables._seen(np.full((3, 2), -1))
    assert blind.tolist() == [0] and tables._seen(np.array([[-1, 2, -1], [-1, -1, 0]])).tolist() == [1, 2]
    assert Windows((1, 1, 1), (1, 1, 1), np.zeros((1, 2)), np.zeros((1, 3))).count == 6


# -- folders and names ---------------------------------------------------------------------------------------
def test_names_that_c_can_take():
    for name in ("a", "A_1", "x" * 40, "mains", "cortexes"):
        assert checked_name(name) == name
    for name in ("", "_a", "x" * 41, "a b", "é", "a\n", "main", "MAIN", "cortex", "Cortex"):
        with pytest.raises(
            ValueError, match=r"^name: wanted a letter, then letters, digits and _, at most 40"
        ):
            checked_name(name)


def tiny():
    return cynet.Linear(2, 2)


def test_the_files_of_the_longest_name_are_known_again(tmp_path):
    for _ in range(2):
        cynet.interop.save_c(tiny(), tmp_path, (2,), name="n" * 40, classes=["a" * 500, "b"])


def test_a_folder_called_as_a_file_of_somebody_elses_is_no_other_program(tmp_path):
    (tmp_path / "Makefile").mkdir()
    with pytest.raises(OSError):
        cynet.interop.save_c(tiny(), tmp_path, (2,))


def test_a_folder_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    cynet.interop.save_c(tiny(), "~/a/net", (2,), classes=["ü", "b"])
    assert (tmp_path / "a" / "net" / "net.c").is_file()


def test_files_are_replaced_through_links_as_a_whole(tmp_path):
    (tmp_path / "place").mkdir()
    (tmp_path / "elsewhere.h").write_text("old")
    (tmp_path / "place" / "net.h").symlink_to(tmp_path / "elsewhere.h")
    cynet.interop.save_c(tiny(), tmp_path / "place", (2,))
    assert (tmp_path / "place" / "net.h").is_symlink() and "net_run" in (tmp_path / "elsewhere.h").read_text()


def test_bytes_enter_as_the_loader_has_them():
    mean, std = (0.1, 0.5, 0.3), (0.2, 0.3, 1.5)
    wanted = np.stack([(np.arange(256) / 255 - m) / s for m, s in zip(mean, std, strict=True)])
    np.testing.assert_array_equal(writing._levels(mean, std), wanted.T.astype(np.float32))
    program = with_pixels(prepared(lower(cynet.GlobalAvgPool2d(), (2, 2, 3))), mean, std)
    text = texts(program)["net.c"]
    (numbers,) = re.findall(r"static const float levels_0\[\] = \{(.*?)\};", text, re.DOTALL)
    found = [np.float32(one.strip("f\n ")) for one in numbers.split(",")[:-1]]
    np.testing.assert_array_equal(np.reshape(found, (3, 256)), wanted.astype(np.float32))
