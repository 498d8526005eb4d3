"""netlab: two network namespaces, and between them a wire that decides the fate of every packet."""
