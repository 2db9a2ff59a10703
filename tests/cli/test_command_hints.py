"""Hints: slips of the finger and other programs' names lead to what was meant, strangers to nothing."""

import pytest

from cynet import cli, data, models
from cynet.cli import bench, evaluate, options, predict, train
from cynet.cli.parser import Parser, UsageError
from cynet.core.hints import edits, near
from cynet.runs.hints import CALLED, suggestion
from cynet.runs.ranges import SCHEDULES


def flags_of(module):
    parser = Parser("x", "")
    module.add_flags(parser)
    return parser._option_string_actions


def of_text(pairs):
    """{what was written: what was meant}"""
    return dict(pair.split(">") for pair in pairs.split())


TRAIN = list(flags_of(train))
SLIPS = of_text(
    """
    --epoch>--epochs --lr-step>--lr-steps --batchsize>--batch-size --batch_size>--batch-size
    --step>--steps --modle>--model --momentun>--momentum --momentm>--momentum
    --wieght-decay>--weight-decay --weightdecay>--weight-decay --decay-weight>--weight-decay
    --label-smothing>--label-smoothing --labels>--label-smoothing --paitence>--patience
    --worker>--workers --thread>--threads --see>--seed --sed>--seed --SEED>--seed --resum>--resume
    --recipie>--recipe --data-dri>--data-dir --datadir>--data-dir --run_dir>--run-dir --rundir>--run-dir
    --no-batchnorm>--no-batch-norm --no-augmnet>--no-augment --no-reprot>--no-report
    --shedule>--schedule -lr>--lr --tensorbord>--tensorboard --checkpoint-evry>--checkpoint-every
    --mix-up>--mixup --init>--init-from --warmpu>--warmup --allow-changes>--allow-change
    """
)
CALLED_SO = of_text(
    """
    --learning-rate>--lr --learning_rate>--lr --wd>--weight-decay --bs>--batch-size --batch>--batch-size
    --num-epochs>--epochs --max-steps>--steps --scheduler>--schedule --num-workers>--workers
    -j>--workers --arch>--model --dataset>--data --data-path>--data-dir --output-dir>--run-dir
    --logdir>--run-dir --pretrained>--init-from --early-stopping>--patience
    --grad-clip>--clip-norm --random-seed>--seed --resume-from>--resume --warmup-epochs>--warmup
    --eta>--lr --l2>--weight-decay --iters>--steps --max-iter>--steps --milestones>--lr-steps
    --warm-up>--warmup --max-grad-norm>--clip-norm --smoothing>--label-smoothing --model-ema>--ema
    --early-stop>--patience --aug>--augment --nproc>--workers --cpus>--threads --random-state>--seed
    --backbone>--model --imagefolder>--data-dir --save-dir>--run-dir --ckpt>--init-from --cfg>--config
    --bn>--batch-norm --val-split>--validation --image>--image-size --find-lr>--lr-find --continue>--resume
    --opt>--optimizer --optim>--optimizer --adam>--optimizer --adamw>--optimizer --sgd>--optimizer
    --nesterov>--optimizer --optimiser>--optimizer --grad-accum>--accumulate --grad-accum-steps>--accumulate
    --freeze-backbone>--freeze --test-time-augmentation>--tta
    --minibatch>--batch-size --lr-policy>--schedule --n-epochs>--epochs
    """
)
SAID = {
    "--gpu": "cynet runs on the CPU", "--device": "cynet runs on the CPU", "--cuda": "cynet runs on the CPU",
    "--fp16": "it computes in float32", "--amp": "it computes in float32",
    "--rmsprop": "the optimisers are sgd, nesterov, adam and adamw",
}  # fmt: skip
SAID |= dict.fromkeys(("--mps", "--tpu", "--gpus", "--use-cuda", "--no-cuda", "--cpu"), SAID["--gpu"])
SAID |= dict.fromkeys(("--bf16", "--half", "--dtype", "--precision"), SAID["--amp"])
SAID |= dict.fromkeys(("--lion", "--lamb", "--adagrad"), SAID["--rmsprop"])
STRANGERS = """
    --dropout --xyzzy --zzz --verbose --report --plot --kernel --hidden --beta1 --gamma --depth --width
    --host --port --user --size --nesterov-like --world-size --q --no-dropout --no-seed --x
    --folder --color --version
"""


