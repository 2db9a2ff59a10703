"""The checkpoint file: what goes in comes out, and no damage goes unseen."""

import errno
import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from helpers import environment_of, run_python

from cynet.interop import safetensors
from cynet.runs import checkpoint

TENSORS = {
    "model.0.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "model.1.num_batches_tracked": np.array(7),
    "optimizer.0.momentum_buffer": np.full((2, 3), -1.5, np.float32),
    "optimizer.1.momentum_buffer": np.linspace(0, 1, 100, dtype=np.float32),
    "optimizer.lr": np.array(0.1),
}
STATE = {"step": 3, "loss": 0.1 + 0.2, "best": None, "place": {"epoch": 1}}


def test_what_goes_in_comes_out(tmp_path):
    checkpoint.save(tmp_path / "last.ckpt", TENSORS, STATE)
    tensors, state = checkpoint.load(tmp_path / "last.ckpt")
    assert state == STATE
    assert list(tensors) and set(tensors) == set(TENSORS)
    for name, array in TENSORS.items():
        assert tensors[name].dtype == array.dtype and np.array_equal(tensors[name], array)
        tensors[name][...] = 0  # each its own


def test_other_readers_understand_the_layout(tmp_path):
    path = tmp_path / "last.ckpt"
    checkpoint.save(path, TENSORS, STATE)
    theirs = pytest.importorskip("safetensors.numpy").load_file(path)
    ours, notes = safetensors.load(path)
    assert json.loads(notes["state"]) == STATE
    for name, array in TENSORS.items():
        assert np.array_equal(theirs[name], array) and np.array_equal(ours[name], array)


def test_every_truncation_is_found_and_named():
    data = checkpoint.pack(TENSORS, STATE)
    first = 8 + int.from_bytes(data[:8], "little")
    for length in range(len(data)):
        with pytest.raises(checkpoint.DamagedError) as caught:
            checkpoint.unpack(data[:length])
        assert "tensor '" in str(caught.value) or length < first
    for extra in (b"\0", b"\0" * 100):
        with pytest.raises(checkpoint.DamagedError, match="too long"):
            checkpoint.unpack(data + extra)


def test_every_flipped_bit_is_found_and_named():
    data = checkpoint.pack(TENSORS, STATE)
    first = 8 + int.from_bytes(data[:8], "little")
    _, spans, _ = safetensors.parse(data)
    where = {at: name for name, (_, _, start, stop) in spans.items() for at in range(start, stop)}
    changed, flips = bytearray(data), 0
    for at in range(len(data)):
        for bit in range(8):
            changed[at] ^= 1 << bit
            with pytest.raises(checkpoint.DamagedError) as caught:
                checkpoint.unpack(bytes(changed))
            if at >= first:
                assert str(caught.value).startswith(f"tensor {where[at - first]!r} differs")
            else:
                assert "header" in str(caught.value)
            changed[at] ^= 1 << bit
            flips += 1
    assert flips >= 10_000
    assert bytes(changed) == data


def test_bytes_that_are_no_checkpoint_are_refused():
    for data in (b"", b"\x80\x04\x95", safetensors.pack(TENSORS), bytes(1000)):
        with pytest.raises(checkpoint.DamagedError):
            checkpoint.unpack(data)


def test_the_previous_one_is_kept_and_used_when_the_last_is_damaged(tmp_path):
    path, said = tmp_path / "last.ckpt", []
    assert checkpoint.load_latest(tmp_path) is None
    checkpoint.save(path, TENSORS, {"step": 1})
    checkpoint.save(path, TENSORS, {"step": 2})
    assert sorted(os.listdir(tmp_path)) == ["last.ckpt", "last.prev.ckpt"]
    assert checkpoint.load_latest(tmp_path, said.append)[1] == {"step": 2}
    path.write_bytes(path.read_bytes()[:-1])
    assert checkpoint.load_latest(tmp_path, said.append)[1] == {"step": 1}
    assert len(said) == 1 and "last.ckpt: tensor 'optimizer.1.momentum_buffer' is cut short" in said[0]
    # The damaged file never becomes the previous one.
    checkpoint.save(path, TENSORS, {"step": 3})
    assert checkpoint.load(tmp_path / "last.prev.ckpt")[1] == {"step": 1}
    path.unlink()
    assert checkpoint.load_latest(tmp_path, said.append)[1] == {"step": 1}
    assert "there is no" in said[1]


def test_two_damaged_ones_are_both_named(tmp_path):
    for name in ("last.ckpt", "last.prev.ckpt"):
        (tmp_path / name).write_bytes(b"no")
    with pytest.raises(checkpoint.DamagedError, match=r"last\.ckpt: .*; .*last\.prev\.ckpt: "):
        checkpoint.load_latest(tmp_path)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
def test_a_checkpoint_that_cannot_be_read_just_now_is_not_taken_for_a_damaged_one(
    tmp_path, monkeypatch, number
):
    for step in (1, 2):
        checkpoint.save(tmp_path / checkpoint.NAME, {"w": np.ones(3, np.float32)}, {"step": step})
    load, said = checkpoint.load, []

    def refused(path, *rest):
        if path.name == checkpoint.NAME:
            raise OSError(number, os.strerror(number), str(path))
        return load(path, *rest)

    monkeypatch.setattr(checkpoint, "load", refused)
    with pytest.raises(OSError, match=os.strerror(number)):
        checkpoint.load_latest(tmp_path, said.append)
    assert not said and sorted(path.name for path in tmp_path.iterdir()) == ["last.ckpt", "last.prev.ckpt"]


