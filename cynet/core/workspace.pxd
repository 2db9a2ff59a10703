"""Arrays of the pool, for compiled callers."""

cpdef object empty(object shape, object dtype=*)
