"""What users would pick instead: each in a virtual environment of its own, since its pins need not fit ours."""
