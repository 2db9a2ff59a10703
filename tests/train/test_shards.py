"""Steps by shards: the same bytes for any number of processes, here threads, that divides theirs."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from thread_world import together

import cynet
from cynet import data
from cynet.core.build import config
from cynet.layers import (
    LSTM,
    Add,
    BatchNorm2d,
    Concat,
    Conv2d,
    Dropout,
    Embedding,
    Flatten,
    GlobalAvgPool2d,
    Graph,
    Linear,
    MaxPool2d,
    ReLU,
    Residual,
    Sequential,
)
from cynet.losses import CrossEntropyLoss
from cynet.nn.passes import mode
from cynet.optim import SGD
from cynet.train import Diverged, Trainer, evaluate, train
from cynet.train.carrying import carried
from cynet.train.language_task import LanguageTask
from cynet.train.mixup import Mixup
from cynet.train.shards import tree
from cynet.train.shards.exchange import Exchange
from cynet.train.shards.gradients import Gradients, is_published
from cynet.train.shards.sameness import of_this_machine, of_training
from cynet.train.shards.sharding import Sharding
from cynet.train.shards.tree import Subtotal
from cynet.train.shards.world import BUCKETS, World

SIDE, CLASSES = 8, 4


def block(channels):
    body = Sequential(
        Conv2d(channels, channels, 3, padding=1, bias=False), BatchNorm2d(channels), ReLU(),
        Conv2d(channels, channels, 3, padding=1, bias=False), BatchNorm2d(channels),
    )  # fmt: skip
    return Residual(body)


def residual():
    return Sequential(
        Conv2d(3, 8, 3, padding=1), BatchNorm2d(8), ReLU(), block(8), ReLU(), MaxPool2d(2), block(8),
        Concat(Conv2d(8, 4, 1), Sequential(Conv2d(8, 4, 3, padding=1), ReLU())), GlobalAvgPool2d(),
        Linear(8, CLASSES),
    )  # fmt: skip


def tied():
    """A convolution and a batch norm that stand at two places."""
    conv, norm = Conv2d(8, 8, 3, padding=1), BatchNorm2d(8)
    return Sequential(
        Conv2d(3, 8, 3, padding=1), conv, norm, ReLU(), Conv2d(8, 8, 1), conv, norm, ReLU(), Flatten(),
        Linear(8 * SIDE**2, CLASSES),
    )  # fmt: skip


def graph():
    x = cynet.Input((SIDE, SIDE, 3))
    first = Conv2d(3, 8, 3, padding=1)(x)
    other = ReLU()(BatchNorm2d(8)(first))
    third = Conv2d(8, 8, 3, padding=1)(other)
    added = Add()(first, third, Conv2d(8, 8, 1)(other))
    return Graph(x, Linear(8, CLASSES)(GlobalAvgPool2d()(added)))


class Own(cynet.Layer):
    """A user's net, which comes to one layer last that it called first."""

    def __init__(self):
        self.first, self.last = Conv2d(3, 8, 3, padding=1), Linear(8, CLASSES)
        self.body, self.pool = Sequential(block(8), ReLU()), GlobalAvgPool2d()

    def output_shape(self, shape):
        return shape[0], CLASSES

    def forward(self, x):
        return self.last(self.pool(self.body(self.first(x))))

    def backward(self, dy):
        return self.first.backward(self.body.backward(self.pool.backward(self.last.backward(dy))))


class Adding(cynet.Layer):
    """A user's net that adds to a gradient when the containers in it have said their last words."""

    def __init__(self):
        self.first = Conv2d(8, 8, 1)
        again = Conv2d(8, 8, 1)
        again.weight, again.bias = self.first.weight, self.first.bias
        self.stem, self.layers = Conv2d(3, 8, 3, padding=1), 3  # a name of a user's own
        self.body = Sequential(ReLU(), again, ReLU(), Flatten(), Linear(8 * SIDE**2, CLASSES))

    def output_shape(self, shape):
        return shape[0], CLASSES

    def forward(self, x):
        return self.body(self.first(self.stem(x)))

    def backward(self, dy):
        dx = self.stem.backward(self.first.backward(self.body.backward(dy)))
        self.first.weight.grad += 0.01 * self.first.weight.data
        return dx


