"""Items of work, of which each thread has its own."""

cdef extern from "turns.h":
    ctypedef struct ItemTurns:
        pass
    void share_out(ItemTurns *turns, Py_ssize_t items, int threads) noexcept nogil
    Py_ssize_t take(ItemTurns *turns, int thread) noexcept nogil
