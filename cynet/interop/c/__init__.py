"""A net as C99: the operations of a program as calls of kernels, which lie in `kernels/` as text."""
