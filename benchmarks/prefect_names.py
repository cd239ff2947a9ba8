"""What both sides of the bare Prefect flows call things; importing it imports no Prefect."""

CHILD = "benchmarks.prefect_child"
DEPLOYMENT = "bench"
READY = "ready"
STEPS = 10
