"""All that a machine needs which only answers: bundles read, checked and run. Never torch, never transformers."""
