/// An address, or a block of them, that stands for a service on one network.
public struct VirtualAddress: Hashable, Sendable {
  public var network: String
  public var block: CIDR

  public init(network: String = "", block: CIDR) {
    self.network = network
    self.block = block
  }

  /// A single address.
  public init(network: String = "", ip: IPAddress) {
    self.network = network
    block = CIDR(ip)
  }

  /// The address, when it is a single one.
  public var ip: IPAddress? { block.isSingle ? block.base : nil }
}
