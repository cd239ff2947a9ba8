"""What Hikeshi costs, measured: `python -m benchmarks [names…]`. Real files, real sockets, nothing mocked."""
