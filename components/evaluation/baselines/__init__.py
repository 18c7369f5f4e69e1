"""What stands beside a model in its report: the methods of before, each in a file of its own, trained in seconds."""
