import CNI
import FoundationEssentials
import Linux

/// A runtime's folder of networks on disk: reads what a plan asks for, and does what it says.
enum NetworkFolder {
  static func read(_ path: String) throws(LinuxError) -> NetworkDirectory {
    var directory = NetworkDirectory(entries: [:])
    let names = try Directory.entries(path).filter(NetworkDirectory.concerns)
    for name in names.prefix(Limit.networkFiles) {
      directory.entries[name] = entry("\(path)/\(name)")
    }
    return directory
  }

  private static func entry(_ path: String) -> NetworkDirectory.Entry {
    guard let file = PlainFile(path) else {
      return .unusable(reason: "no plain file, such as a link or a directory")
    }
    do throws(LinuxError) {
      guard file.size <= CNI.Limit.inputBytes else {
        return .unusable(reason: "\(file.size) bytes")
      }
      return .file(try File.read(path, atMost: CNI.Limit.inputBytes))
    } catch {
      return .unusable(reason: "\(error)")
    }
  }

  static func carryOut(_ step: NetworkStep, in path: String) throws(LinuxError) {
    switch step {
    case .write(let name, let bytes, let other):
      let mode = PlainFile("\(path)/\(other)")?.mode ?? 0o600
      try File.replace("\(path)/\(name)", with: bytes, mode: mode)
    case .rename(let name, let other):
      try File.rename("\(path)/\(name)", to: "\(path)/\(other)")
    case .remove(let name): try File.remove("\(path)/\(name)")
    }
  }
}

/// What the file system says of a plain file; links are none.
struct PlainFile: Hashable, Sendable {
  var size: UInt64
  var mode: UInt32
  var modified: Date

  init?(_ path: String) {
    let attributes: [FileAttributeKey: Any]
    do {
      attributes = try FileManager.default.attributesOfItem(atPath: path)
    } catch {
      // None there, or none that we may look at.
      return nil
    }
    // A number of any kind, by which Foundation is linked.
    func number(_ key: FileAttributeKey) -> UInt64? {
      let value = attributes[key]
      return value as? UInt64 ?? (value as? UInt).map(UInt64.init)
        ?? (value as? Int).map { UInt64(clamping: $0) }
    }
    guard attributes[.type] as? FileAttributeType == .typeRegular, let size = number(.size),
      let mode = number(.posixPermissions), let modified = attributes[.modificationDate] as? Date
    else { return nil }
    self.size = size
    self.mode = UInt32(truncatingIfNeeded: mode & 0o777)
    self.modified = modified
  }
}
