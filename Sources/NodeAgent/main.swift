print("node-agent")
