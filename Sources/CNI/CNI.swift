// The Container Network Interface as values: what a runtime asks of a chained plugin, what the
// plugin asks of node-agent, and what both are answered.
//
// In: an environment, the bytes of a configuration, an agent's answer or its absence. Out: a call, a
// decision, JSON, the payload of one frame, or a typed error.
// Never here: a socket, a file, a process.
//
// Source: the CNI specification, versions 0.3.1, 0.4.0, 1.0.0 and 1.1.0.

/// The bounds of what a call may bring.
public enum Limit {
  /// Bytes of a configuration on standard input, of a list of networks and of an enrolled list.
  public static let inputBytes = 1 << 20
  /// Bytes of our environment.
  public static let environmentBytes = 1 << 20
  /// Levels of objects and arrays in JSON.
  public static let depth = 64
  /// Values in one JSON text.
  public static let values = 65_536
  /// Bytes of one text between plugin and agent; longer text is cut at a character.
  public static let textBytes = 4_096
  /// Addresses of one pod.
  public static let addresses = 32
  /// Bytes of one message between plugin and agent.
  public static let messageBytes = 256 << 10
  /// How long the runtime may take to write the whole configuration.
  public static let inputWait = Duration.seconds(5)
  /// How long ADD waits for a pod of an enrolled namespace; a runtime gives up after minutes.
  public static let enrolledWait = Duration.seconds(30)
  /// How long ADD waits for any other pod, which the agent may have to say nothing about.
  public static let otherWait = Duration.seconds(3)
  /// How long DEL waits: deletion is not ours to hold up.
  public static let deletionWait = Duration.seconds(1)
}
