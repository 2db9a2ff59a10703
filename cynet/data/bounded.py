"""Reading what must have a known size, so that no file decides how much memory is taken."""

CHUNK = 1 << 16  # bytes


def read_exactly(stream, size, where):
    """The next `size` bytes of a stream that must end there.

    Memory grows with what really comes, never with what a header claims, and at most one byte too many is
    asked for.

    Parameters
    ----------
    stream : binary file
    size : int
    where : str
        What the message calls it.

    Returns
    -------
    bytearray

    Raises
    ------
    ValueError
        When the stream ends before or goes on.
    """
    content = bytearray()
    while len(content) <= size:
        part = stream.read(min(CHUNK, size + 1 - len(content)))
        if not part:
            break
        content += part
    if len(content) != size:
        got = f"{len(content)}" if len(content) < size else "more"
        raise ValueError(f"{where}: wanted {size} bytes of data, as its header says, got {got}")
    return content
