import Linux

CurrentProcess.exit(code: Plugin.run())
