/// The kernel, as the rest of Skein sees it: descriptors with one owner, sockets, readiness, network
/// namespaces, control groups, child processes, rtnetlink, files.
///
/// In go plain values and spans of bytes; out come owners, outcomes and `LinuxError`. An expected
/// outcome (would block, end of file, already there) is a value; a bug of ours (EBADF, EFAULT) traps.
/// Never here: a policy, a protocol above the socket, Foundation, name resolution.
public enum Linux {}
