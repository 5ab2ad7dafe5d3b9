"""Reports: what devices say of pushes later."""
