"""`lianzi compare`: what two results were made from, and how their models answer the same test rows."""
