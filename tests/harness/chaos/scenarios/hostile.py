from tests.harness.chaos.findings import Finding
def hostile_bodies(ground): return Finding("x","x")
