UNFIT = 3
"""The exit code of a profile whose params do not go together, whatever the stage."""
