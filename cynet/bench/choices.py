"""What can be measured, and of what and how often where nobody says: pure data, without NumPy."""

WHAT = {
    "peak": "multiply-adds a second, and bytes a second of memory, of this machine",
    "kernels": "every kernel over the models' shapes and a sweep of sizes, against that peak",
    "train": "steps of training",
    "infer": "passes of inference",
    "shapes": "single convolutions of many shapes, named and drawn, forward and backward",
    "memory": "peak memory of processes that train",
    "import": "the time of `import cynet`",
    "loader": "loading batches: images a second, memory, and what training loses by it",
    "profile": "one model's training step, layer by layer, against the machine's roof",
    "growth": "time by batch, side, depth and threads; a model of more threads than there are",
    "language-model": "nets of texts: steps of training, writing, memory",
    "distributed": "steps of several ranks over MPI: efficiency, what is sent, what of it is hidden",
    "table": "train, infer, memory and import against a peer, as GitHub markdown",
    "compare": "two files that --json wrote, case by case: what got faster, and what slower",
}
MODELS = ("uwnet1", "uwnet2", "resnet20", "vgg_small")
MODELS_OF = {
    "distributed": ("resnet20",),
    "growth": ("resnet20",),
    "profile": ("uwnet2",),
    "kernels": ("uwnet0", *MODELS),
}  # where not MODELS
BATCH = 128  # pictures
RANKS, SHARDS, BATCH_OF_RANKS = (1, 2), 8, 512
LATENCY, BANDWIDTH = 1.0, 1.0  # milliseconds and Gbit/s between machines
BATCHES_OF = {"infer": (BATCH, 1)}  # where not BATCH alone
EPOCH = 12_800  # pictures that a loader walks over
SHAPES = 60  # convolutions that are drawn
STEPS = 10  # of a training, after which the peak of its memory stands
REPEATS = {"peak": 30, "memory": 3, "import": 15}  # where not as many as fit into a few seconds
TOLERANCE = 0.97  # the ratio below which a case counts as slower


def models(what):
    """The models of a measurement."""
    return MODELS_OF.get(what, MODELS)


def batches(what):
    """The batch sizes of a measurement."""
    return BATCHES_OF.get(what, (BATCH,))
