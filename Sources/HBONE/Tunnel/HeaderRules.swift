/// What a CONNECT and its answer may look like; anything else is malformed and ends the stream.
///
/// Source: RFC 9113, sections 8.1.1, 8.2, 8.3 and 8.5.
enum HeaderRules {
  /// Nil when the request is malformed.
  static func request(_ list: HeaderList, isEnd: Bool) -> ConnectRequest? {
    guard list.isWellFormed, let (pseudo, regular) = split(list.fields) else { return nil }
    var method: String?
    var authority: String?
    var scheme: String?
    var path: String?
    for field in pseudo {
      let isNew: Bool
      switch field.name {
      case ":method": isNew = set(&method, field.value)
      case ":authority": isNew = set(&authority, field.value)
      case ":scheme": isNew = set(&scheme, field.value)
      case ":path": isNew = set(&path, field.value)
      default: return nil
      }
      guard isNew else { return nil }
    }
    guard let method else { return nil }
    guard method == "CONNECT" else {
      guard scheme != nil, let path, !path.isEmpty else { return nil }
      return ConnectRequest(
        authority: authority ?? "", headers: regular, isEnd: isEnd,
        fault: .methodNotConnect(method))
    }
    guard scheme == nil, path == nil else { return nil }
    return ConnectRequest(
      authority: authority ?? "", headers: regular, isEnd: isEnd,
      fault: authority?.isEmpty == false ? nil : .authorityMissing)
  }

  /// Nil when the answer is malformed.
  static func response(_ list: HeaderList, isEnd: Bool) -> Response? {
    guard list.isWellFormed, let (pseudo, regular) = split(list.fields) else { return nil }
    guard pseudo.count == 1, pseudo[0].name == ":status", let status = status(pseudo[0].value)
    else { return nil }
    return Response(status: status, headers: regular, isEnd: isEnd)
  }

  static func areTrailers(_ list: HeaderList) -> Bool {
    guard list.isWellFormed, let (pseudo, _) = split(list.fields) else { return false }
    return pseudo.isEmpty
  }

  /// Nil with a pseudo-header after a regular one, or a header that belongs to HTTP/1.
  private static func split(
    _ fields: [HeaderField]
  ) -> (pseudo: ArraySlice<HeaderField>, regular: [HeaderField])? {
    let start = fields.firstIndex { !isPseudo($0) } ?? fields.count
    let regular = fields[start...]
    guard regular.allSatisfy({ !isPseudo($0) && isAllowed($0) }) else { return nil }
    return (fields[..<start], Array(regular))
  }

  private static func isPseudo(_ field: HeaderField) -> Bool {
    field.name.utf8.first == UInt8(ascii: ":")
  }

  private static func isAllowed(_ field: HeaderField) -> Bool {
    switch field.name {
    case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade": false
    case "te": field.value == "trailers"
    default: true
    }
  }

  /// Three digits, 100 to 599; 101 does not exist in HTTP/2.
  private static func status(_ text: String) -> UInt16? {
    let digits = text.utf8
    guard digits.count == 3, digits.allSatisfy({ (0x30...0x39).contains($0) }),
      let status = UInt16(text), (100..<600).contains(status), status != 101
    else { return nil }
    return status
  }

  private static func set(_ slot: inout String?, _ value: String) -> Bool {
    guard slot == nil else { return false }
    slot = value
    return true
  }
}
