# The names that __init__.py loads when asked, once more for what checks types; tests/test_types.py compares.

from . import safetensors as safetensors
