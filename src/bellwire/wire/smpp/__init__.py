"""SMPP 3.4 as an ESME (the side that sends texts), without I/O: bytes and times in, events and bytes out.

framing ─▶ codec ─▶ session (timers, window, pace) ─▶ events
text ─▶ alphabets ─▶ long_text ─▶ submit_sm             deliver_sm ─▶ receipts | long_text ─▶ reassembly ─▶ text
"""
