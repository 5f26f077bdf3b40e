print("ztunnel")
