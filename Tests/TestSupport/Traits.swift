import Glibc
package import Testing

extension Trait where Self == ConditionTrait {
  /// Runs only where the kernel lets us make namespaces and control groups and load programs.
  package static var needsRoot: Self { .enabled(if: geteuid() == 0, "needs root") }
}
