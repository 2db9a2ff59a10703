"""Half a second of the fuzz of each parser; `fuzz_parsers.py` is the long one."""

import fuzz_parsers
import pytest


@pytest.mark.parametrize("name", fuzz_parsers.PARSERS)
@pytest.mark.filterwarnings("ignore:::PIL")  # of odd files
def test_damaged_files_are_refused_or_read(tmp_path, name):
    if name in fuzz_parsers.PICTURES:
        pytest.importorskip("PIL")
    assert sum(fuzz_parsers.fuzz(name, tmp_path, 0.5, seed=1).values()) > 3
