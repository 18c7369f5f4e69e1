"""`lianzi compare`: what results were made from, and how their models answer the same test rows."""
