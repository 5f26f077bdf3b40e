import AgentProtocol
import Linux
import TLS

extension Control {
  /// Takes revocations and other domains' roots over, whole or not at all.
  func apply(_ update: TrustUpdate) {
    do throws(TrustError) {
      let trust = try update.trust()
      self.trust = trust
      tellWorkers(.trust(trust))
      send(.trustApplied(number: update.number))
    } catch {
      send(.trustRejected(number: update.number, reason: "\(error)"))
    }
  }
}

extension Trust {
  /// Of a ztunnel that no node agent has told anything yet.
  static let unheard = Trust(.unknown(reason: "the node agent has not said which there are"))
}

extension TrustUpdate {
  fileprivate func trust() throws(TrustError) -> Trust {
    var read: [String: TLS.TrustBundle] = [:]
    for bundle in bundles {
      do throws(CredentialsError) {
        read[bundle.trustDomain] = try TrustBundle(roots: bundle.roots)
      } catch {
        throw .bundle(trustDomain: bundle.trustDomain, error)
      }
    }
    return Trust(try readRevocations(), bundles: read)
  }

  private func readRevocations() throws(TrustError) -> Trust.Revocations {
    switch revocations {
    case .off: return .off
    case .unknown(let reason): return .unknown(reason: reason)
    case .lists(let lists):
      do throws(RevocationError) {
        return .lists(try RevocationLists(lists))
      } catch {
        throw .revocations(error)
      }
    }
  }
}

/// Why an update of trust stays without effect.
enum TrustError: Error, CustomStringConvertible {
  case bundle(trustDomain: String, CredentialsError)
  case revocations(RevocationError)

  var description: String {
    switch self {
    case .bundle(let trustDomain, let error): "the bundle of \(trustDomain): \(error)"
    case .revocations(let error): "\(error)"
    }
  }
}
