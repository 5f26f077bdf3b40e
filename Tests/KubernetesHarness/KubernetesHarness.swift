/// An API server under a script, for tests of whatever asks one.
import Foundation

/// A directory that is gone afterwards.
package func withDirectory(_ body: (String) async throws -> Void) async throws {
  let directory = NSTemporaryDirectory() + "/kubernetes-\(UUID().uuidString)"
  try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
  defer {
    do { try FileManager.default.removeItem(atPath: directory) } catch { print(error) }
  }
  try await body(directory)
}

// MARK: JSON

package func object(_ name: String, _ version: Int, namespace: String = "shop") -> String {
  """
  {"metadata":{"name":"\(name)","namespace":"\(namespace)","resourceVersion":"\(version)"}}
  """
}

package func list(_ version: Int, _ objects: [String], next: String = "") -> String {
  """
  {"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"\(version)",\
  "continue":"\(next)"},"items":[\(objects.joined(separator: ","))]}
  """
}

package func line(_ type: String, _ object: String) -> String {
  "{\"type\":\"\(type)\",\"object\":\(object)}"
}

package func statusObject(_ code: Int, _ reason: String) -> String {
  "{\"kind\":\"Status\",\"code\":\(code),\"reason\":\"\(reason)\",\"message\":\"m\"}"
}

/// What discovery says of the core group.
package let coreResources = "{\"resources\":[{\"name\":\"pods\"},{\"name\":\"pods/status\"}]}"
