"""How the weights of a recurrent layer's state are laid out for its time steps."""

from cynet.kernels.common.simd cimport VL


def units_padded(Py_ssize_t hidden):
    """The hidden units, rounded up to whole vectors."""
    return (hidden + VL - 1) // VL * VL


def pack(
    const float[:, ::1] w not None,     # in: (gates * hidden, hidden)
    const float[::1] first not None,    # in: (gates * hidden,), what each sum begins with
    float[::1] packed not None,         # out: (gates * units_padded(hidden) * hidden,)
    float[::1] firsts not None,         # out: (gates * units_padded(hidden),)
    Py_ssize_t gates,
):
    """Lay weights out as [block of units][input][gate][unit of the block], zeros beyond the last unit."""
    cdef Py_ssize_t hidden = w.shape[1], blocks = (hidden + VL - 1) // VL, j, g, l, k
    cdef float *out
    cdef const float *row
    for j in range(blocks):
        for g in range(gates):
            for l in range(VL):
                out = &packed[(j * hidden * gates + g) * VL + l]
                if j * VL + l >= hidden:
                    firsts[(j * gates + g) * VL + l] = 0
                    for k in range(hidden):
                        out[k * gates * VL] = 0
                    continue
                row = &w[g * hidden + j * VL + l, 0]
                firsts[(j * gates + g) * VL + l] = first[g * hidden + j * VL + l]
                for k in range(hidden):
                    out[k * gates * VL] = row[k]