NETS = {"residual": residual, "tied": tied, "graph": graph, "own": Own}


def batches(count=3, samples=48, seed=5):
    rng = np.random.default_rng(seed)
    shape = samples, SIDE, SIDE, 3
    return [(rng.standard_normal(shape, np.float32), rng.integers(0, CLASSES, samples)) for _ in range(count)]


def trainer_of(build, shards, world=None, **options):
    cynet.seed(3)
    model = build()
    made = Trainer(
        model, CrossEntropyLoss(0.1), SGD(model.parameters(), 0.05, 0.9), lambda step: 0.05, **options
    )
    made.sharding = Sharding(shards, world)
    return made


def digest(model):
    state = model.state_dict()
    return hashlib.sha256(b"".join(state[name].tobytes() for name in sorted(state))).hexdigest()


def stepped(shards, ranks, build, sync=False, **options):
    """(digest, losses) of each rank after a few steps."""
    made = [trainer_of(build, shards, **options) for _ in range(ranks)]  # before threads: they draw weights

    def run(world):
        trainer = made[world.rank]
        trainer.sharding = Sharding(shards, world, sync)
        trainer.model.train()
        losses = [(trainer.step(x, y), trainer.right) for x, y in batches()]
        return digest(trainer.model), losses

    return together(ranks, run)


@pytest.mark.parametrize("name", NETS)
def test_every_number_of_ranks_gives_the_same_bytes(name):
    (alone,) = stepped(8, 1, NETS[name])
    for ranks in (2, 4, 8):
        assert stepped(8, ranks, NETS[name]) == [alone] * ranks


def test_of_a_net_of_ones_own_nothing_goes_before_its_end(monkeypatch):
    monkeypatch.setattr(Gradients.__init__, "__defaults__", (1, True))  # a bucket for each parameter
    (alone,) = stepped(4, 1, Adding)
    assert stepped(4, 2, Adding) == [alone] * 2
    assert is_published(residual()) and is_published(graph()) and not is_published(Adding())


def test_labels_in_an_array_that_is_used_again_are_evaluated():
    made = [trainer_of(plain, 4) for _ in range(2)]

    def reused():
        labels = np.empty(48, np.int64)
        for x, y in batches(4):
            labels[:] = y
            yield x, labels

    (wanted,) = {evaluate(made[0].model, batches(4)).loss}
    run = lambda world: Sharding(4, world).evaluate(made[world.rank], reused()).loss  # noqa: E731
    assert together(2, run) == [wanted] * 2


@pytest.mark.parametrize(("shards", "ranks"), [(6, 2), (6, 3), (12, 4), (5, 5), (7, 1), (48, 4)])
def test_shards_need_be_no_power_of_two(shards, ranks):
    (alone,) = stepped(shards, 1, Own if shards < 48 else plain)
    assert stepped(shards, ranks, Own if shards < 48 else plain) == [alone] * ranks


def plain():
    return Sequential(Conv2d(3, 8, 3), ReLU(), Flatten(), Linear(8 * (SIDE - 2) ** 2, CLASSES))


@pytest.mark.parametrize(
    "options",
    [{"accumulate": 2}, {"mixup": Mixup(0.3, 4)}, {"clip_norm": 0.01}],
    ids=lambda found: next(iter(found)),
)
def test_ways_of_training_give_the_same_bytes(options):
    (alone,) = stepped(4, 1, residual, **options)
    assert stepped(4, 2, residual, **options) == [alone] * 2
    (without,) = stepped(4, 1, residual)
    assert without != alone


def test_gradients_are_those_of_the_whole_batch():
    whole, parts = (trainer_of(plain, 6) for _ in range(2))
    whole.sharding = None
    (x, y), *_ = batches()
    assert parts.step(x, y) == pytest.approx(whole.step(x, y), rel=1e-6)
    for one, other in zip(parts.model.parameters(), whole.model.parameters(), strict=True):
        np.testing.assert_allclose(one.grad, other.grad, rtol=1e-4, atol=1e-6)


