import ControlAPI
import Linux
import MeshModel
import Synchronization

/// How often somebody who has proven nothing may try, by where it calls from.
///
/// A try that succeeds is given back: nodes behind one address do not take each other's.
final class Attempts: Sendable {
  private let table = Mutex(
    AllowanceTable<Source>(Limit.attemptsOfSource, limit: Limit.sources))

  func begin(_ source: Source, at now: Instant) -> Bool {
    table.withLock { $0.take(source, at: now) }
  }

  func succeeded(_ source: Source) {
    table.withLock { $0.giveBack(source) }
  }
}

/// Where somebody calls from: an address, or of IPv6 the first 64 bits, of which one host may have all.
enum Source: Hashable, Sendable {
  case address(IPAddress)
  case network(UInt64)
  /// An address in a form that is not known here.
  case text(String)

  /// Reads an address as gRPC writes it: `ipv4:10.0.0.7:41234`, `ipv6:[fd00::1]:41234`.
  init(_ text: String) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    let host = parts.dropFirst().dropLast().joined(separator: ":")
    switch IPAddress(host.filter { $0 != "[" && $0 != "]" }) {
    case .v4(let bits)?: self = .address(.v4(bits))
    case .v6(let high, _)?: self = .network(high)
    case nil: self = .text(host)
    }
  }
}
