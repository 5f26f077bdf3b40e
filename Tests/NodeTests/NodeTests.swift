import NodeHarness
import Testing
import TestSupport

/// Whole nodes from outside: real namespaces, real eBPF, real TLS, programs that know nothing of it.
///
/// One mesh at a time: the machine has two cores and the measurements of time must mean something.
@Suite(.serialized, .needsRoot) struct `A node` {}
