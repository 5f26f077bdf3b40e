import Crypto
import FoundationEssentials
import MeshModel
import SwiftASN1
import X509

/// The bytes of an authority's directory, as they were at one moment.
struct AuthorityFiles: Hashable, Sendable {
  struct File: Hashable, Sendable {
    var path: String
    var text: String
  }

  var layout: AuthorityLayout
  var certificate: File
  var key: File
  var chain: File?
  /// `root-cert.pem`, or in the order of their names those of `roots/`.
  var roots: [File]

  /// Makes what is missing: first the key, then a root for whichever key is there.
  ///
  /// Each file is written in a private directory and linked into place, which fails when the name
  /// is taken. So of two that start at once one wins each name, and a crash between the two steps
  /// is mended by the next start, because any holder of the key can make the certificate.
  static func create(
    in directory: String, trustDomain: String, now: WallTime
  ) throws(AuthorityError) {
    let layout = try AuthorityLayout.find(in: directory, isFile)
    guard layout.isOurs else { return }
    try makeDirectory(directory)
    let hasKey = isFile(layout.key)
    if hasKey && isFile(layout.certificate) { return }
    if !hasKey {
      guard !isFile(layout.certificate) else {
        // The other agent may have put both there between our two looks.
        if isFile(layout.key) { return }
        throw .certificateWithoutKey(certificate: layout.certificate, key: layout.key)
      }
      try place(P256.Signing.PrivateKey().pemRepresentation, at: layout.key, in: directory)
    }
    try refuseOpenKey(layout.key)
    let key = try privateKey(in: read(layout.key))
    let root = try Issuer.selfSigned(key, trustDomain: trustDomain, now: now)
    do {
      try place(root.serializeAsPEM().pemString, at: layout.certificate, in: directory)
    } catch let error as AuthorityError {
      throw error
    } catch {
      throw .library(reason: "\(error)")
    }
  }

  /// The one key of a file, PKCS #8, SEC 1 or PKCS #1; parameters beside it are passed over.
  static func privateKey(in file: File) throws(AuthorityError) -> Certificate.PrivateKey {
    do {
      let keys = try PEMDocument.parseMultiple(pemString: file.text).filter {
        $0.discriminator.hasSuffix("PRIVATE KEY")
      }
      guard let key = keys.first, keys.count == 1 else {
        throw AuthorityError.notKey(path: file.path, reason: "it holds \(keys.count)")
      }
      guard key.discriminator != "ENCRYPTED PRIVATE KEY" else {
        throw AuthorityError.notKey(path: file.path, reason: "it is encrypted")
      }
      let parsed = try Certificate.PrivateKey(pemDocument: key)
      guard parsed.publicKey.isForAuthorities else {
        throw AuthorityError.notKey(path: file.path, reason: "peers accept no key of its kind")
      }
      return parsed
    } catch let error as AuthorityError {
      throw error
    } catch {
      throw .notKey(path: file.path, reason: "\(error)")
    }
  }

  static func certificates(in file: File) throws(AuthorityError) -> [Certificate] {
    do {
      let found = try PEMDocument.parseMultiple(pemString: file.text).map {
        try Certificate(pemDocument: $0)
      }
      guard !found.isEmpty else {
        throw AuthorityError.notCertificates(path: file.path, reason: "there is none")
      }
      return found
    } catch let error as AuthorityError {
      throw error
    } catch {
      throw .notCertificates(path: file.path, reason: "\(error)")
    }
  }
}

extension AuthorityFiles {
  init(reading directory: String) throws(AuthorityError) {
    layout = try AuthorityLayout.find(in: directory, isFile)
    try refuseOpenKey(layout.key)
    certificate = try read(layout.certificate)
    key = try read(layout.key)
    if let path = layout.chain, isFile(path) { chain = try read(path) }
    roots = []
    if let path = layout.roots { roots.append(try read(path)) }
    for name in try names(in: layout.moreRoots) where name.hasSuffix(".crt") {
      roots.append(try read("\(layout.moreRoots)/\(name)"))
    }
  }
}

private let privateDirectoryMode = 0o700
private let privateFileMode = 0o600
/// Nobody but the owner.
private let othersMode = 0o077
/// In a volume of Kubernetes a pod's `fsGroup` may read what it mounts.
private let volumeOthersMode = 0o037

