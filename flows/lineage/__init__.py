"""The chain from the rows of the data to the server that answers, by the content of what was made."""
