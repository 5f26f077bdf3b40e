/// Every bound and interval of the client, by name.
public enum Limit {
  // MARK: Text

  /// Bytes of a page of a list.
  public static let pageBytes = 32 << 20
  /// Bytes of one object, and of one line of a watch; etcd's own limit is 1.5 MiB.
  public static let objectBytes = 8 << 20
  /// Values kept of one object.
  static let objectValues = 200_000
  /// Mappings and lists inside one another, in what is kept and in what is passed over.
  static let keptDepth = 64
  static let skippedDepth = 1_024
  /// Bytes of any other answer.
  static let answerBytes = 4 << 20
  /// Bytes of a message of the server that we show.
  static let messageBytes = 512

  /// Bytes that a command in a container may write.
  static let commandBytes = 64 << 20
  /// Bytes of one frame of it.
  static let frameBytes = 1 << 20

  // MARK: Following a resource

  /// Objects of one resource.
  static let objects = 100_000
  /// Objects asked for in one page, while they are of ordinary size.
  static let pageObjects = 500
  /// Pages of one list.
  static let pages = 2_000
  /// A watch is begun anew after this long, and up to twice as long.
  static let watchLifetime = Duration.seconds(240)
  /// A watch that lived this long counts as a success, even without a line.
  static let steadyWatch = Duration.seconds(10)
  /// Watches that fail one after the other before the resource is listed anew.
  static let watchFailures = 3
  /// How long a server may take beyond the lifetime it was given.
  static let watchGrace = Duration.seconds(30)
  /// How often we look whether a resource that is not served has come.
  static let discoveryInterval = Duration.seconds(5)

  // MARK: Trying again

  static let firstDelay = Duration.milliseconds(500)
  static let longestDelay = Duration.seconds(30)
  /// The longest time a server may ask us to stay away.
  static let longestRetryAfter = Duration.seconds(60)
  /// Times a ConfigMap, Secret or Lease is read and written anew after a conflict.
  static let conflicts = 5

  // MARK: Files and connections

  static let connections = 64
  static let configurationBytes = 1 << 20
  static let tokenBytes = 64 << 10
  /// How old a token from a file may be; kubelet renews it long before it expires.
  static let tokenAge = Duration.seconds(30)
  /// The same of the server's roots.
  static let authorityAge = Duration.seconds(30)
  /// Bytes of what a kubeconfig's program answers, and how long it may take: it may ask its user to log
  /// in with a browser.
  static let credentialBytes = 64 << 10
  static let credentialTime = Duration.seconds(120)
}