private func isFile(_ path: String) -> Bool {
  FileManager.default.fileExists(atPath: path)
}

private func makeDirectory(_ path: String) throws(AuthorityError) {
  do {
    try FileManager.default.createDirectory(
      atPath: path, withIntermediateDirectories: true,
      attributes: [.posixPermissions: privateDirectoryMode])
  } catch {
    throw .directoryUnusable(path: path, reason: reason(error))
  }
}

/// Judges the file a link leads to: secrets of Kubernetes are mounted as links.
private func refuseOpenKey(_ path: String) throws(AuthorityError) {
  let target = URL(filePath: path).resolvingSymlinksInPath().path
  do {
    let attributes = try FileManager.default.attributesOfItem(atPath: target)
    guard let mode = number(attributes[.posixPermissions]) else {
      throw AuthorityError.unreadable(path: path, reason: "its mode is unknown")
    }
    // Not the path's own end, but the directory that Kubernetes swaps as a whole.
    let isInVolume = target.split(separator: "/").contains { $0.hasPrefix("..") }
    guard mode & (isInVolume ? volumeOthersMode : othersMode) == 0 else {
      throw isInVolume
        ? AuthorityError.volumeKeyTooOpen(path: path, mode: mode)
        : AuthorityError.keyTooOpen(path: path, mode: mode)
    }
  } catch let error as AuthorityError {
    throw error
  } catch {
    throw .unreadable(path: path, reason: reason(error))
  }
}

/// A file attribute that is a number, of whichever type this Foundation gives it.
private func number(_ attribute: Any?) -> Int? {
  if let number = attribute as? any BinaryInteger { return Int(clamping: number) }
  return attribute as? Int
}

private func read(_ path: String) throws(AuthorityError) -> AuthorityFiles.File {
  do {
    let target = URL(filePath: path).resolvingSymlinksInPath().path
    let attributes = try FileManager.default.attributesOfItem(atPath: target)
    if let bytes = number(attributes[.size]), bytes > AuthorityLimit.bytesPerFile {
      throw AuthorityError.tooLarge(path: path, bytes: bytes)
    }
    let bytes = try Data(contentsOf: URL(filePath: path))
    return AuthorityFiles.File(path: path, text: String(decoding: bytes, as: UTF8.self))
  } catch let error as AuthorityError {
    throw error
  } catch {
    throw .unreadable(path: path, reason: reason(error))
  }
}

/// Sorted; none when there is no such directory.
private func names(in directory: String) throws(AuthorityError) -> [String] {
  guard isFile(directory) else { return [] }
  do {
    return try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
  } catch {
    throw .unreadable(path: directory, reason: reason(error))
  }
}

/// Puts a file with mode 0600 at `path` unless there is one, all at once.
private func place(
  _ text: String, at path: String, in directory: String
) throws(AuthorityError) {
  let files = FileManager.default
  let workshop = "\(directory)/.new-\(UInt64.random(in: .min ... .max))"
  let draft = "\(workshop)/draft"
  defer {
    do {
      try files.removeItem(atPath: workshop)
    } catch {
      // Never made, or in the way of nobody: its name is random and its mode keeps others out.
    }
  }
  do {
    try files.createDirectory(
      atPath: workshop, withIntermediateDirectories: false,
      attributes: [.posixPermissions: privateDirectoryMode])
    try Data(text.utf8).write(to: URL(filePath: draft), options: .withoutOverwriting)
    try files.setAttributes([.posixPermissions: privateFileMode], ofItemAtPath: draft)
    do {
      try files.linkItem(atPath: draft, toPath: path)
    } catch {
      // Taken meanwhile: the other one's file counts. Anything else is an error.
      guard isFile(path) else { throw error }
    }
  } catch {
    throw .unwritable(path: path, reason: reason(error))
  }
}

/// What an operator can use of a file error.
private func reason(_ error: any Error) -> String {
  guard let error = error as? CocoaError else { return "\(error)" }
  switch error.code {
  case .fileNoSuchFile, .fileReadNoSuchFile: return "no such file"
  case .fileReadNoPermission, .fileWriteNoPermission: return "no permission"
  case .fileWriteOutOfSpace: return "no space left"
  case .fileWriteVolumeReadOnly: return "the file system is read-only"
  case .fileWriteFileExists: return "a file of this name is in the way"
  default: return "\(error)"
  }
}
