"""Prefect flows and the `lianzi` command. Nothing here states an edge of the graph: dvc.yaml does."""