def test_a_full_disk_leaves_the_old_file_and_no_temporary(tmp_path):
    checkpoint.save(tmp_path / "last.ckpt", TENSORS, STATE)
    code = f"""
import numpy, resource
from cynet.runs import checkpoint
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    checkpoint.save({str(tmp_path / "last.ckpt")!r}, {{"w": numpy.zeros(50_000)}}, {{}})
except OSError as error:
    print(error.errno, error.strerror)
"""
    done = run_python("-c", code, PYTHONDONTWRITEBYTECODE="1")  # it would be cut off, for those that share it
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{errno.EFBIG} cannot write {tmp_path / 'last.ckpt'} (")
    assert os.listdir(tmp_path) == ["last.ckpt"]
    assert checkpoint.load(tmp_path / "last.ckpt")[1] == STATE


def test_a_process_killed_while_it_saves_leaves_a_sound_checkpoint(tmp_path):
    code = f"""
import itertools, numpy
from cynet.runs import checkpoint
for step in itertools.count():
    checkpoint.save({str(tmp_path / "last.ckpt")!r}, {{"w": numpy.full(20_000, step)}}, {{"step": step}})
    print(step, flush=True)
"""
    for stop in (3, 6, 9):
        arguments = [sys.executable, "-c", code]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, env=environment_of()) as child:
            for _ in range(stop):
                child.stdout.readline()
            child.kill()
        tensors, state = checkpoint.load_latest(tmp_path)
        assert (tensors["w"] == state["step"]).all()


def signed(parts, notes):
    """The bytes of a file with these notes whose header has its own digest, as `pack` signs one."""
    notes = {checkpoint.HEADER: "0" * 64, "format": "1", "version": "1"} | notes
    notes = {name: text for name, text in notes.items() if text is not None}
    header, data = safetensors.compose(parts, lambda _: notes)
    digest = hashlib.sha256(header).hexdigest().encode()
    return b"".join([header.replace(b"0" * 64, digest, 1), *data])


def sums(tensors):
    return json.dumps({name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in tensors.items()})


@pytest.mark.parametrize(("notes", "words"), [
    ({"format": "2"}, "wanted a checkpoint of format 1, got '2'"),
    ({"format": None}, "wanted a checkpoint of format 1, got None"),
    ({"version": None}, "its header: version: wanted that of the cynet that wrote it, got none"),
    ({"version": ""}, "its header: version: wanted that of the cynet that wrote it, got none"),
    ({"sha256": "[]"}, "its header: sha256: wanted a JSON object, got '[]'"),
    ({"sha256": None}, "its header: sha256: wanted a JSON object, got '': Expecting value"),
    ({"state": "3"}, "its header: state: wanted a JSON object, got '3'"),
    ({"state": "{"}, "its header: state: wanted a JSON object, got '{': "),
    ({"net": "null"}, "its header: net: wanted a JSON object, got 'null'"),
    ({"sha256": '{"b": "1"}'}, "its header: sha256 of no tensor: 'b'; tensor 'a' differs from its SHA-256"),
])  # fmt: skip
def test_a_signed_header_that_tells_no_state_is_named(notes, words):
    parts = {"a": np.arange(3, dtype=np.float32)}
    sound = {"sha256": sums(parts), "state": '{"step": 3}'}
    tensors, state = checkpoint.unpack(signed(parts, sound | {"net": '{"b": 1}'}))
    assert state == {"step": 3, "net": {"b": 1}} and tensors["a"].tolist() == [0, 1, 2]
    with pytest.raises(checkpoint.DamagedError) as caught:
        checkpoint.unpack(signed(parts, sound | notes))
    assert str(caught.value).startswith(words)


def test_a_state_of_so_many_letters_is_read_and_no_longer_one(monkeypatch):
    monkeypatch.setattr(checkpoint, "MOST_STATE", 30)
    parts = {"a": np.arange(3, dtype=np.float32)}
    made = [signed(parts, {"sha256": sums(parts), "state": json.dumps({"s": "x" * n})}) for n in (21, 22)]
    assert checkpoint.unpack(made[0])[1] == {"s": "x" * 21}
    with pytest.raises(checkpoint.DamagedError) as caught:
        checkpoint.unpack(made[1])
    assert str(caught.value) == "its header: state: wanted at most 30 letters, got 31"


@pytest.mark.parametrize("count", [9, 10, 11, 25])
def test_ten_damaged_tensors_are_named_and_the_others_counted(count):
    names = [f"t{number:02}" for number in range(count)]
    data = bytearray(checkpoint.pack({name: np.full(4, 7, np.uint8) for name in names}, {}))
    data[-4 * count :] = bytes(4 * count)
    with pytest.raises(checkpoint.DamagedError) as caught:
        checkpoint.unpack(bytes(data))
    problems = str(caught.value).split("; ")
    wanted = [f"tensor '{name}' differs from its SHA-256: the file is damaged" for name in names]
    assert problems == wanted[:10] + [f"and {count - 10} more"] * (count > 10)


def test_a_net_beside_the_state_is_kept_apart_and_comes_again():
    for state in ({"step": 3, "net": {"a": [1]}}, {"step": 3, "net": {}}):
        data = checkpoint.pack(TENSORS, state)
        assert checkpoint.unpack(data)[1] == state
    data = checkpoint.pack(TENSORS, {"step": 3, "net": None})
    assert checkpoint.unpack(data)[1] == {"step": 3}
