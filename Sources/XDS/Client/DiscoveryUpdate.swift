public import MeshModel

/// What one response did to a client.
public struct DiscoveryUpdate: Sendable {
  /// Only what differs from what the client held; may be empty.
  public var change: ModelChange
  /// The acknowledgement or refusal to send; nil when nothing asked for one.
  public var reply: DeltaDiscoveryRequest?
  /// At most `Limit.rememberedRejections`.
  public var rejected: [RejectedResource] = []
  public var rejectedCount = 0
  /// Names that were asked for and are answered now, whether by a resource or by its absence.
  public var answered: [String] = []
  /// The server has more to say of this type before it has said everything.
  public var isPartial = false
  /// The response was of a type that was not asked for; acknowledged, not looked at.
  public var isOfUnknownType = false

  init(generation: UInt64) {
    change = ModelChange(isFull: false, generation: generation)
  }
}
