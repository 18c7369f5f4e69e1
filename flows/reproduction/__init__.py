"""`lianzi reproduce`: compute a past result anew, without any cache, and compare every output with the recorded one."""
