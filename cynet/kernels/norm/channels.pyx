"""What Python has to know of channels.pxd: its constants, and how large partial sums are."""


cpdef Py_ssize_t chunk_count(Py_ssize_t rows, Py_ssize_t chunk_rows) except -1:
    """How many chunks, the work items, so many rows are cut into."""
    return (rows + chunk_rows - 1) // chunk_rows


def partial_shape(Py_ssize_t rows, Py_ssize_t channels, Py_ssize_t chunk_rows):
    """The shape of the float64 sums that passes of batch norm store, by chunk of rows."""
    return chunk_count(rows, chunk_rows), SUMS, channels
