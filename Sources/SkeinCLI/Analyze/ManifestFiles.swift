import Linux
import Manifests
import MeshCompiler

/// The objects in files and directories named on the command line.
struct ManifestFiles {
  private(set) var objects: [ManifestObject] = []
  /// What is wrong with the texts themselves.
  private(set) var diagnostics: [Diagnostic] = []

  init(_ paths: [String]) throws(LinuxError) {
    for path in paths {
      if Directory.exists(path) {
        let snapshot = ManifestDirectory(path: path).read()
        let folder = path.hasSuffix("/") ? path : path + "/"
        for var object in snapshot.objects {
          object.file = folder + object.file
          objects.append(object)
        }
        for var diagnostic in snapshot.diagnostics {
          diagnostic.file = folder + diagnostic.file
          diagnostics.append(diagnostic)
        }
      } else {
        let text = ManifestText(try File.read(path, atMost: Limit.fileBytes), file: path)
        objects += text.objects
        diagnostics += text.diagnostics
      }
    }
  }
}
