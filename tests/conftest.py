"""Settings of all tests: the same drawn examples in every run, and no limit on the time of one."""

from hypothesis import settings

settings.register_profile("cynet", deadline=None, derandomize=True)
settings.load_profile("cynet")
