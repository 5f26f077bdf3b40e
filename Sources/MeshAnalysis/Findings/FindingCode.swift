/// The kinds of finding; a code keeps its meaning for ever, and docs/analyze.md has a row for each.
public enum FindingCode: String, Hashable, Sendable, CaseIterable {
  // The objects themselves
  case invalidObject = "SKN0001"
  case unknownField = "SKN0002"
  case duplicateObject = "SKN0003"
  case ignoredField = "SKN0004"
  // Policies
  case selectsNothing = "SKN0101"
  case enforcedNowhere = "SKN0102"
  case notEnforcedAsWritten = "SKN0103"
  case targetMissing = "SKN0104"
  case namespaceMissing = "SKN0105"
  case identityMissing = "SKN0106"
  case foreignTrustDomain = "SKN0107"
  case neverMatches = "SKN0108"
  case portServedByNobody = "SKN0109"
  case deniesEverything = "SKN0110"
  case overruled = "SKN0111"
  case overlapping = "SKN0112"
  case strictWithOutsiders = "SKN0113"
  case sourceWithoutIdentity = "SKN0114"
  case disabledIsPermissive = "SKN0115"
  case needsWaypoint = "SKN0116"
  // Routing by Istio's resources
  case destinationMissing = "SKN0201"
  case hostMissing = "SKN0202"
  case subsetMissing = "SKN0203"
  case subsetSelectsNothing = "SKN0204"
  case duplicateVirtualService = "SKN0205"
  case duplicateDestinationRule = "SKN0206"
  case shadowedRoute = "SKN0207"
  case oddWeights = "SKN0208"
  case gatewayMissing = "SKN0209"
  case portMissing = "SKN0210"
  case routesNotApplied = "SKN0211"
  case gatewaySelectsNothing = "SKN0212"
  // The Gateway API
  case parentMissing = "SKN0301"
  case listenerMissing = "SKN0302"
  case backendMissing = "SKN0303"
  case referenceNotGranted = "SKN0304"
  case routeNotAllowed = "SKN0305"
  // Services
  case noEndpoints = "SKN0401"
  case targetPortMissing = "SKN0402"
  case protocolHidden = "SKN0403"
  case duplicateAddress = "SKN0404"
  case duplicateHost = "SKN0405"
  case noAddress = "SKN0406"
  // Enrolment
  case injectionLabel = "SKN0501"
  case hostNetwork = "SKN0502"
  case sidecar = "SKN0503"
  case contradictingLabels = "SKN0504"
  case misspeltLabel = "SKN0505"
  case waypointMissing = "SKN0506"
  // Network policies
  case tunnelBlocked = "SKN0601"
  case tunnelBlockedOutbound = "SKN0602"
  case closedToAll = "SKN0603"

  public var severity: Severity {
    switch self {
    case .invalidObject, .duplicateObject, .targetMissing, .destinationMissing, .subsetMissing,
      .duplicateVirtualService, .gatewayMissing, .portMissing, .parentMissing, .listenerMissing,
      .backendMissing, .referenceNotGranted, .routeNotAllowed, .duplicateAddress,
      .waypointMissing, .tunnelBlocked, .tunnelBlockedOutbound:
      .error
    case .unknownField, .selectsNothing, .enforcedNowhere, .notEnforcedAsWritten,
      .namespaceMissing, .identityMissing, .foreignTrustDomain, .neverMatches,
      .portServedByNobody, .deniesEverything, .overruled, .overlapping, .strictWithOutsiders,
      .sourceWithoutIdentity, .needsWaypoint, .hostMissing, .subsetSelectsNothing,
      .duplicateDestinationRule, .shadowedRoute, .oddWeights, .routesNotApplied,
      .gatewaySelectsNothing, .noEndpoints, .targetPortMissing, .duplicateHost, .noAddress,
      .injectionLabel, .sidecar, .contradictingLabels, .misspeltLabel:
      .warning
    case .ignoredField, .disabledIsPermissive, .protocolHidden, .hostNetwork, .closedToAll: .info
    }
  }
}
