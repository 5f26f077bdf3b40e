import Crypto
import Foundation

extension ScriptedServer.Request {
  /// The words of a command that a container shall run.
  package var command: [String] {
    let query = target.split(separator: "?", maxSplits: 1).dropFirst().first ?? ""
    return query.split(separator: "&").compactMap { row in
      let sides = row.split(separator: "=", maxSplits: 1)
      guard sides.count == 2, sides[0] == "command" else { return nil }
      return String(sides[1]).removingPercentEncoding
    }
  }

  /// The server's consent to go on in frames.
  package var consent: ScriptedServer.Piece {
    let key = (headers["Sec-WebSocket-Key"] ?? "") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    let accept = Data(Insecure.SHA1.hash(data: Data(key.utf8))).base64EncodedString()
    return .raw(
      Array(
        """
        HTTP/1.1 101 Switching Protocols\r
        upgrade: websocket\r
        connection: Upgrade\r
        sec-websocket-accept: \(accept)\r
        sec-websocket-protocol: v4.channel.k8s.io\r
        \r

        """.utf8))
  }

  /// A whole command, that wrote this and ended so.
  package func commandEnd(
    code: Int = 0, output: String = "", error: String = ""
  ) -> [ScriptedServer.Piece] {
    let status =
      code == 0
      ? #"{"metadata":{},"status":"Success"}"#
      : #"{"metadata":{},"status":"Failure","reason":"NonZeroExitCode","message":"m","#
        + #""details":{"causes":[{"reason":"ExitCode","message":"\#(code)"}]}}"#
    // As kubelet does: an empty message of each stream first, and the end at once after the status.
    return [
      consent, .frame(1, ""), .frame(2, ""), .frame(3, ""), .frame(1, output), .frame(2, error),
      .frame(3, status), .close,
    ]
  }
}

extension ScriptedServer.Piece {
  /// A message of one stream of a command, or a piece of it.
  package static func frame(
    _ stream: UInt8?, _ text: String, opcode: UInt8 = 2, isFinal: Bool = true
  ) -> Self {
    let payload = (stream.map { [$0] } ?? []) + Array(text.utf8)
    var bytes: [UInt8] = [(isFinal ? 0x80 : 0) | opcode]
    if payload.count < 126 {
      bytes.append(UInt8(payload.count))
    } else if payload.count < 1 << 16 {
      bytes += [126, UInt8(payload.count >> 8), UInt8(payload.count & 0xff)]
    } else {
      bytes.append(127)
      bytes += (0..<8).reversed().map { UInt8(payload.count >> ($0 * 8) & 0xff) }
    }
    return .raw(bytes + payload)
  }
}
