"""Models of Triton's Python backend. `lianzi triton` copies them into a model repository; nothing here imports them."""
