"""Bundles behind HTTP: the Open Inference Protocol, batches across requests, champions that change while it answers."""
