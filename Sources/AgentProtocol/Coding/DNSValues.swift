extension DNSSample: Coded {
  func write(to writer: inout Writer) {
    writer.text(sourceWorkload)
    writer.text(queryType)
    writer.boolean(isStream)
    writer.integer(requests)
    writer.integer(upstreamRequests)
    writer.integer(upstreamFailures)
    writer.integer(totalDuration)
    for count in durations { writer.integer(count) }
  }

  init(from reader: inout Reader) throws(DecodingError) {
    self.init(
      sourceWorkload: try reader.text(), queryType: try reader.text(),
      isStream: try reader.boolean())
    requests = try reader.integer()
    upstreamRequests = try reader.integer()
    upstreamFailures = try reader.integer()
    totalDuration = try reader.integer()
    for index in durations.indices { durations[index] = try reader.integer() }
  }
}
