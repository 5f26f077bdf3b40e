import CNGHTTP2
import Testing
import TestSupport

@testable import HBONE

/// Header compression against nghttp2's, block by block, both directions.
@Suite struct `Our HPACK and nghttp2's` {
  private static func randomFields(_ generator: inout SeededGenerator) -> [HeaderField] {
    let names = [":authority", "baggage", "forwarded", "traceparent", "x-a", "etag", "via"]
    return (0..<Int.random(in: 0...9, using: &generator)).map { _ in
      let alphabet = Int.random(in: 0..<3, using: &generator)
      let value = (0..<Int.random(in: 0...80, using: &generator)).map { _ in
        switch alphabet {
        case 0: UInt8.random(in: 0x30...0x39, using: &generator)
        case 1: UInt8.random(in: 0x21...0x7e, using: &generator)
        default: UInt8.random(in: 0x41...0x42, using: &generator)
        }
      }
      return HeaderField(
        name: names.randomElement(using: &generator) ?? "x",
        value: String(decoding: value, as: UTF8.self),
        isNeverIndexed: Int.random(in: 0..<10, using: &generator) == 0)
    }
  }

  @Test(arguments: UInt64(1)...30)
  func `agree on what we encode`(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var encoder = HeaderEncoder()
    var inflater: OpaquePointer?
    unsafe try #require(nghttp2_hd_inflate_new(&inflater) == 0)
    defer { unsafe nghttp2_hd_inflate_del(inflater) }
    for _ in 0..<50 {
      if Int.random(in: 0..<8, using: &generator) == 0 {
        let size = Int.random(in: 0...4_096, using: &generator)
        encoder.limitTable(to: size)
        unsafe nghttp2_hd_inflate_change_table_size(inflater, size)
      }
      let fields = Self.randomFields(&generator)
      let block = encoded(fields, with: &encoder)
      #expect(unsafe try Self.inflate(block, inflater) == fields)
      #expect(unsafe nghttp2_hd_inflate_get_dynamic_table_size(inflater) == encoder.tableSize)
    }
  }

  @Test(arguments: UInt64(1)...30)
  func `agree on what nghttp2 encodes`(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var decoder = HeaderDecoder()
    var deflater: OpaquePointer?
    unsafe try #require(nghttp2_hd_deflate_new(&deflater, 4_096) == 0)
    defer { unsafe nghttp2_hd_deflate_del(deflater) }
    for _ in 0..<50 {
      if Int.random(in: 0..<8, using: &generator) == 0 {
        unsafe nghttp2_hd_deflate_change_table_size(
          deflater, Int.random(in: 0...4_096, using: &generator))
      }
      let fields = Self.randomFields(&generator)
      let block = unsafe try Self.deflate(fields, deflater)
      let list = try decoder.decode(block.span, maximumSize: 1 << 20)
      #expect(list.fields == fields)
      #expect(unsafe nghttp2_hd_deflate_get_dynamic_table_size(deflater) == decoder.tableSize)
    }
  }

  private static func inflate(_ block: [UInt8], _ inflater: OpaquePointer?) throws -> [HeaderField]
  {
    var fields: [HeaderField] = []
    var offset = 0
    while true {
      var pair = unsafe nghttp2_nv()
      var flags: Int32 = 0
      let taken = unsafe block.withUnsafeBufferPointer { bytes in
        unsafe nghttp2_hd_inflate_hd2(
          inflater, &pair, &flags, bytes.baseAddress.map { unsafe $0 + offset },
          bytes.count - offset, 1)
      }
      try #require(taken >= 0)
      offset += taken
      if flags & Int32(NGHTTP2_HD_INFLATE_EMIT.rawValue) != 0 {
        let name = unsafe UnsafeBufferPointer(start: pair.name, count: pair.namelen)
        let value = unsafe UnsafeBufferPointer(start: pair.value, count: pair.valuelen)
        let isNeverIndexed = unsafe pair.flags & UInt8(NGHTTP2_NV_FLAG_NO_INDEX.rawValue) != 0
        fields.append(
          HeaderField(
            name: unsafe String(decoding: name, as: UTF8.self),
            value: unsafe String(decoding: value, as: UTF8.self), isNeverIndexed: isNeverIndexed))
      }
      if flags & Int32(NGHTTP2_HD_INFLATE_FINAL.rawValue) != 0 { break }
      if taken == 0, flags & Int32(NGHTTP2_HD_INFLATE_EMIT.rawValue) == 0 { break }
    }
    unsafe nghttp2_hd_inflate_end_headers(inflater)
    return fields
  }

  private static func deflate(
    _ fields: [HeaderField], _ deflater: OpaquePointer?
  ) throws -> [UInt8] {
    var storage = fields.flatMap { Array($0.name.utf8) + Array($0.value.utf8) }
    var output = [UInt8](repeating: 0, count: 4_096)
    let count = unsafe storage.withUnsafeMutableBufferPointer { bytes in
      var offset = 0
      let pairs = unsafe fields.map { field in
        let name = field.name.utf8.count
        let value = field.value.utf8.count
        let flags = field.isNeverIndexed ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE
        let pair = unsafe nghttp2_nv(
          name: bytes.baseAddress.map { unsafe $0 + offset },
          value: bytes.baseAddress.map { unsafe $0 + offset + name }, namelen: name,
          valuelen: value, flags: UInt8(flags.rawValue))
        offset += name + value
        return unsafe pair
      }
      return unsafe nghttp2_hd_deflate_hd(deflater, &output, output.count, pairs, pairs.count)
    }
    try #require(count >= 0)
    return Array(output[..<count])
  }
}
