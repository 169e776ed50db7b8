"""The WebSocket gateway's edges: uvicorn's protocol with what it lacks, the endpoint, requests run by frame.

What is decided is in `wire.gateway`.
"""
