"""The build: what it records, that it refuses a lesser processor, and that importing it is harmless."""

import numpy as np
import pytest
from helpers import run_python

import cynet
from cynet import kernels
from cynet.kernels import _config


def test_show_config_prints_every_fact(capsys):
    cynet.show_config()
    text = capsys.readouterr().out
    for name in ("version", "compiler", "flags", "ISA", "OpenMP", "checks", "threads"):
        assert f"{name}:" in text
    assert cynet.__version__ in text and "-ffast-math" not in text and "-Ofast" not in text


def test_this_processor_has_what_the_build_needs():
    needed = _config.build_info()["isa"]
    assert set(needed) <= _config.cpu_features()
    kernels.require_features(needed, _config.cpu_features())


def test_a_processor_without_a_needed_feature_is_refused_in_words():
    with pytest.raises(ImportError, match=r"with avx2, fma, which this one lacks.*CYNET_MARCH=x86-64-v2"):
        kernels.require_features(("sse3", "fma", "avx2"), {"sse3"})


def test_importing_the_kernels_leaves_denormals_alone():
    code = (
        "import numpy as np\n"
        "from cynet.kernels import activation, conv, conv_weight, batchnorm, optim, softmax\n"
        "tiny = np.float32(1e-38) * np.float32(0.01)\n"
        "assert tiny > 0 and np.float64(1e-308) * 0.01 > 0\n"
    )
    done = run_python("-c", code)
    assert done.returncode == 0, done.stderr


def test_importing_cynet_loads_no_kernel_and_no_layer():
    code = (
        "import sys, cynet\n"
        "loaded = [m for m in sys.modules if m.startswith('cynet')]\n"
        "assert sorted(loaded) == ['cynet', 'cynet._version'], loaded\n"
    )
    done = run_python("-c", code)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module, names", [
    ("cynet", "uwnet interop train data models check_gradients Predictor Linear"),
    ("cynet.train", "Trainer Settings Session train evaluate predict load_weights"),
    ("cynet.data", "DataLoader ImageFolder load"), ("cynet.interop", "safetensors"),
    ("cynet.uwnet", "make_net train_image_classifier"), ("cynet.models", "create names"),
])  # fmt: skip
def test_names_are_found_listed_and_told_after_import_cynet_alone(module, names):
    code = (
        "import sys, cynet\n"
        f"assert set({names.split()}) <= set(dir({module})), dir({module})\n"
        f"assert all(hasattr({module}, name) for name in {names.split()})\n"
        "from pydoc import plaintext, render_doc\n"
        f"sys.stdout.write(render_doc({module}, renderer=plaintext))\n"
    )
    done = run_python("-c", code)
    assert done.returncode == 0, done.stderr
    for name in names.split():
        assert name in done.stdout, name


def test_every_public_name_is_there():
    for name in cynet.__all__:
        assert getattr(cynet, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Conv3d'"):
        cynet.Conv3d  # noqa: B018


@pytest.mark.parametrize(
    "environment, wanted",
    [({}, "10000"), ({"GOMP_SPINCOUNT": "77"}, "77"), ({"OMP_WAIT_POLICY": "PASSIVE"}, "0")],
)
def test_waiting_threads_spin_briefly_unless_the_user_says_otherwise(environment, wanted):
    code = "import os; before = dict(os.environ); import cynet.kernels; assert os.environ == before"
    done = run_python("-c", code, OMP_DISPLAY_ENV="verbose", **environment)
    assert done.returncode == 0, done.stderr
    if "GOMP_SPINCOUNT" in done.stderr:  # GCC's OpenMP
        assert f"GOMP_SPINCOUNT = '{wanted}'" in done.stderr


@pytest.mark.parametrize("threads", ["1", "3"])
def test_omp_num_threads_is_honoured(threads):
    if not _config.build_info()["openmp"]:
        threads = "1"
    done = run_python("-c", "import cynet; print(cynet.get_num_threads())", OMP_NUM_THREADS=threads)
    assert done.stdout.strip() == threads


def test_set_num_threads_is_kept():
    cynet.set_num_threads(3)
    assert cynet.get_num_threads() == (3 if _config.build_info()["openmp"] else 1)


def test_kernels_refuse_none_and_other_types():
    layer = cynet.Conv2d(3, 4, 3)
    plan = layer._convolution((1, 5, 5, 3))
    with pytest.raises(TypeError):
        plan.forward(None, layer.weight.data)
    with pytest.raises(ValueError, match="Buffer dtype mismatch"):
        plan.forward(np.zeros((1, 5, 5, 3)), layer.weight.data)
