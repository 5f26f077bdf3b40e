import Testing

@testable import HBONE

private struct Row: CustomTestStringConvertible, Sendable {
  var says: String
  var seed: UInt64
  var streams: Int
  var largest: Int
  var streamWindow = LocalSettings.default.streamWindow
  var connectionWindow = LocalSettings.default.connectionWindow
  var maxConcurrentStreams = LocalSettings.default.maxConcurrentStreams
  var headerTableSize = LocalSettings.default.headerTableSize
  var testDescription: String { "\(says), seed \(seed)" }
}

private let table: [Row] =
  (1...4).map { Row(says: "hundreds of small streams", seed: $0, streams: 400, largest: 300) }
  + (5...8).map { Row(says: "large streams", seed: $0, streams: 20, largest: 300_000) }
  + (9...12).map {
    Row(
      says: "windows of a few bytes", seed: $0, streams: 60, largest: 20_000, streamWindow: 700,
      connectionWindow: 65_535)
  }
  + (13...16).map {
    Row(
      says: "few streams at once and no header table", seed: $0, streams: 200, largest: 3_000,
      maxConcurrentStreams: 3, headerTableSize: 0)
  }

@Suite struct `A client and a server over a pipe that cuts anywhere` {
  @Test(arguments: table)
  private func `deliver every byte in order, and end with all credit back`(row: Row) throws {
    var settings = LocalSettings.default
    settings.streamWindow = row.streamWindow
    settings.connectionWindow = row.connectionWindow
    settings.maxConcurrentStreams = row.maxConcurrentStreams
    settings.headerTableSize = row.headerTableSize
    let pair = Pair(
      seed: row.seed, streams: row.streams, largest: row.largest, client: settings, server: settings
    )
    #expect(try pair.drive(limit: 200_000))
    #expect(pair.opened == row.streams)
    #expect(pair.client.wrongBytes == 0)
    #expect(pair.server.wrongBytes == 0)
    #expect(pair.client.finished + pair.client.reset == row.streams)
    #expect(pair.client.finished > row.streams / 2)
    for (sender, receiver) in [(pair.client, pair.server), (pair.server, pair.client)] {
      let sends = sender.connection.window.send
      let receives = receiver.connection.window.receive
      let owed = receiver.connection.window.owed
      let target = receiver.connection.connectionWindowTarget
      #expect(sends == receives)
      #expect(sends + owed == target)
      let live = sender.connection.liveStreams
      let active = sender.connection.activeStreams
      #expect(live == 0)
      #expect(active == 0)
    }
  }
}