def test_shards_are_part_of_the_result():
    assert stepped(4, 1, residual) != stepped(8, 1, residual)


def test_running_statistics_move_by_those_of_each_shard_in_order():
    model = Sequential(BatchNorm2d(3, momentum=0.25), Flatten(), Linear(3 * SIDE**2, CLASSES))
    trainer = Trainer(model, CrossEntropyLoss(), SGD(model.parameters(), 0.1), lambda step: 0.0)
    trainer.sharding = Sharding(4)
    (x, y), *_ = batches(1)
    trainer.step(x, y)
    mean, variance = np.zeros(3), np.ones(3)
    for part in np.split(x, 4):
        rows = part.reshape(-1, 3).astype(np.float64)
        mean += 0.25 * (rows.mean(axis=0) - mean)
        variance += 0.25 * (rows.var(axis=0, ddof=1) - variance)
    norm = model[0]
    np.testing.assert_allclose(norm.running_mean, mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(norm.running_var, variance, rtol=1e-5)
    assert norm.num_batches_tracked == 4


def test_dropout_draws_by_seed_step_and_shard():
    def build():
        return Sequential(Flatten(), Dropout(0.5), Linear(3 * SIDE**2, CLASSES))

    (first,), (again,) = stepped(4, 1, build), stepped(4, 1, build)
    assert first == again
    x = np.ones((8, SIDE, SIDE, 3), np.float32)
    seen = []

    class Noting(Flatten):
        def forward(self, x):
            seen.append(x.copy())
            return super().forward(x)

    trainer = trainer_of(lambda: Sequential(Dropout(0.5), Noting(), Linear(3 * SIDE**2, CLASSES)), 4)
    before = cynet.core.random.get_state()
    trainer.step(x, np.zeros(8, np.int64))
    trainer.step(x, np.zeros(8, np.int64))
    assert len({each.tobytes() for each in seen}) == 8  # two steps of four shards
    assert cynet.core.random.get_state() == before


def test_ranks_that_begin_with_other_weights_or_shards_are_refused_by_name():
    made = [trainer_of(plain, 4) for _ in range(2)]
    made[1].model.parameters()[0].data[:] += 1

    def run(world):
        trainer = made[world.rank]
        trainer.sharding = Sharding(4 << world.rank, world)
        with pytest.raises(
            ValueError, match="ranks: wanted the same on all, got shards: 4 on rank 0, 8"
        ) as e:
            trainer.step(*batches(1)[0])
        return str(e.value)

    for text in together(2, run):
        assert "; SHA-256 of the weights: " in text and "sync" not in text


def test_everything_that_a_training_begins_with_is_compared():
    def told(shards=4, sync=False, change=lambda model: None):
        model = Sequential(Conv2d(3, 2, 1), BatchNorm2d(2))
        for parameter in model.parameters():
            parameter.data[:] = 1
        change(model)
        return of_training(Sharding(shards, sync_batch_norm=sync), model)

    def moved(model):
        model.layers[1].running_mean[0] = 1

    def counted(model):
        model.layers[1].num_batches_tracked[()] = 1

    def learnt(model):
        model.layers[0].bias.data[1] = 2

    first = told()
    others = told(shards=8), told(sync=True), told(change=moved), told(change=counted), told(change=learnt)
    assert told() == first and all(other != first and other.keys() == first.keys() for other in others)
    machine = of_this_machine("a", "b")
    assert "a" in machine.values() and "b" in machine.values() and np.__version__ in machine.values()
    assert {config()[name] for name in ("version", "compiler", "flags", "ISA")} <= {*machine.values()}


# -- batch norm over the whole batch -------------------------------------------------------------------------
@pytest.mark.parametrize("name", NETS)
def test_batch_norm_over_all_shards_gives_the_same_bytes_for_every_number_of_ranks(name, dirty_memory):
    (alone,) = stepped(4, 1, NETS[name], sync=True)
    for ranks in (2, 4):
        assert stepped(4, ranks, NETS[name], sync=True) == [alone] * ranks


@pytest.mark.parametrize("name", NETS)
def test_batch_norm_over_all_shards_is_that_of_the_whole_batch(name):
    whole, parts = (trainer_of(NETS[name], 1) for _ in range(2))
    whole.sharding, parts.sharding = None, Sharding(6, sync_batch_norm=True)
    (x, y), *_ = batches()
    assert parts.step(x, y) == pytest.approx(whole.step(x, y), rel=1e-5)
    for one, other in zip(parts.model.parameters(), whole.model.parameters(), strict=True):
        np.testing.assert_allclose(one.grad, other.grad, rtol=1e-3, atol=2e-5)
    state = whole.model.state_dict()
    for path, array in parts.model.state_dict().items():
        if "running" in path or "num_batches" in path:
            np.testing.assert_allclose(array, state[path], rtol=1e-5, atol=1e-6)


def test_an_error_within_shards_that_take_turns_comes_out_and_the_next_step_goes_well():
    class Failing(Flatten):
        fails = False

        def forward(self, x):
            if self.fails and x.max() > 2:
                raise ArithmeticError("too large")
            return super().forward(x)

    middle = Failing()
    trainer = trainer_of(lambda: Sequential(BatchNorm2d(3), ReLU(), middle, Linear(3 * SIDE**2, CLASSES)), 4)
    trainer.sharding = Sharding(4, sync_batch_norm=True)
    grads = [parameter.grad for parameter in trainer.model.parameters()]
    (x, y), *_ = batches(1)
    middle.fails = True
    with pytest.raises(ArithmeticError, match="too large"):
        trainer.step(x, y)
    middle.fails = False
    assert np.isfinite(trainer.step(x, y))
    assert all(p.grad is grad for p, grad in zip(trainer.model.parameters(), grads, strict=True))


def test_shards_of_other_numbers_of_parts_are_refused_where_batch_norm_knows_all():
    trainer = trainer_of(residual, 2, accumulate=4)
    trainer.sharding = Sharding(2, sync_batch_norm=True)
    x, y = batches(1)[0]
    with pytest.raises(ValueError, match="accumulate: wanted a batch of as many parts in every shard"):
        trainer.step(x[:7], y[:7])
    assert np.isfinite(trainer.step(x[:8], y[:8]))


class Choosing(cynet.Layer):
    """A net that calls batch norms as its samples are, the other way round or not at all."""

    def __init__(self, ways):
        self.norms, self.ways = [BatchNorm2d(3), BatchNorm2d(3)], ways
        self.one, self.other, self.last = *self.norms, Linear(3, CLASSES)
        self.pool = GlobalAvgPool2d()

    def output_shape(self, shape):
        return shape[0], CLASSES

    def forward(self, x):
        for number in self.ways[int(x[0, 0, 0, 0] > 0)]:
            x = self.norms[number](x)
        return self.last(self.pool(x))

    def backward(self, dy):
        return self.pool.backward(self.last.backward(dy))


@pytest.mark.parametrize("ways", [([0], [0, 1]), ([0, 1], [0]), ([0, 1], [1, 0]), ([], [0])], ids=str)
@pytest.mark.parametrize("sync", [True, False])
def test_shards_that_call_other_batch_norms_are_refused(ways, sync):
    trainer = trainer_of(lambda: Choosing(ways), 2)
    trainer.sharding = Sharding(2, sync_batch_norm=sync)
    x, y = batches(1)[0]
    x[:24, 0, 0, 0], x[24:, 0, 0, 0] = -1, 1
    with pytest.raises(RuntimeError, match="calls its batch norms alike in every shard"):
        trainer.step(x, y)


def test_ranks_that_call_other_batch_norms_are_refused():
    made = [trainer_of(lambda: Choosing(([], [0])), 2) for _ in range(2)]

    def run(world):
        trainer = made[world.rank]
        trainer.sharding = Sharding(2, world)
        x, y = batches(1)[0]
        x[:24, 0, 0, 0], x[24:, 0, 0, 0] = -1, 1
        with pytest.raises(RuntimeError, match="bytes of statistics"):
            trainer.step(x, y)

    together(2, run)


def test_ranks_of_one_shard_that_call_other_batch_norms_are_refused_at_once():
    made = [trainer_of(lambda: Choosing(([0], [0, 1])), 2) for _ in range(2)]

    def run(world):
        trainer = made[world.rank]
        trainer.sharding = Sharding(2, world, sync_batch_norm=True)
        x, y = batches(1)[0]
        x[:24, 0, 0, 0], x[24:, 0, 0, 0] = -1, 1
        with pytest.raises(RuntimeError, match="calls its batch norms alike in every shard"):
            trainer.step(x, y)

    together(2, run)


# -- texts ---------------------------------------------------------------------------------------------------
def test_states_of_rows_go_on_in_shards():
    def build():
        return Sequential(Embedding(7, 5), LSTM(5, 6), Linear(6, 7))

    made = [trainer_of(build, 4, task=LanguageTask()) for _ in range(3)]
    for each in made:
        each.criterion = each.task.criterion()
    rng = np.random.default_rng(1)
    tokens = [rng.integers(0, 7, (8, 12)) for _ in range(3)]

    def run(trainer):
        trainer.model.train()
        with trainer.task.training(trainer.model):
            losses = [trainer.step(x, np.roll(x, 1, axis=1)) for x in tokens]
            return losses, digest(trainer.model), {n: a.tobytes() for n, a in carried(trainer.model).items()}

    def with_others(world):
        trainer = made[1 + world.rank]
        trainer.sharding = Sharding(4, world)
        return run(trainer)

    alone = run(made[0])
    assert together(2, with_others) == [alone] * 2


# -- a whole training ----------------------------------------------------------------------------------------
def pictures(count, seed):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, 3, SIDE, SIDE), np.uint8)
    return data.ArrayDataset(images, rng.integers(0, CLASSES, count), [*"abcd"])


