"""Settings of all tests: the same drawn examples in every run, and no limit on the time of one."""

import pytest
from hypothesis import settings

settings.register_profile("cynet", deadline=None, derandomize=True)
settings.load_profile("cynet")


@pytest.fixture(scope="module")
def one_thread():
    """Kernels with one thread, for tests that start many small trainings."""
    from cynet.core import threads

    before = threads.get_num_threads()
    threads.set_num_threads(1)
    yield
    threads.set_num_threads(before)
