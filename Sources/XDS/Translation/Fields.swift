internal import IstioAPI
internal import MeshModel
internal import SwiftProtobuf

// Fields that several messages share, read strictly.

/// The model's value of an enumeration whose numbers are the API's.
func known<Wire: SwiftProtobuf.Enum, Value: RawRepresentable<UInt8>>(
  _ wire: Wire, _ field: String
) throws(FieldError) -> Value {
  guard let byte = UInt8(exactly: wire.rawValue), let value = Value(rawValue: byte) else {
    throw FieldError(field, .unknownValue(wire.rawValue))
  }
  return value
}

/// The API's value of an enumeration whose numbers are the model's.
func wire<Wire: SwiftProtobuf.Enum>(_ value: some RawRepresentable<UInt8>) -> Wire {
  Wire(rawValue: Int(value.rawValue)) ?? Wire()
}

/// A field of bytes, whatever collection the runtime uses for it.
func wireBytes<Bytes: RangeReplaceableCollection<UInt8>>(_ bytes: [UInt8]) -> Bytes {
  Bytes(bytes)
}

func port(_ number: UInt32, _ field: String) throws(FieldError) -> UInt16 {
  guard let port = UInt16(exactly: number) else { throw FieldError(field, .port(number)) }
  return port
}

func address(_ bytes: some Collection<UInt8>, _ field: String) throws(FieldError) -> IPAddress {
  guard let address = IPAddress(bytes: bytes) else {
    throw FieldError(field, .addressBytes(bytes.count))
  }
  return address
}

/// A block; without a length, one address.
///
/// A block of v4-mapped addresses is the IPv4 block it maps.
func block(
  _ bytes: some Collection<UInt8>, length: UInt32?, _ field: String
) throws(FieldError) -> CIDR {
  let base = try address(bytes, "\(field).address")
  guard let length else { return CIDR(base) }
  let isMapped = base.isIPv4 && bytes.count == 16
  let prefix = Int(length) - (isMapped ? 96 : 0)
  guard let block = CIDR(base: base, prefixLength: prefix) else {
    throw FieldError("\(field).length", .prefixLength(Int(length)))
  }
  return block
}

func portMappings(
  _ ports: [Istio_Workload_Port], _ field: String
) throws(FieldError) -> [PortMapping] {
  var mappings: [PortMapping] = []
  mappings.reserveCapacity(ports.count)
  for (index, wire) in ports.enumerated() {
    mappings.append(
      PortMapping(
        servicePort: try port(wire.servicePort, "\(field)[\(index)].service_port"),
        targetPort: try port(wire.targetPort, "\(field)[\(index)].target_port")))
  }
  return mappings
}

func wirePorts(_ mappings: [PortMapping]) -> [Istio_Workload_Port] {
  mappings.map { mapping in
    .with {
      $0.servicePort = UInt32(mapping.servicePort)
      $0.targetPort = UInt32(mapping.targetPort)
    }
  }
}

/// The two halves of `<namespace>/<name>`; nil for anything else.
func halves(_ name: String) -> (namespace: String, name: String)? {
  let parts = name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
  guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { return nil }
  return (String(Substring(parts[0])), String(Substring(parts[1])))
}

/// Whether a text can stand on either side of the slash in a resource's name.
func canBeHalf(_ text: String) -> Bool {
  !text.isEmpty && !text.utf8.contains(UInt8(ascii: "/"))
}

extension ServiceKey {
  /// Reads `<namespace>/<hostname>`.
  init?(resourceName: String) {
    guard let (namespace, hostname) = halves(resourceName) else { return nil }
    self.init(namespace: namespace, hostname: hostname)
  }
}

extension PolicyKey {
  /// Reads `<namespace>/<name>`.
  init?(resourceName: String) {
    guard let (namespace, name) = halves(resourceName) else { return nil }
    self.init(namespace: namespace, name: name)
  }
}
