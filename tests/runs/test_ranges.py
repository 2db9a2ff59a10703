"""What each setting may be: the ends of its range, and what is said of a value beyond them."""

import json

import pytest

from cynet.runs.ranges import RANGES, checked, integer, milestones, model_option, number, workers

MOST, MOST_SEED = 2**31 - 1, 2**63 - 1
NAN = float("nan")
COUNT = [1, MOST], [0, -1, MOST + 1, 1.5, True, "x"]
SHARE = [0, 0.5, 0.999], [-0.1, 1, NAN, True, "x"]
FLAG = [True, False], [0, 1, "true", None]
FROM_0 = [0, 0.001, 1e300], [-1e-9, float("inf"), NAN, False, "1"]
NAME = ["a", "x" * 4096], ["", "x" * 4097, "a\0b", 3, True]
TABLE = {
    "model": NAME, "init_from": NAME, "data": NAME, "data_dir": NAME,
    "batch_norm": FLAG, "skip_damaged": FLAG, "balanced": FLAG, "tensorboard": FLAG,
    "augment": ([True, False, "crop:3", "flip,erase:1"], [0, "true", "", "crop,", "crop,crop", None]),
    "validation": SHARE, "momentum": SHARE, "label_smoothing": SHARE, "ema": SHARE,
    "batch_size": COUNT, "steps": COUNT, "evaluate_every": COUNT,
    "patience": COUNT, "checkpoint_every": COUNT,
    "epochs": ([1, 0.01, 9.9, MOST], [0, -1, MOST + 1, NAN, True, "3"]),
    "split_seed": ([0, MOST_SEED], [-1, MOST_SEED + 1, 0.5, False]),
    "seed": ([0, MOST_SEED], [-1, MOST_SEED + 1, 0.5, False]),
    "lr": FROM_0, "weight_decay": FROM_0, "mixup": FROM_0, "checkpoint_minutes": FROM_0,
    "model_option": (['{"a": 1}', '{"a": [1, null], "b": "x"}'],
                     ["", "a", "=1", "{", '{"a b": 1}', "a=NaN", "a=" + "x" * 4097]),
    "accumulate": COUNT, "new_head": FLAG,
    "shards": ([1, 4096], [0, 4097, 1.5, True]), "sync_batch_norm": FLAG,
    "freeze": (["*", "0.*,*.bias", "a[0-9].weight"], ["", ",", "0.*,", " 0.*", "0.*, 1.*", 3, "x" * 4097]),
    "freeze_after": (["0.bias:3", f"*:{MOST},0.*:1"],
                     ["", "*", "*:0", "*:.5", "*:nan", f"*:{MOST + 1}", "0.*:1,", "*:1,*:2", "a:b:1", 3]),
    "lr_factor": (["0.bias:64.0", "*:1e-30,0.*:1.0"],
                  ["", "*", "*:0", "*:-1", "*:nan", "*:inf", "0.*:1,", " *:1", "*:1,*:2", "a:b:1", 3]),
    "whiten": FLAG,
    "optimizer": (["sgd", "nesterov", "adam", "adamw"], ["SGD", "rmsprop", "", 1]),
    "no_decay": (["norm", "bias", "norm,bias"], ["", "norm,", "norm,norm", "norm, bias", "weight", True]),
    "tta": (["flip", "shift", "flip,shift", "diagonal"],
            ["", "flip,", "shift,shift", "flip shift", "crop", True]),
    "lookahead": (["1:0.0", f"{MOST}:0.999", "5:0.5:0.0", "5:0.5:3.0"],
                  ["0:.5", f"{MOST + 1}:.5", "5", "5:1", "5:nan", ":", "", 5, "5:.5:", "5:.5:-1",
                   "5:.5:1:1"]),
    "clip_norm": ([1e-9, 5], [0, -1, NAN, True]),
    "schedule": (["constant", "steps", "cosine", "one-cycle", "triangular"], ["step", "", 1]),
    "class_weights": (["none", "balanced"], ["even", True]),
    "lr_steps": (["1:0", "300:.01,420:.001"], ["0:.1", "5", "5:x", "5:.1,5:.2", "6:.1,5:.2", "5:-1", "", 3]),
    "image_size": (["1x1", "48x64"], ["", "48x", "0x3", "48x64x3", 48]),
    "layout": (["NCHW", "NHWC", "NHW", "NLC", "NCL", "NF"], ["CHW", "nchw", "", 4]),
    "sequence_length": ([1, 65536], [0, 65537, 1.5, True]),
    "level": (["character", "word"], ["letter", "", 1]), "fold": FLAG, "random_starts": FLAG,
    "lr_drop": (["1:0.0", f"{MOST}:2.0"],
                ["0:.5", f"{MOST + 1}:.5", "5", "5:-1", "5:nan", ":", "", 5, "5:.5:"]),
    "task": (["classify", "multilabel", "regress", "language"], ["regression", "", True]),
    "loss": (["mse", "l1", "huber"], ["MSE", "bce", 1]),
    "warmup": ([0, MOST], [-1, MOST + 1, 0.5]),
    "threads": ([1, 1024], [0, 1025, "auto"]),
    "workers": ([0, 64, "auto"], [-1, 65, "many", True]),
}  # fmt: skip


def test_the_table_is_whole():
    assert set(TABLE) == set(RANGES)


