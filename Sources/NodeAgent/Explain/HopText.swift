import MeshModel

extension Hop {
  /// Where the connection goes on the wire.
  var dialledText: String {
    hostname.isEmpty ? dialled.description : "\(hostname):\(dialled.port)"
  }

  /// Who decides about the connection, when it is not the destination's own node; else nil.
  var otherJudge: String? {
    if let gateway {
      return "goes through \(gateway.workloadUID) to another network, whose node decides"
    }
    return isWaypoint
      ? "a waypoint; it applies the policies that target it and goes on itself" : nil
  }
}

extension Hop.Transport {
  var name: String {
    switch self {
    case .local: "local"
    case .hbone: "hbone"
    case .plaintext: "plaintext"
    case .doubleHBONE: "double hbone"
    }
  }
}

extension Explanation {
  /// Completes the answer when somebody else decides; false when the destination's node does.
  mutating func explainOtherJudge(of hop: Hop) -> Bool {
    guard hop.otherJudge != nil else { return false }
    if hop.gateway != nil {
      outcome = "otherNetwork"
      nextStep = "ask explain on a node of that network, with the same source and destination"
    } else {
      outcome = "waypoint"
      nextStep =
        "look at the policies that target the waypoint; the destination's own policies see the "
        + "waypoint's identity, not the client's"
    }
    return true
  }
}