def loaders():
    transforms = [data.RandomFlip(), data.Normalize([0.5] * 3, [0.25] * 3)]
    training = data.DataLoader(pictures(100, 1), 24, seed=7, workers=0, drop_last=True, transforms=transforms)
    test = data.DataLoader(pictures(70, 2), 16, shuffle=False, workers=0, transforms=transforms[1:])
    return training, test


@pytest.mark.parametrize("ranks", [2, 4])
def test_a_training_with_its_evaluations_is_that_of_one_process(ranks):
    made = [(trainer_of(residual, 4), *loaders()) for _ in range(ranks + 1)]

    def run(trainer, training, test):
        result = train(trainer, training, test, 9)
        found = result.test
        return digest(trainer.model), result.train_loss, found.loss, found.confusion.tobytes()

    def with_others(world):
        trainer, *own = made[1 + world.rank]
        trainer.sharding = Sharding(4, world)
        return run(trainer, *own)

    alone = run(*made[0])
    assert together(ranks, with_others) == [alone] * ranks


def test_a_loader_makes_parts_of_batches_alone():
    loader, other = loaders()[0], loaders()[0]
    for (rows, y), (x, labels) in zip(loader.in_part(lambda k, n: slice(k, n - 4)), other, strict=True):
        number = rows.first
        assert len(rows) == 24 and rows.x.shape[0] == 20 - number
        np.testing.assert_array_equal(rows[number + 1 : 20], x[number + 1 : 20])
        np.testing.assert_array_equal(y, labels)
        with pytest.raises(IndexError, match="wanted some of"):
            rows[0:21]
    assert loader.epoch == other.epoch == 1


