"""What the engine asks of the world, in its own words. No SQL, broker or HTTP type crosses a port."""
