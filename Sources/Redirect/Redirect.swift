/// The edge to the kernel's redirection.
///
/// In: pods with their namespaces and listeners. Out: pinned programs, maps, rules, routes, sysctls,
/// and what they counted. `Plan/` decides, `Kernel/` does. Never here: policy, Kubernetes, tunnels.
enum Redirect {}