@pytest.mark.parametrize("name", TABLE)
def test_a_setting_is_taken_to_its_very_ends_and_not_beyond(name):
    good, bad = TABLE[name]
    for value in good:
        found = checked(name, value)
        assert found == (milestones(value) if name == "lr_steps" else value)
    for value in bad:
        with pytest.raises(ValueError, match=f"^{name}: wanted "):
            checked(name, value)


@pytest.mark.parametrize(("parse", "text", "words"), [
    (integer(2, 5), "1", "wanted a whole number of at least 2, got '1'"),
    (integer(2, 5), "6", "wanted a whole number from 2 to 5, got '6'"),
    (integer(2, 5), "x", "wanted a whole number of at least 2, got 'x'"),
    (number(0), "-1", "wanted a number of at least 0, got '-1'"),
    (number(0.5, 1), "1", "wanted a number of at least 0.5 and below 1, got '1'"),
    (RANGES["clip_norm"].parse, "0", "wanted a number above 0, got '0'"),
    (RANGES["schedule"].parse, "cosin", "wanted one of constant, steps, cosine, one-cycle, triangular, got "
     "'cosin' (did you mean cosine?)"),
    (RANGES["schedule"].parse, "xyz",
     "wanted one of constant, steps, cosine, one-cycle, triangular, got 'xyz'"),
    (RANGES["optimizer"].parse, "adamW",
     "wanted one of sgd, nesterov, adam, adamw, got 'adamW' (did you mean adamw?)"),
    (RANGES["no_decay"].parse, "bias,norms", "wanted one of norm, bias, got 'norms' (did you mean norm?)"),
    (RANGES["tta"].parse, "flip,flip", "wanted each of flip, shift, diagonal at most once, got 'flip,flip'"),
    (RANGES["freeze"].parse, "0.*,", "wanted patterns such as 0.*,*.bias without blanks between, got '0.*,'"),
    (RANGES["lookahead"].parse, "5",
     "wanted STEPS:DECAY or STEPS:DECAY:POWER, from 1 step on, a decay from 0 to below 1 and a power of at "
     "least 0, such as 5:.5, got '5'"),
    (RANGES["lr_factor"].parse, "*.bias:64,0.*",
     "wanted PATTERN:NUMBER,... such as *.bias:64, each once, got '0.*' in '*.bias:64,0.*'"),
    (RANGES["freeze_after"].parse, "0.*:1.5", "wanted PATTERN:NUMBER,... such as 0.bias:3, each once, got "
     "'0.*:1.5' in '0.*:1.5'"),
    (RANGES["epochs"].parse, "0", f"wanted a number above 0 and at most {MOST}, got '0'"),
    (workers, "65", "wanted a whole number from 0 to 64, got '65' (or auto)"),
    (milestones, "5:.1,x", "wanted STEP:RATE,... such as 300:.01,420:.001, got 'x' in '5:.1,x'"),
    (milestones, "5:.1,5:.2", "wanted steps above 0 that increase, got 5 after 5 in '5:.1,5:.2'"),
    (milestones, "0:.1", "wanted steps above 0 that increase, got 0 after 0 in '0:.1'"),
    (milestones, "1" * 100_001, "wanted at most 100,000 letters, got 100,001"),
    (RANGES["model"].parse, "a" * 4097, f"wanted a name of at most 4,096 letters, got '{'a' * 79}... (4,099 "
     "letters)"),
    (RANGES["model"].parse, "a\0", "wanted a name without NUL, got 'a\\x00'"),
    (RANGES["model"].parse, "", "wanted a name, got ''"),
])  # fmt: skip
def test_what_is_wanted_is_said_with_what_was_got(parse, text, words):
    with pytest.raises(ValueError) as caught:
        parse(text)
    assert str(caught.value) == words


def test_the_longest_texts_and_numbers_are_cut_where_they_are_shown():
    for value, shown in (
        ("x" * 78, repr("x" * 78)), ("x" * 79, f"'{'x' * 79}... (81 letters)"),
        (1 << 64, "a whole number of 65 bits"),
    ):  # fmt: skip
        with pytest.raises(ValueError) as caught:
            checked("seed", value)
        assert str(caught.value) == f"seed: wanted a number, got {shown}"
    assert checked("lr_steps", "1:0.5") == {1: 0.5} and milestones("1:.5,100000:0") == {1: 0.5, 100000: 0}


@pytest.mark.parametrize(("name", "text", "wanted"), [
    ("no_decay", "bias,norm", "norm,bias"), ("tta", "shift,flip", "flip,shift"),
    ("lookahead", "05:.50", "5:0.5"),
])  # fmt: skip
def test_what_means_the_same_is_written_the_same(name, text, wanted):
    assert RANGES[name].parse(text) == checked(name, text) == wanted


@pytest.mark.parametrize(("text", "value"), [
    (".5", 0.5), ("5.", 5.0), ("-.5", -0.5), ("1e-3", 1e-3), ("+2", 2.0), ("nan", "nan"), ("inf", "inf"),
    (".", "."), ("1_0", "1_0"), ("true", True), ("x", "x"), (".5.", ".5."),
])  # fmt: skip
def test_options_of_a_net_are_numbers_however_they_are_spelled(text, value):
    assert model_option(f"a={text}") == json.dumps({"a": value})
