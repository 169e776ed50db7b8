"""The webhook side of the wire contract without I/O: addresses, the handshake, request heads, signatures."""