def test_a_loader_with_workers_makes_parts_in_a_smaller_ring():
    transforms = [data.Normalize([0.5] * 3, [0.25] * 3)]
    options = {"seed": 7, "transforms": transforms, "drop_last": True}
    with (
        data.DataLoader(pictures(40, 1), 16, workers=1, **options) as loader,
        data.DataLoader(pictures(40, 1), 16, workers=0, **options) as other,
    ):
        for (rows, _), (x, _) in zip(loader.in_part(lambda k, n: slice(4, 8)), other, strict=True):
            np.testing.assert_array_equal(rows[4:8], x[4:8])
        assert loader._feed.batch_size == 4
        np.testing.assert_array_equal(next(iter(loader))[0], next(iter(other))[0])  # whole again


def test_a_loss_that_is_no_number_brings_the_whole_batch():
    made = [trainer_of(plain, 4) for _ in range(2)]
    training = loaders()[0]
    x, y = next(iter(loaders()[0]))
    x = x.copy()

    def run(world):
        trainer = made[world.rank]
        trainer.sharding = Sharding(4, world)
        trainer.model.parameters()[0].data[:] = np.inf
        with pytest.raises(Diverged) as caught:
            train(trainer, loaders()[0], loaders()[1], 2)
        return caught.value.batch

    assert len(training) == 4
    for found, labels in together(2, run):
        np.testing.assert_array_equal(found, x)
        np.testing.assert_array_equal(labels, y)


