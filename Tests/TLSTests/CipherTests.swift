import COpenSSL
import Testing

@testable import TLS

/// AES-128-GCM of the provider `skein` beside OpenSSL's own; nothing to compare where a processor or
/// a build has only the one.
@Suite(.enabled(if: Library.isReady && Cipher(.fast) != nil, "no fast cipher here"))
struct `The fast cipher` {
  let fast: Cipher
  let plain: Cipher

  init() throws {
    fast = try #require(Cipher(.fast))
    plain = try #require(Cipher(.openSSL))
  }

  @Test func `seals what OpenSSL opens, and the reverse, at every length`() {
    var random = SystemRandomNumberGenerator()
    for length in Array(0...1_100) + [4_095, 4_096, 16_384, 16_385, 65_537] {
      let message = Message(length: length, &random)
      let sealed = fast.seal(message)
      #expect(sealed == plain.seal(message), "sealed \(length) bytes")
      #expect(sealed.flatMap { plain.open($0, message) } == message.text, "\(length) bytes")
      #expect(sealed.flatMap { fast.open($0, message) } == message.text, "\(length) bytes")
    }
  }

  @Test func `opens nothing that was changed`() throws {
    var random = SystemRandomNumberGenerator()
    for length in [0, 1, 16, 255, 4_096] {
      let message = Message(length: length, &random)
      let sealed = try #require(fast.seal(message))
      for index in Set([0, sealed.count / 2, sealed.count - 1]) {
        var changed = sealed
        changed[index] ^= 1
        #expect(fast.open(changed, message) == nil, "byte \(index) of \(length)")
      }
      var other = message
      other.header[4] ^= 1
      #expect(fast.open(sealed, other) == nil, "another header")
    }
  }

  @Test func `seals one text for each nonce`() throws {
    var random = SystemRandomNumberGenerator()
    #expect(fast.sealTwice(Message(length: 32, &random)) == false)
  }

  @Test func `is the one that sessions use`() throws {
    let preferred = try #require(Cipher(.preferred))
    #expect(preferred.provider == fast.provider)
    #expect(preferred.provider != plain.provider)
  }
}

struct Message {
  var key: [UInt8]
  var nonce: [UInt8]
  /// A TLS record's, five bytes.
  var header: [UInt8]
  var text: [UInt8]

  init(length: Int, _ random: inout SystemRandomNumberGenerator) {
    func bytes(_ count: Int) -> [UInt8] {
      (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &random) }
    }
    (key, nonce, header, text) = (bytes(16), bytes(12), bytes(5), bytes(length))
  }
}

/// One implementation, used as OpenSSL's record layer uses it.
///
/// Safe because the cipher lives exactly as long as the object.
@safe final class Cipher {
  enum Make {
    case fast
    case openSSL
    /// What sessions ask for.
    case preferred

    var properties: String {
      switch self {
      case .fast: "provider=skein"
      case .openSSL: "provider=default"
      case .preferred: Library.preference
      }
    }
  }

  private let cipher: OpaquePointer

  init?(_ make: Make) {
    guard let cipher = unsafe EVP_CIPHER_fetch(nil, "id-aes128-GCM", make.properties) else {
      ERR_clear_error()
      return nil
    }
    unsafe self.cipher = cipher
  }

  deinit { unsafe EVP_CIPHER_free(cipher) }

  /// Where it comes from; equal for ciphers of one provider.
  var provider: Int { unsafe Int(bitPattern: EVP_CIPHER_get0_provider(cipher)) }

  /// The sealed text and its tag.
  func seal(_ message: Message) -> [UInt8]? {
    var tag = [UInt8](repeating: 0, count: 16)
    let sealed = unsafe run(
      message, message.text, seals: true,
      after: { context in
        unsafe EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, &tag) == 1
      })
    return sealed.map { $0 + tag }
  }

  func open(_ sealed: [UInt8], _ message: Message) -> [UInt8]? {
    var tag = Array(sealed.suffix(16))
    return unsafe run(
      message, Array(sealed.dropLast(16)), seals: false,
      before: { context in
        unsafe EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, 16, &tag) == 1
      })
  }

  /// Whether a second text goes through under the same nonce.
  func sealTwice(_ message: Message) -> Bool {
    let sealed = unsafe run(
      message, message.text, seals: true,
      after: { context in
        var out = message.text
        var count: CInt = 0
        let length = CInt(message.text.count)
        return unsafe EVP_CipherUpdate(context, &out, &count, message.text, length) == 1
      })
    return sealed != nil
  }

  private func run(
    _ message: Message, _ input: [UInt8], seals: Bool,
    before: (OpaquePointer) -> Bool = { _ in true },
    after: (OpaquePointer) -> Bool = { _ in true }
  ) -> [UInt8]? {
    guard let context = unsafe EVP_CIPHER_CTX_new() else { return nil }
    defer {
      unsafe EVP_CIPHER_CTX_free(context)
      ERR_clear_error()
    }
    var output = [UInt8](repeating: 0, count: input.count + 16)
    var count: CInt = 0
    let direction: CInt = seals ? 1 : 0
    let isDone =
      unsafe EVP_CipherInit_ex(context, cipher, nil, nil, nil, direction) == 1
      && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_IVLEN, 12, nil) == 1
      && EVP_CipherInit_ex(context, nil, nil, message.key, nil, -1) == 1
      && EVP_CipherInit_ex(context, nil, nil, nil, message.nonce, direction) == 1
      && before(context)
      && EVP_CipherUpdate(context, nil, &count, message.header, CInt(message.header.count)) == 1
      && (input.isEmpty
        || EVP_CipherUpdate(context, &output, &count, input, CInt(input.count)) == 1)
      && EVP_CipherFinal_ex(context, &output, &count) == 1 && after(context)
    return isDone ? Array(output.prefix(input.count)) : nil
  }
}
