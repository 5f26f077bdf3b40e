import GRPCCore

/// Why a call to a control plane came to nothing.
public enum ControlError: Error, Hashable, Sendable {
  case unreadable(path: String, reason: String)
  /// A certificate, key or token that cannot be used.
  case badCredentials(reason: String)
  /// No connection after this long: names, TCP, TLS and HTTP/2 together.
  case connectTimedOut(after: Duration)
  /// The call ended with a status other than OK; one of ours when no answer came at all.
  case status(CallStatus)
  /// The other end finished the stream; nothing can be sent on it any more.
  case ended
  /// This task was cancelled.
  case cancelled
}

extension ControlError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unreadable(let path, let reason): "\(path): cannot be read: \(reason)"
    case .badCredentials(let reason): reason
    case .connectTimedOut(let duration):
      "no connection after \(duration); is the address right, and does the network let it through?"
    case .status(let status): "\(status)"
    case .ended: "the other end finished the stream"
    case .cancelled: "cancelled"
    }
  }
}

/// How a call ended, in gRPC's words.
public struct CallStatus: Error, Hashable, Sendable, CustomStringConvertible {
  /// Source: gRPC, "Status codes and their use".
  public enum Code: Int, Hashable, Sendable, CaseIterable {
    case cancelled = 1
    case unknown = 2
    case invalidArgument = 3
    case deadlineExceeded = 4
    case notFound = 5
    case alreadyExists = 6
    case permissionDenied = 7
    case resourceExhausted = 8
    case failedPrecondition = 9
    case aborted = 10
    case outOfRange = 11
    case unimplemented = 12
    case internalError = 13
    case unavailable = 14
    case dataLoss = 15
    case unauthenticated = 16
  }

  public var code: Code
  /// What the other end says, or what happened here; never empty.
  public var message: String

  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  public var description: String { "\(code): \(message)" }
}

extension CallStatus {
  init(_ error: RPCError) {
    let code = Code(rawValue: error.code.rawValue) ?? .unknown
    var reasons = [error.message]
    var cause = error.cause
    while let found = cause, reasons.count < 8 {
      let inner = found as? RPCError
      reasons.append(inner?.message ?? "\(found)")
      cause = inner?.cause
    }
    let text = reasons.filter { !$0.isEmpty }.joined(separator: ": ")
    let message = text.isEmpty ? "no reason was given" : text
    self.init(code, String(message.prefix(ControlLimit.statusMessageBytes)))
  }

  var error: RPCError {
    let code = Status.Code(rawValue: code.rawValue).flatMap { RPCError.Code($0) }
    return RPCError(code: code ?? .unknown, message: message)
  }
}

extension ControlError {
  /// What went wrong inside a call, in our words.
  init(_ error: any Error) {
    switch error {
    case let error as ControlError: self = error
    case let error as CallStatus: self = .status(error)
    case is CancellationError: self = .cancelled
    case let error as RPCError: self = .status(CallStatus(error))
    default: self = .status(CallStatus(.unavailable, "\(error)"))
    }
  }
}
