"""Sums of channels, for compiled callers."""

cdef void add_sums(const float[:, ::1] x, double[:, ::1] partial, float[::1] out, Py_ssize_t chunk_rows,
                   int threads) noexcept
