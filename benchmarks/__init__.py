"""One file per hot path, peers beside us in the same run. `make bench` runs them all."""
