import DNS

/// What a pod asks again and again.
struct DNSQuestion: Hashable {
  var host: String
  var type: RecordType
}

/// Decisions of one pod's questions, as of the present model and configuration.
///
/// When there are too many, all go: what is asked often is soon here again.
struct DNSDecisions {
  private var decisions: [DNSQuestion: Decision] = [:]

  subscript(_ question: DNSQuestion) -> Decision? { decisions[question] }

  mutating func keep(_ decision: Decision, of question: DNSQuestion) {
    if decisions.count >= DNSLimit.decisionsPerPod { decisions.removeAll(keepingCapacity: true) }
    decisions[question] = decision
  }
}

extension Worker {
  /// The model or the configuration is another one.
  func forgetDNSDecisions() {
    for pod in pods.values { pod.dnsDecisions = DNSDecisions() }
  }
}
