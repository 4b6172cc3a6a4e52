"""A live session: options, the first seconds of a stream, the loop, the report."""
