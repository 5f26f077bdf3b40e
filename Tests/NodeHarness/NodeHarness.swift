// Whole nodes for tests that look at them from outside: two network namespaces with a node agent
// and a ztunnel each, pods beside them, and the programs that run in the pods. For NodeTests and
// InteropTests.
