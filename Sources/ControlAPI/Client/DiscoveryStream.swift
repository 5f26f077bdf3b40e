import GRPCCore
import GRPCNIOTransportHTTP2Posix
import GRPCProtobuf
public import IstioAPI

/// One stream of delta discovery, as its client sees it.
///
/// One task may send while another reads. What arrives is taken from the network no faster than it
/// is read here.
public struct DiscoveryStream: Sendable {
  public typealias Request = Envoy_Service_Discovery_V3_DeltaDiscoveryRequest
  public typealias Response = Envoy_Service_Discovery_V3_DeltaDiscoveryResponse

  private let requests = Handoff<Request>()
  private let responses = Handoff<Response>()

  /// Opens a stream and runs `body` with it; the stream ends with `body`.
  ///
  /// `body` may begin before there is a connection: what fails then is thrown by `send` and `next`,
  /// as is what ends the stream later.
  public static func open<Result: Sendable>(
    _ settings: ChannelSettings,
    _ body: (DiscoveryStream) async throws(ControlError) -> Result
  ) async throws(ControlError) -> Result {
    let stream = DiscoveryStream()
    let result: Swift.Result<Result, ControlError> = await withTaskGroup(of: Void.self) { group in
      group.addTask { await stream.carry(settings) }
      let result: Swift.Result<Result, ControlError>
      do throws(ControlError) {
        result = .success(try await body(stream))
      } catch {
        result = .failure(error)
      }
      stream.requests.finish()
      group.cancelAll()
      return result
    }
    return try result.get()
  }

  /// Sends a request, when the one before is on its way.
  public func send(_ request: Request) async throws(ControlError) {
    try await requests.give(request)
  }

  /// The next response; nil when the other end finished the stream without an error.
  public func next() async throws(ControlError) -> Response? {
    try await responses.next()
  }

  /// Runs the call and says at both handoffs how it ended.
  private func carry(_ settings: ChannelSettings) async {
    var ending: ControlError?
    do {
      try await call(settings)
    } catch {
      ending = ControlError(error)
    }
    responses.finish(ending)
    requests.finish(ending)
  }

  private func call(_ settings: ChannelSettings) async throws {
    let metadata = try settings.metadata()
    let (requests, responses) = (requests, responses)
    var options = CallOptions.defaults
    // The transport bounds what arrives by the first of the two.
    options.maxRequestMessageBytes = ControlLimit.responseBytes
    options.maxResponseMessageBytes = ControlLimit.responseBytes
    let chosen = options
    try await withClient(settings) { client, opening in
      try await client.bidirectionalStreaming(
        request: StreamingClientRequest(metadata: metadata) { writer in
          opening.finish()
          while let request = try await requests.next() { try await writer.write(request) }
        },
        descriptor: Envoy_Service_Discovery_V3_AggregatedDiscoveryService.Method
          .DeltaAggregatedResources.descriptor,
        serializer: ProtobufSerializer<Request>(),
        deserializer: ProtobufDeserializer<Response>(),
        options: chosen
      ) { response in
        for try await message in response.messages { try await responses.give(message) }
      }
    }
  }
}
