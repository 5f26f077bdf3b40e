"""Makes a tun interface with an address and prints what the pod sends into it: tunnel.py NAME ADDRESS/LENGTH"""
import fcntl, json, os, struct, subprocess, sys

name, address = sys.argv[1:3]
tun = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH", name.encode(), 0x1001))  # TUNSETIFF, IFF_TUN | IFF_NO_PI
subprocess.run(["ip", "link", "set", name, "up"], check=True)
subprocess.run(["ip", "address", "add", address, "dev", name], check=True)
print('{"ready": true}', flush=True)
while True:
    packet = os.read(tun, 65535)
    if packet[0] >> 4 == 4 and packet[9] == 6:
        header = (packet[0] & 15) * 4
        port = struct.unpack("!H", packet[header:header + 2])[0]
        print(json.dumps({"matches": ["tcp from %d" % port], "count": port}), flush=True)
