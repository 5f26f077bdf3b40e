import Linux

/// Where commands say what went wrong.
enum StandardError {
  static func write(_ text: String) {
    var line = text
    if line.hasSuffix("\n") { line.removeLast() }
    CurrentProcess.writeError(line)
  }
}
