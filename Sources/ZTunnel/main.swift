import Linux

guard let arguments = Arguments(CommandLine.arguments.dropFirst()) else {
  CurrentProcess.writeError(Arguments.usage)
  CurrentProcess.exit(code: 2)
}
do throws(LinuxError) {
  try ZTunnel.run(arguments)
} catch {
  CurrentProcess.writeError("ztunnel: \(error)")
  CurrentProcess.exit(code: 1)
}
