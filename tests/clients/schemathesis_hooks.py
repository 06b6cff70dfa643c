"""Teaches schemathesis to send FLAC: what it made up, as bytes."""

import schemathesis


@schemathesis.serializer("audio/flac")
def flac(ctx, value):
    if isinstance(value, bytes):
        return value
    data = getattr(value, "data", None)
    return data if isinstance(data, bytes) else str(value).encode()