# -- the tree ------------------------------------------------------------------------------------------------
@given(st.integers(1, 40), st.data())
def test_the_tree_does_not_depend_on_who_adds(shards, drawn):
    ranks = drawn.draw(st.sampled_from([n for n in range(1, shards + 1) if not shards % n]))
    rng = np.random.default_rng(shards)
    leaves = rng.standard_normal((shards, 5), np.float32) * 10.0 ** rng.integers(-3, 4, (shards, 1))
    leaves = leaves.astype(np.float32)

    def nodes():
        return [Subtotal(i, 1, leaf.copy()) for i, leaf in enumerate(leaves)]

    whole = tree.total(tree.joined(nodes()))
    each, handed = shards // ranks, []
    for rank in range(ranks):
        own = tree.joined(nodes()[rank * each : (rank + 1) * each])
        assert [(node.first, node.size) for node in own] == tree.covering(
            range(rank * each, (rank + 1) * each)
        )
        handed += own
    assert tree.total(tree.joined(handed)).tobytes() == whole.tobytes()


@given(st.integers(1, 4096))
def test_one_process_keeps_few_sums(shards):
    empty, kept = np.zeros(0, np.float32), []
    for shard in range(min(shards, 600)):
        kept = tree.joined([*kept, Subtotal(shard, 1, empty)])
        assert len(kept) <= (shard + 1).bit_length()


# -- when gradients are final --------------------------------------------------------------------------------
def went_back(model, dy, gradients, found):
    """[(bucket, how many layers had finished when it was final), ...], and how many finished in all."""
    ready, polls = [], []

    def tell(number):
        gradients.take(number, found)
        ready.append((number, len(polls)))

    with gradients.following(tell, lambda: polls.append(1)):
        model.backward(dy)
    return ready, len(polls)


@pytest.mark.parametrize("name", NETS)
def test_a_gradient_is_said_to_be_final_when_nothing_adds_to_it_any_more(name):
    cynet.seed(2)
    model = NETS[name]().train()
    model.input_grad = False
    gradients = Gradients(model.parameters(), 20)
    for round_ in range(3):
        (x, _), *_ = batches(1, 6, round_)
        dy = np.random.default_rng(round_).standard_normal((6, CLASSES)).astype(np.float32)
        model.zero_grad()
        model(x)
        found, after = np.zeros((2, gradients.size), np.float32)
        ready, polls = went_back(model, dy, gradients, found)
        gradients.take_all(after)
        np.testing.assert_array_equal(found, after)
        assert [number for number, _ in ready] == [*range(len(gradients.buckets))]
        assert not round_ or ready[0][1] < polls  # some before the end
        gradients.settle()
    assert mode.tell is None and len(gradients.buckets) > 2


