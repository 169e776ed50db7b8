"""The filter index: filters in, an event in, the filters that want it out. Pure: no I/O, no asyncio."""
