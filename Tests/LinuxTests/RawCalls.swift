import CLinux
import Glibc

/// Sends any number of descriptors, as a peer without manners would.
func rawSend(_ socket: CInt, _ bytes: [UInt8], _ numbers: [CInt]) -> Int {
  unsafe clinux_send_rights(socket, bytes, bytes.count, numbers, CInt(numbers.count))
}

func unmount(_ path: String) -> CInt {
  unsafe umount(path)
}