def test_a_net_that_goes_back_another_way_is_refused_once_something_has_gone():
    class Turning(cynet.Layer):
        again = False

        def __init__(self):
            self.body = Sequential(Conv2d(3, 8, 1), Conv2d(8, 8, 1), Conv2d(8, 8, 1))
            self.last = Sequential(Flatten(), Linear(8 * SIDE**2, CLASSES))

        def output_shape(self, shape):
            return shape[0], CLASSES

        def forward(self, x):
            y = self.body(x)
            return self.last(self.body(x) if self.again else y)

        def backward(self, dy):
            dx = self.last.backward(dy)
            self.body.backward(dx)
            if self.again:
                self.body.backward(dx)

    model = Turning().train()
    gradients = Gradients(model.parameters(), 1)
    (x, _), *_ = batches(1, 6)
    for _ in range(2):
        model(x)
        with gradients.following(lambda number: None, lambda: None):
            model.backward(np.ones((6, CLASSES), np.float32))
        gradients.settle()
    model.again = True
    model(x)
    with (
        pytest.raises(RuntimeError, match="the same way in every step"),
        gradients.following(lambda number: None, lambda: None),
    ):
        model.backward(np.ones((6, CLASSES), np.float32))


# -- what is refused -----------------------------------------------------------------------------------------
def test_what_cannot_be_cut_is_refused():
    with pytest.raises(ValueError, match="shards: wanted a multiple of the 3 ranks, got 8"):
        together(3, lambda world: Sharding(8, world))
    with pytest.raises(ValueError, match="shards"):
        Sharding(0)
    with pytest.raises(ValueError, match="wanted a sample for each of 8 shards, got 5"):
        trainer_of(plain, 8).step(np.zeros((5, SIDE, SIDE, 3), np.float32), np.zeros(5, np.int64))


def test_ranks_at_different_steps_are_refused():
    made = [trainer_of(plain, 4) for _ in range(2)]
    made[1].steps = 1
    (x, y), *_ = batches(1)

    def run(world):
        made[world.rank].sharding = Sharding(4, world)
        with pytest.raises(RuntimeError, match="wanted the same step everywhere, got rank 0: 0, rank 1: 1"):
            made[world.rank].step(x, y)

    together(2, run)


def test_an_evaluation_by_several_keeps_the_outputs_of_a_few_batches(monkeypatch):
    """As many at once as each has to run before it tells the others; the bytes are those of one process."""
    made, test = [trainer_of(residual, 2) for _ in range(2)], batches(21)
    told = []

    def counted(world):
        gathered = world.gathered

        def gather(data, what):
            told.append(len(data))
            return gathered(data, what)

        world.gathered = gather
        return Sharding(2, world).evaluate(made[world.rank], iter(test))

    found = together(2, counted)
    wanted = evaluate(made[0].model, test)
    assert [each.loss for each in found] == [wanted.loss] * 2
    assert all(np.array_equal(each.confusion, wanted.confusion) for each in found)
    assert len(told) == 2 * 3 and max(told) < 4 * (48 * CLASSES * 4) + 200


class _Scripted(World):
    """Rank 0 of two: what it waits for of bucket 0 comes when it has sent its part of bucket 1's sum."""

    size = 2

    def __init__(self):
        super().__init__()
        self.sent = []

    def send(self, array, rank, tag):
        self.sent.append(tag)

    def receive(self, array, rank, tag):
        return tag

    def left(self, pending):
        is_late = BUCKETS + 3 not in self.sent
        return [each for each in pending if is_late and each[0] == BUCKETS + 1]

    def wait(self, pending, what, meanwhile=int):
        for _ in range(9):
            meanwhile()
        assert not self.left(pending)


def test_while_one_bucket_is_waited_for_the_others_go_on():
    done = []
    exchange = Exchange(_Scripted(), 2, done.append)
    out = np.empty((2, 8), np.float32)
    exchange.start(0, [Subtotal(0, 1, np.ones(8, np.float32))], out[0])
    exchange.poll()
    exchange.start(1, [Subtotal(0, 1, np.ones(8, np.float32))], out[1])
    exchange.finish(0.0)
    assert sorted(done) == [0, 1]


def test_evaluation_by_one_process_is_as_ever():
    trainer, (_, test) = trainer_of(residual, 4), loaders()
    assert trainer.evaluate(test).loss == evaluate(trainer.model, loaders()[1]).loss
