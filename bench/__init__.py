"""netsla beside its peers: the same namespaces, the same load, one table. See bench/README.md."""
