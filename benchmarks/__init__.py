"""How fast Bifrons is beside what people use: `python -m benchmarks NAME [--quick]`, or `make bench` for all of it."""
