"""asyncio: wiring, supervision and delivery."""
