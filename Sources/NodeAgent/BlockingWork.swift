import Linux

/// Runs work that waits for the kernel on a thread of its own, so that no task waits with it.
func onOwnThread<Success: Sendable>(
  _ name: String, _ work: @escaping @Sendable () -> Success
) async throws(LinuxError) -> Success {
  let result: Result<Success, LinuxError> = await withCheckedContinuation { continuation in
    do throws(LinuxError) {
      _ = try WorkerThread(name: name) { continuation.resume(returning: .success(work())) }
    } catch {
      continuation.resume(returning: .failure(error))
    }
  }
  return try result.get()
}
