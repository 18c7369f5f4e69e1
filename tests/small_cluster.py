"""A real Ray cluster of two nodes on this machine."""

from __future__ import annotations

from typing import Any

TRIES = 3


def two_nodes() -> Any:
    """A processor each; `second` is the node that may be lost. A busy machine may need more than one try."""
    from ray.cluster_utils import Cluster

    small = {"num_cpus": 1, "object_store_memory": 100_000_000}
    for last in (False,) * (TRIES - 1) + (True,):
        cluster = None
        try:
            cluster = Cluster(initialize_head=True, head_node_args={**small, "include_dashboard": False})
            cluster.second = cluster.add_node(**small)
        except Exception:
            if cluster is not None:
                cluster.shutdown()
            if last:
                raise
        else:
            return cluster
    raise AssertionError
