"""Which of a wheel's levels a process takes: by the processor's features, or as it is told."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from cynet.core import build, isa

NEEDS = {"v2": ("popcnt", "sse4.2"), "v3": ("avx2", "popcnt", "sse4.2"), "v4": ("avx2", "avx512f", "sse4.2")}


@pytest.fixture
def wheel(monkeypatch):
    """A function of the processor's features: the levels of a wheel are there, and this is the processor."""

    def with_features(*features):
        def config(name, of):
            assert name == isa.CONFIG
            return SimpleNamespace(
                build_info=lambda: {"isa": NEEDS[of]}, cpu_features=lambda: frozenset(features)
            )

        monkeypatch.setattr(isa, "levels", lambda: tuple(NEEDS))
        monkeypatch.setattr(isa, "_loaded", config)

    monkeypatch.delenv(isa.VARIABLE, raising=False)
    isa._settled.cache_clear()
    yield with_features
    isa._settled.cache_clear()


@pytest.mark.parametrize(("features", "wanted"), [
    ("sse4.2 popcnt", "v2"), ("sse4.2 popcnt avx", "v2"), ("sse4.2 popcnt avx2 fma", "v3"),
    ("sse4.2 popcnt avx2 avx512f", "v4"), ("popcnt avx2 avx512f", "v2"), ("", "v2"),
])  # fmt: skip
def test_the_highest_that_the_processor_can_run(wheel, features, wanted):
    wheel(*features.split())
    assert isa._settled() == isa.level() == wanted


def test_the_one_that_the_environment_names(wheel, monkeypatch):
    wheel("sse4.2", "popcnt", "avx2")
    monkeypatch.setenv(isa.VARIABLE, " v2 ")
    assert isa.level() == "v2"
    monkeypatch.setenv(isa.VARIABLE, "v3")
    assert isa.level() == "v2", "a process has one"


@pytest.mark.parametrize(("features", "told", "said"), [
    ("sse4.2 popcnt", "v9", "^CYNET_ISA: wanted one of v2, v3, v4, got 'v9'$"),
    ("sse4.2 popcnt", "v4", "^CYNET_ISA: wanted a level that this processor can run, v2, got v4, which needs "
                            "avx2, avx512f$"),
    ("sse4.2 popcnt avx2", "v4", "can run, v2 or v3, got v4, which needs avx512f$"),
    ("sse4.2", "v2", "can run, which is none, got v2, which needs popcnt$"),
])  # fmt: skip
def test_what_is_none_or_cannot_run_is_said(wheel, monkeypatch, features, told, said):
    wheel(*features.split())
    monkeypatch.setenv(isa.VARIABLE, told)
    with pytest.raises(ValueError, match=said):
        isa.level()


def test_a_module_takes_the_place_of_its_stub(wheel, monkeypatch):
    wheel("sse4.2", "popcnt", "avx2")
    module, config = ModuleType("cynet.kernels.one"), isa._loaded
    monkeypatch.setattr(isa, "_loaded", lambda *given: module if "one" in given[0] else config(*given))
    monkeypatch.setitem(sys.modules, "cynet.kernels.one", ModuleType("stub"))
    isa.load("cynet.kernels.one")
    assert sys.modules["cynet.kernels.one"] is module


def test_the_configuration_tells_the_level_and_which_there_are(wheel):
    wheel("sse4.2", "popcnt", "avx2")
    assert build.config()["level"] == "v3 of v2, v3, v4"


@pytest.mark.skipif(bool(isa.levels()), reason="this cynet is of such a wheel")
def test_a_build_from_source_has_none():
    assert isa.levels() == () and "level" not in build.config()
    with pytest.raises(ImportError, match=r"^cynet\.kernels\.one: no folder _levels in "):
        isa.load("cynet.kernels.one")


def test_levels_are_the_folders_of_the_package_the_least_first(monkeypatch, tmp_path):
    monkeypatch.setattr(isa, "PACKAGE", str(tmp_path))
    isa.levels.cache_clear()
    try:
        for level in ("v4", "v2", "v3"):
            (tmp_path / "_levels" / level).mkdir(parents=True)
        monkeypatch.setattr(
            isa.os, "listdir", lambda path: {str(tmp_path / "_levels"): ["v4", "v2", "v3"]}[path]
        )
        assert isa.levels() == ("v2", "v3", "v4")
    finally:
        isa.levels.cache_clear()
