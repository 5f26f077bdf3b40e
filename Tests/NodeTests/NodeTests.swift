import NodeHarness
import Testing
import TestSupport

/// Whole nodes from outside: real namespaces, real eBPF, real TLS, programs that know nothing of it.
///
/// Each suite has a mesh of its own, and its tests one after another; a few suites run at once.
@Suite(.needsRoot) struct `A node` {}
