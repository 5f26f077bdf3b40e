// Modules: MeshModel MeshCompiler KubernetesClient
import KubernetesClient
import MeshCompiler
import MeshModel

private let form = ObjectForm(
  apiVersion: "v1", kind: "Pod",
  selection: .fields([
    "metadata": .metadata, "spec": .words("nodeName containers"), "status": .all,
  ]))

/// Any bytes are a list or the lines of a watch, in pieces of any size, and never more than that;
/// whatever they say, the reflector has a next action, and any object compiles.
@c(LLVMFuzzerTestOneInput)
public func fuzzWatchLines(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  guard count > 1 else { return 0 }
  let input = Array(UnsafeBufferPointer(start: bytes, count: count))
  var reflector = Reflector()
  var now = Instant(nanoseconds: 1)
  var objects: [ManifestObject] = []

  func take(_ event: Reflector.Event) -> Reflector.Action {
    now = now + .milliseconds(100)
    let step = reflector.take(event, at: now, chance: Double(input[0]) / 256)
    for change in step.changes {
      guard case .applied(let object) = change else { continue }
      objects.append(ManifestObject(file: object.name.description, document: 0, root: object.root))
    }
    return step.action
  }

  func events(_ body: ArraySlice<UInt8>) -> [Reflector.Event] {
    var splitter = LineSplitter(limit: 4_096)
    var events: [Reflector.Event] = []
    let size = Int(input[1]) + 1
    var rest = body
    do throws(KubernetesError) {
      while !rest.isEmpty {
        for line in try splitter.lines(in: Array(rest.prefix(size))) {
          precondition(line.count <= 4_096)
          events.append(.line(try WatchEvent(line, form)))
        }
        rest = rest.dropFirst(size)
      }
      events.append(.ended)
    } catch {
      events.append(.failed(error))
    }
    return events
  }

  var action = take(.served(apiVersion: "v1"))
  // The first list is of this server's making when the input is none, so that its lines count.
  do throws(KubernetesError) {
    action = take(.page(try ListPage(Array(input.dropFirst(2)), form)))
  } catch {
    action = take(.page(ListPage(resourceVersion: "1")))
  }
  if case .watch = action {
    for event in events(input.dropFirst(2)) {
      action = take(event)
      guard action == .read else { break }
    }
  }
  precondition(action != .read || reflector.isSynced)
  _ = compile(objects: objects)
  return 0
}