@pytest.mark.parametrize(("flag", "meant"), [*SLIPS.items(), *CALLED_SO.items()])
def test_a_slip_leads_to_the_flag(flag, meant):
    assert suggestion(flag, TRAIN) == f"did you mean {meant}?"


@pytest.mark.parametrize(("module", "flag", "meant"), [
    (evaluate, "--subset", "--split"), (predict, "--topk", "--top"), (predict, "--k", "--top"),
])  # fmt: skip
def test_other_commands_know_other_names(module, flag, meant):
    assert suggestion(flag, list(flags_of(module))) == f"did you mean {meant}?"


def test_of_settings_of_one_kind_the_first_name_is_meant():
    assert suggestion("batch_size", ["BATCH-SIZE", "batch_size"]) == "did you mean BATCH-SIZE?"


@pytest.mark.parametrize(("flag", "text"), SAID.items())
def test_what_there_is_not_is_said(flag, text):
    assert suggestion(flag, TRAIN) == text


@pytest.mark.parametrize("flag", STRANGERS.split())
def test_a_stranger_leads_nowhere(flag):
    assert suggestion(flag, TRAIN) == ""


def test_no_flag_is_a_hint_to_another():
    """Each known flag is nearest to itself."""
    for module in (train, evaluate, bench):
        known = list(flags_of(module))
        assert [suggestion(flag, known) for flag in known] == [f"did you mean {flag}?" for flag in known]


def test_settings_of_a_file_are_meant_by_the_same_names():
    known = list(options.OPTIONS)
    assert suggestion("learning_rate", known) == "did you mean lr?"
    assert suggestion("batch-size", known) == "did you mean batch_size?"
    assert suggestion("adamw", known) == "did you mean optimizer?"
    assert suggestion("dropout", known) == ""


def test_other_names_are_only_the_settings_there_are():
    assert suggestion("--weights", ["--lr"]) == ""
    assert suggestion("device", ["train", "evaluate"]) == ""
    names = [word for words in CALLED.values() for word in words.split()]
    assert len(names) == len(set(names)), "two settings are called the same"
    assert not {f"--{name}" for name in names} & set(TRAIN), "a flag is called something else"


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("trian", cli.COMMANDS, "train"), ("eval", cli.COMMANDS, "evaluate"), ("diffs", cli.COMMANDS, "diff"),
        ("bake", cli.COMMANDS, None), ("test", cli.COMMANDS, None),
        ("cifar", ("mnist", "cifar10"), "cifar10"),
        ("cosin", SCHEDULES, "cosine"), ("one_cycle", SCHEDULES, "one-cycle"),
        ("shapes11", data.names(), "shapes10"), ("imagenet", data.names(), None),
        ("CIFAR-10", data.names(), "cifar10"),
        ("fashion-mnist", data.names(), "fashionmnist"), ("resnet", models.names(), "resnet20"),
        ("vgg", models.names(), "vgg_small"), ("alexnet", models.names(), None), ("", models.names(), None),
    ],
)  # fmt: skip
def test_any_name_has_a_near_one_or_none(name, known, meant):
    assert near(name, known) == meant


def test_edits_are_counted():
    pairs = ("", "", 0), ("a", "", 1), ("ab", "ba", 1), ("abc", "acb", 1), ("kitten", "sitting", 3)
    for one, other, count in pairs:
        assert edits(one, other) == edits(other, one) == count


def test_an_unknown_flag_is_refused_with_the_hint():
    parser = Parser("train", "")
    train.add_flags(parser)
    for flag, hint in (
        ("--dropout", "see --help"),
        ("--gpu", "cynet runs on the CPU"),
        ("--learning-rate=3", "did you mean --lr?"),
    ):
        with pytest.raises(UsageError) as caught:
            parser.parse_args([flag])
        assert str(caught.value) == f"unknown flag: {flag.partition('=')[0]} ({hint})"


def test_the_weights_of_a_run_to_begin_from_are_told_by_their_file():
    wanted = "did you mean --init-from RUN/best.safetensors (RUN alone means its last weights)?"
    assert suggestion("--weights", TRAIN) == wanted
    assert "init" not in suggestion("--weights", ["--data"])
