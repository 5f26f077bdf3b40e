#!/usr/bin/env python3
"""A member's TLS for programs that have none: wrap.py CA_DIR HOST PORT

Listens on 127.0.0.1:PORT, and carries each connection as it is to HOST's port 15008, in TLS with a certificate of the
mesh. What h2load says in the clear, its own HTTP/2, arrives inside.
"""
import asyncio
import sys

import certificates
import tunnel

CLIENT = "spiffe://cluster.local/ns/shop/sa/client"


async def copy(reader, writer):
    try:
        while piece := await reader.read(1 << 16):
            writer.write(piece)
            await writer.drain()
    except OSError:
        pass  # the other direction ends the same way
    finally:
        writer.close()


async def main(authority, host, port):
    context = tunnel.context(False, *certificates.make(authority, "good", CLIENT))

    async def carry(reader, writer):
        try:
            far_reader, far_writer = await asyncio.open_connection(host, 15008, ssl=context)
        except OSError:
            writer.close()
            return
        await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))

    server = await asyncio.start_server(carry, "127.0.0.1", int(port), backlog=1024)
    print("ready", flush=True)
    await server.serve_forever()


asyncio.run(main(*sys.argv[1:]))
