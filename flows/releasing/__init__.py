"""What a release asks of a model: the evidence, the gates that judge it, and the version in the registry."""
