"""Hints beside errors: the flag, setting or name that was probably meant."""

from cynet.core.hints import near, plain
from cynet.core.wording import FLAGS

# What other programs call it, by the setting's name here.
CALLED = {
    "lr": "learning-rate learningrate base-lr initial-lr lr0 eta step-size",
    "weight-decay": "wd l2 l2-reg regularization",
    "optimizer": "optimiser optim opt sgd adam adamw nesterov",
    "no-decay": "no-weight-decay skip-decay no-bias-decay no-norm-decay",
    "accumulate": "accumulate-grad-batches gradient-accumulation gradient-accumulation-steps grad-accum "
    "grad-accum-steps accumulation accumulation-steps accum accum-steps",
    "freeze": "frozen freeze-layers freeze-backbone freeze-body",
    "new-head": "replace-head reset-head reset-classifier",
    "tta": "test-time-augmentation",
    "batch-size": "bs batch minibatch mini-batch mini-batch-size train-batch-size",
    "epochs": "num-epochs n-epochs max-epochs epoch-count",
    "steps": "iterations iters num-iterations max-iter max-iters max-steps num-steps n-steps total-steps",
    "schedule": "scheduler lr-scheduler lr-schedule sched lr-policy",
    "lr-steps": "milestones lr-milestones lr-decay-epochs",
    "warmup": "warmup-steps warmup-epochs warm-up",
    "clip-norm": "grad-clip gradient-clip clip-grad clip-gradient max-grad-norm clip",
    "label-smoothing": "smoothing",
    "ema": "ema-decay model-ema averaging",
    "patience": "early-stopping early-stop",
    "augment": "augmentation aug data-augmentation",
    "workers": "num-workers n-workers j nproc jobs",
    "threads": "num-threads n-threads cpus",
    "seed": "random-seed rng-seed random-state manual-seed",
    "model": "arch architecture net network backbone model-name",
    "data": "dataset dataset-name",
    "data-dir": "data-path data-root dataset-dir root data-folder imagefolder input-dir train-dir",
    "run-dir": "output-dir out-dir outdir save-dir save-path logdir log-dir output exp-dir checkpoint-dir",
    "resume": "resume-from continue restart resume-from-checkpoint",
    "init-from": "pretrained weights load load-weights checkpoint ckpt from-pretrained finetune init",
    "config": "cfg config-file settings conf",
    "batch-norm": "bn batchnorm",
    "validation": "val-split validation-split val-share val-fraction holdout",
    "lr-find": "find-lr lr-range-test",
    "split": "subset partition",
    "top": "topk top-k k",
}
SAID = {
    "cynet runs on the CPU": "gpu gpus device devices cuda mps tpu gpu-id use-cuda no-cuda cpu",
    "the optimisers are sgd, nesterov, adam and adamw": "rmsprop adagrad lamb lion",
    "it computes in float32": "amp fp16 bf16 half precision mixed-precision dtype float16",
}
BEST = "RUN/best.safetensors (RUN alone means its last weights)"  # what --init-from takes


def suggestion(name, known, words=FLAGS):
    """'did you mean X?' for the known name that was probably meant, another word of help, or ''.

    Parameters
    ----------
    name : str
        A flag, a setting, or any name.
    known : iterable of str
    words : Wording, optional
        How settings are written; default: as flags.

    Returns
    -------
    str
    """
    known, word = list(known), plain(name)
    here = {plain(other): other for other in reversed(known)}
    if word in here:
        return f"did you mean {here[word]}?"
    if word == "weights" and "init-from" in here:
        return f"did you mean {here['init-from']} {BEST}?"
    for meant, others in CALLED.items():
        if word in others.split() and meant in here:
            return f"did you mean {here[meant]}?"
    if name.startswith("-") or "momentum" in here:  # a flag or a setting
        for text, others in SAID.items():
            if word in others.split():
                return text
    found = near(name, known)
    return f"did you mean {found}?" if found else ""
