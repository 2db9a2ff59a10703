"""Every setting of a run with what is promised of it, written down once more and by hand."""

from dataclasses import dataclass

INT, SEED = 2**31 - 1, 2**63 - 1


@dataclass(frozen=True)
class Promise:
    """What a setting is.

    Attributes
    ----------
    default : object
    other : str, or tuple of str
        Flags that change it, and others that it takes for it to matter.
    given : object
        What `other` makes of it.
    free : bool
        Whether a run that goes on may have another one: the weights do not depend on it.
    takes, refuses : tuple of str
        Texts at the very ends of what is allowed, and just beyond.
    shown : str or None
        What help says the default is.
    """

    default: object
    other: tuple
    given: object
    free: bool = False
    takes: tuple = ()
    refuses: tuple = ()
    shown: str | None = None


def _flags(text):
    return tuple(text.split())


SETTINGS = {
    "model": Promise("uwnet2", _flags("--model uwnet1"), "uwnet1", refuses=("",), shown="uwnet2"),
    "model_option": Promise(
        None,
        _flags("--model-option width=8"),
        '{"width": 8}',
        takes=("a=", "a=[1]", '{"a": {"b": null}}'),
        refuses=("", "a", "=1", "a b=1", "{", '{"a b": 1}', "a=NaN"),
    ),
    "batch_norm": Promise(True, _flags("--no-batch-norm"), False, shown="yes"),
    "init_from": Promise(None, _flags("--init-from WEIGHTS"), "WEIGHTS", refuses=("",)),
    "new_head": Promise(False, _flags("--new-head --init-from WEIGHTS"), True, shown="no"),
    "freeze": Promise(
        None,
        _flags("--freeze 0.*"),
        "0.*",
        takes=("*.bias", "0.*,3.weight"),
        refuses=("", "0.*,", "0.*, 3.*"),
    ),
    "freeze_after": Promise(
        None,
        _flags("--freeze-after *.bias:1"),
        "*.bias:1",
        takes=("0.weight:3", "0.*:1,3.weight:2147483647"),
        refuses=("", "0.*", "0.*:0", "0.*:1.5", "0.*:1,", "0.*:1,0.*:2", ":1", "a:b:1"),
    ),
    "whiten": Promise(False, _flags("--whiten"), True, shown="no"),
    "data": Promise("shapes10", _flags("--data tiny2"), "tiny2", refuses=("",), shown="shapes10"),
    "data_dir": Promise(None, _flags("--data-dir ."), ".", True, refuses=("",)),
    "skip_damaged": Promise(False, _flags("--skip-damaged"), True, shown="no"),
    "image_size": Promise(
        None,
        _flags("--image-size 48x64"),
        "48x64",
        takes=("1x1", "48x64", "16384x16384"),
        refuses=("", "48x", "0x3", "48x64x3", "a"),
        shown="32x32",
    ),
    "layout": Promise(
        None,
        _flags("--layout NHWC"),
        "NHWC",
        takes=("NCHW", "NHWC", "NHW", "NLC", "NCL", "NF"),
        refuses=("", "CHW"),
    ),
    "sequence_length": Promise(
        None,
        _flags("--sequence-length 7"),
        7,
        takes=("1", "65536"),
        refuses=("0", "65537", "1.5"),
        shown="100",
    ),
    "level": Promise(
        None,
        _flags("--level word"),
        "word",
        takes=("character", "word"),
        refuses=("", "letter"),
        shown="character",
    ),
    "fold": Promise(False, _flags("--fold"), True, shown="no"),
    "random_starts": Promise(False, _flags("--random-starts"), True, shown="no"),
    "task": Promise(
        None,
        _flags("--task regress"),
        "regress",
        takes=("classify", "multilabel", "regress", "language"),
        refuses=("", "segment"),
        shown="what they tell",
    ),
    "loss": Promise(
        None, _flags("--loss huber"), "huber", takes=("mse", "l1", "huber"), refuses=("", "bce"), shown="mse"
    ),
    "augment": Promise(
        False,
        _flags("--augment"),
        True,
        takes=("crop", "crop:2:reflect,flip:.3,cutmix", "erase:1:value=-1"),
        refuses=("", "crop,", "crip", "crop:x", "rotate:361", "mixup,cutmix", "random-resized-crop:sizes=8"),
        shown="no",
    ),
    "validation": Promise(
        0.0,
        _flags("--validation .25"),
        0.25,
        takes=("0", "0.999"),
        refuses=("-0.001", "1", "nan"),
        shown="0.0",
    ),
    "split_seed": Promise(
        0,
        _flags("--split-seed 3 --validation .25"),
        3,
        takes=("0", str(SEED)),
        refuses=("-1", str(SEED + 1), "1.5"),
        shown="0",
    ),
    "batch_size": Promise(
        128, _flags("--batch-size 7"), 7, takes=("1", str(INT)), refuses=("0", str(INT + 1)), shown="128"
    ),
    "accumulate": Promise(
        1, _flags("--accumulate 2"), 2, takes=("1", str(INT)), refuses=("0", str(INT + 1)), shown="1"
    ),
    "shards": Promise(
        1, _flags("--shards 4"), 4, takes=("1", "4096"), refuses=("0", "4097", "1.5"), shown="1"
    ),
    "sync_batch_norm": Promise(False, _flags("--sync-batch-norm --shards 4"), True, shown="no"),
    "balanced": Promise(False, _flags("--balanced"), True, shown="no"),
    "steps": Promise(
        None, _flags("--steps 2"), 2, takes=("1", str(INT)), refuses=("0", str(INT + 1)), shown="1500"
    ),
    "epochs": Promise(
        None,
        _flags("--epochs 2"),
        2,
        takes=("1", "0.001", "9.9", str(INT)),
        refuses=("0", "nan", str(INT + 1)),
    ),
    "evaluate_every": Promise(
        1,
        _flags("--evaluate-every 2"),
        2,
        takes=("1", str(INT)),
        refuses=("0", "1.5", str(INT + 1)),
        shown="1",
    ),
    "lr": Promise(
        None,
        _flags("--lr 0.02"),
        0.02,
        takes=("0", "1e30"),
        refuses=("-0.001", "inf"),
        shown="0.1; of adam, adamw and task regress 0.001",
    ),
    "schedule": Promise(
        None,
        _flags("--schedule cosine"),
        "cosine",
        takes=("constant", "steps", "cosine", "one-cycle", "triangular"),
        refuses=("", "linear"),
        shown="steps, constant with --lr",
    ),
    "lr_steps": Promise(
        None,
        _flags("--lr-steps 2:0.123456789"),
        {2: 0.123456789},
        takes=("1:0", "1:.5,2:.25"),
        refuses=("0:.1", "2:.1,2:.1", "3:.1,2:.1", "2", "2:-1", "2:.1,", ""),
    ),
    "lr_factor": Promise(
        None,
        _flags("--lr-factor *.bias:64"),
        "*.bias:64.0",
        takes=("0.weight:0.001", "0.*:1.0,*:1e+30"),
        refuses=("", "0.*", "0.*:0", "0.*:-1", "0.*:inf", "0.*:1,", "0.*:1,0.*:2", "a:b:1"),
    ),
    "lr_drop": Promise(
        None,
        _flags("--lr-drop 6:.25"),
        "6:0.25",
        takes=("1:0.0", "2147483647:2.0"),
        refuses=("", "0:.5", "5", "5:-.1", "5:.5:1", "5:nan", "a:.5"),
    ),
    "warmup": Promise(
        0, _flags("--warmup 2"), 2, takes=("0", str(INT)), refuses=("-1", str(INT + 1)), shown="0"
    ),
    "optimizer": Promise(
        "sgd",
        _flags("--optimizer nesterov"),
        "nesterov",
        takes=("sgd", "nesterov", "adam", "adamw"),
        refuses=("", "rmsprop"),
        shown="sgd",
    ),
    "momentum": Promise(
        0.9, _flags("--momentum 0.5"), 0.5, takes=("0", "0.999"), refuses=("-0.001", "1"), shown="0.9"
    ),
    "weight_decay": Promise(
        4e-5, _flags("--weight-decay .125"), 0.125, takes=("0", "2"), refuses=("-0.001", "nan"), shown="4e-05"
    ),
    "no_decay": Promise(
        None,
        _flags("--no-decay bias"),
        "bias",
        takes=("norm", "norm,bias"),
        refuses=("", "norm,norm", "bn", "norm,"),
    ),
    "label_smoothing": Promise(
        0.0, _flags("--label-smoothing .1"), 0.1, takes=("0", "0.999"), refuses=("-0.001", "1"), shown="0.0"
    ),
    "class_weights": Promise(
        "none",
        _flags("--class-weights balanced"),
        "balanced",
        takes=("none", "balanced"),
        refuses=("", "even"),
        shown="none",
    ),
    "clip_norm": Promise(
        None, _flags("--clip-norm .01"), 0.01, takes=("1e-30", "9"), refuses=("0", "-1", "inf")
    ),
    "ema": Promise(0.0, _flags("--ema .9"), 0.9, takes=("0", "0.999"), refuses=("-0.001", "1"), shown="0.0"),
    "lookahead": Promise(
        None,
        _flags("--lookahead 2:0.5"),
        "2:0.5",
        takes=("1:0.0", "2147483647:0.999", "5:0.5:3.0", "5:0.5:0.0"),
        refuses=("", "0:.5", "5:1", "5:-.1", "5", "5:.5:-1", "5:.5:1:1", "5:nan"),
    ),
    "mixup": Promise(
        0.0, _flags("--mixup .4"), 0.4, takes=("0", "3"), refuses=("-0.001", "inf"), shown="0.0"
    ),
    "tta": Promise(
        None,
        _flags("--tta flip"),
        "flip",
        takes=("shift", "flip,shift", "flip,shift,diagonal"),
        refuses=("", "flip,flip", "crop", "flip,"),
    ),
    "patience": Promise(None, _flags("--patience 1"), 1, takes=("1", str(INT)), refuses=("0", str(INT + 1))),
    "seed": Promise(
        0, _flags("--seed 1"), 1, takes=("0", str(SEED)), refuses=("-1", str(SEED + 1)), shown="0"
    ),
    "threads": Promise(
        None,
        _flags("--threads 2"),
        2,
        True,
        takes=("1", "1024"),
        refuses=("0", "1025"),
        shown="OMP_NUM_THREADS, or all",
    ),
    "workers": Promise(
        "auto",
        _flags("--workers 1"),
        1,
        True,
        takes=("0", "64", "auto"),
        refuses=("-1", "65", "some"),
        shown="auto",
    ),
    "checkpoint_every": Promise(
        None, _flags("--checkpoint-every 1"), 1, True, takes=("1", str(INT)), refuses=("0", str(INT + 1))
    ),
    "checkpoint_minutes": Promise(
        10.0,
        _flags("--checkpoint-minutes 1e-9"),
        1e-9,
        True,
        takes=("0", "1e9"),
        refuses=("-0.001", "nan"),
        shown="10.0",
    ),
    "tensorboard": Promise(False, _flags("--tensorboard"), True, True, shown="no"),
}
