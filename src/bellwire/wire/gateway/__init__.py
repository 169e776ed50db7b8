"""The WebSocket gateway's protocol as a machine without sockets (wire contract, section 5).

frames      what clients write, and what they are written
codes       why a socket is closed, and with which close code
limits      counts, bytes and seconds
tokens      recovery tokens: which session, and how far its client has read
session     what outlives a connection, and a connection
machine     frames and times in, effects out
"""
