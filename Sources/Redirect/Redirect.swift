// The edge to the kernel's redirection.
//
// In: pods with their namespaces and listeners. Out: pinned programs, maps, rules, routes, sysctls, and
// what they counted. `Plan/` decides, `Kernel/` does, `Facts/` tells, `Features/` tries what the kernel
// can. Never here: policy, Kubernetes, tunnels.
