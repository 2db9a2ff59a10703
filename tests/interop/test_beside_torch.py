"""PyTorch's own files, read as it reads them; and the files of the other tests are those that it writes."""

import io
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch_files

from cynet.interop import load_torch, safetensors

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
KINDS = (
    "float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool", "uint16",
    "uint32", "uint64",
)  # fmt: skip


def array(tensor):
    tensor = tensor.detach()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def same(found, wanted):
    assert [*found] == [*wanted]
    for name, tensor in wanted.items():
        assert found[name].dtype == array(tensor).dtype and found[name].shape == tuple(tensor.shape)
        np.testing.assert_array_equal(found[name], array(tensor))


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("kind", KINDS)
def test_tensors_of_every_kind_and_stride(tmp_path, kind, protocol):
    whole = torch.randint(0, 2 if kind == "bool" else 100, (3, 4, 5)).to(getattr(torch, kind))
    tensors = {
        "whole": whole, "turned": whole.transpose(0, 2), "steps": whole[1:, ::2, 1], "one": whole[0, 0, 0],
        "none": whole[:0], "again": whole[1, 1, 1].expand(4, 3),
        "parameter": torch.nn.Parameter(whole, False),
        "last": whole.to(memory_format=torch.contiguous_format).permute(2, 0, 1)[-1],
    }  # fmt: skip
    tensors["parameter"].note = "an attribute"
    torch.save(tensors, tmp_path / "a.pt", pickle_protocol=protocol)
    same(load_torch(tmp_path / "a.pt"), torch.load(tmp_path / "a.pt", weights_only=False))


def nets():
    first = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.PReLU())
    second = torch.nn.LSTM(3, 4, 2, bidirectional=True)
    tied = torch.nn.Sequential(torch.nn.Embedding(5, 3), torch.nn.Linear(3, 5))
    tied[1].weight = tied[0].weight
    return {"convolutions": first, "lstm": second, "tied": tied, "half": torch.nn.Linear(2, 2).bfloat16()}


@pytest.mark.parametrize("name", nets())
def test_state_dicts_and_checkpoints(tmp_path, name):
    net, path = nets()[name], tmp_path / "a.pth"
    optimizer = torch.optim.AdamW(net.parameters())
    for parameter in net.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [10, 20])
    state = net.state_dict()
    wrapped = OrderedDict((f"module.{key}", value) for key, value in state.items())
    for value in (
        state, wrapped, {"net": wrapped, "acc": 91.2, "epoch": 3},
        {"epoch": 3, "model_state_dict": state, "optimizer_state_dict": optimizer.state_dict()},
        {"state_dict": wrapped, "scheduler": schedule.state_dict(), "best_acc1": torch.tensor(76.1)},
        {"model": state, "model_ema": state, "rng": torch.get_rng_state(), "bytes": b"x", "none": None},
    ):  # fmt: skip
        torch.save(value, path)
        same(load_torch(path), state)
    if name == "tied":
        found = load_torch(path)
        assert np.shares_memory(found["0.weight"], found["1.weight"])


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_the_files_of_the_other_tests_are_those_of_pytorch(protocol):
    whole = torch.arange(6.0).reshape(2, 3)
    theirs = OrderedDict(
        a=whole, b=torch.tensor(3), c=torch.nn.Parameter(torch.ones(2)), d=whole[1], e=whole.t(),
        f=torch.tensor([1.0, 2.0], dtype=torch.bfloat16), g={"x": [1, (2.5, None)]}, h=torch.zeros(2) > 0,
    )  # fmt: skip
    shared = torch_files.storage(np.arange(6, dtype=np.float32))
    ours = OrderedDict(
        a=torch_files.view(shared, (2, 3), (3, 1)), b=torch_files.tensor(np.array(3)),
        c=torch_files.parameter(torch_files.tensor(np.ones(2, np.float32))),
        d=torch_files.view(shared, (3,), (1,), 3), e=torch_files.view(shared, (3, 2), (1, 3)),
        f=torch_files.bfloat16([1, 2]), g={"x": [1, (2.5, None)]}, h=torch_files.tensor(np.zeros(2) > 0),
    )  # fmt: skip
    theirs._metadata = OrderedDict({"": {"version": 1}})
    ours._metadata = OrderedDict({"": {"version": 1}})
    whole = io.BytesIO()
    torch.save(theirs, whole, pickle_protocol=protocol)
    program, storages = torch_files.pickled(ours, protocol)
    with zipfile.ZipFile(whole) as archive:
        assert archive.read("archive/data.pkl") == program
        assert {key: archive.read(f"archive/data/{key}") for key in storages} == storages
    torch.load(io.BytesIO(torch_files.saved(ours, protocol)), weights_only=protocol == 2)


@pytest.mark.parametrize(("value", "got"), [
    (lambda: torch.nn.Linear(2, 2), "torch.nn.modules.linear.Linear"),
    (lambda: {"a": np.float64(3)}, r"numpy\._?core\.multiarray\.scalar"),
    (lambda: {"a": torch.ones(2, dtype=torch.complex64)}, "torch.ComplexFloatStorage"),
    (lambda: {"a": torch.ones(2, dtype=torch.float8_e5m2)}, "torch.float8_e5m2"),
    (lambda: {"a": torch.eye(3).to_sparse()}, "torch._utils._rebuild_sparse_tensor"),
    (lambda: {"a": torch.ones(2, device="meta")}, "torch._utils._rebuild_meta_tensor_no_storage"),
    (lambda: {"a": {1, 2}}, "(builtins|__builtin__).set"),
])  # fmt: skip
def test_what_is_no_plain_tensor_is_refused_by_its_name(tmp_path, value, got):
    torch.save(value(), tmp_path / "a.pth")
    with pytest.raises(ValueError, match=rf"a\.pth: its data\.pkl: .* writes them, got {got}$"):
        load_torch(tmp_path / "a.pth")


def test_older_layouts_are_told_from_the_newer(tmp_path):
    net = torch.nn.Linear(2, 2)
    torch.save(net.state_dict(), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    with pytest.raises(ValueError, match=r"got a PyTorch file \(the old layout, a pickle\) \(in PyTorch, "):
        load_torch(tmp_path / "old.pth")
    torch.save(torch.load(tmp_path / "old.pth"), tmp_path / "new.pth")  # as the message says
    same(load_torch(tmp_path / "new.pth"), net.state_dict())


def test_files_without_checks_are_read(tmp_path):
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"a": torch.ones(3)}, tmp_path / "a.pth")
    finally:
        torch.serialization.set_crc32_options(True)
    same(load_torch(tmp_path / "a.pth"), {"a": torch.ones(3)})


def test_safetensors_of_pytorchs_with_bfloat16(tmp_path):
    theirs = pytest.importorskip("safetensors.torch")
    tensors = {kind: torch.tensor([0, 1, 1]).to(getattr(torch, kind)).reshape(3, 1) for kind in KINDS}
    tensors["bfloat16"] = torch.tensor([1.5, -3, float("inf")], dtype=torch.bfloat16)
    theirs.save_file(tensors, tmp_path / "a.safetensors", {"format": "pt"})
    found, notes = safetensors.load(tmp_path / "a.safetensors")
    same({name: found[name] for name in tensors}, tensors)
    assert notes == {"format": "pt"} and found.keys() == tensors.keys()
