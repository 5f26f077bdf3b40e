"""Certificates for peers that are good, bad or strange, made by openssl from the mesh's own authority.

Each kind is made once per mesh and identity, in a directory beside the manifests, never in the authority's.
"""
import hashlib
import os
import ssl
import subprocess
import tempfile

# Seconds of validity aside, each kind differs from a good leaf in one thing.
KINDS = ("good", "expired", "forged", "self-signed", "nameless", "nul", "server-only")


def openssl(*arguments, data=b""):
    done = subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"openssl {' '.join(arguments)}: {done.stderr.decode()}")
    return done.stdout


def der(tag, content):
    size = len(content)
    head = [size] if size < 128 else [0x81, size] if size < 256 else [0x82, size >> 8, size & 255]
    return bytes([tag, *head]) + content


def alternative_name(kind, identity):
    if kind == "nameless":
        return ""
    if kind == "nul":  # a C string that ends early reads the identity before the NUL
        name = der(0x30, der(0x86, identity.encode() + b"\0.evil.example"))
        return "subjectAltName=critical,DER:" + name.hex(":") + "\n"
    return f"subjectAltName=critical,URI:{identity}\n"


def extensions(kind, identity):
    usage = "serverAuth" if kind == "server-only" else "serverAuth,clientAuth"
    return (
        "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
        f"extendedKeyUsage={usage}\n" + alternative_name(kind, identity))


def new_key(path):
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)


def forged_authority(scratch, authority):
    """A root with the name of the mesh's own, and another key."""
    key, certificate = f"{scratch}/forged.key", f"{scratch}/forged.crt"
    name = openssl(
        "x509", "-in", f"{authority}/ca.crt", "-noout", "-subject", "-nameopt", "compat").decode()
    subject = name.split("=", 1)[1].strip()
    new_key(key)
    openssl("req", "-x509", "-new", "-key", key, "-subj", subject, "-days", "2", "-out", certificate)
    return certificate, key


def make(authority, kind, identity):
    """(path of the chain, path of the key) of one leaf; `authority` is the mesh's --ca-dir."""
    word = hashlib.sha256(openssl("x509", "-in", f"{authority}/ca.crt", "-outform", "DER")
                          + f"{kind} {identity}".encode()).hexdigest()[:16]
    store = f"{authority}-peers"
    chain, key = f"{store}/{word}/leaf.crt", f"{store}/{word}/leaf.key"
    if os.path.exists(chain):
        return chain, key
    os.makedirs(store, exist_ok=True)
    scratch = tempfile.mkdtemp(dir=store)
    write_leaf(scratch, authority, kind, identity)
    try:
        os.rename(scratch, f"{store}/{word}")
    except OSError:  # another program made the same one meanwhile
        assert os.path.exists(chain)
    return chain, key


def write_leaf(scratch, authority, kind, identity):
    key, request = f"{scratch}/leaf.key", f"{scratch}/leaf.csr"
    new_key(key)
    openssl("req", "-new", "-key", key, "-subj", "/", "-out", request)
    with open(f"{scratch}/leaf.ext", "w", encoding="utf-8") as file:
        file.write(extensions(kind, identity))
    signer = ["-CA", f"{authority}/ca.crt", "-CAkey", f"{authority}/ca.key"]
    if kind == "forged":
        certificate, signing_key = forged_authority(scratch, authority)
        signer = ["-CA", certificate, "-CAkey", signing_key]
    if kind == "self-signed":
        signer = ["-signkey", key]
    openssl(
        "x509", "-req", "-in", request, *signer, "-set_serial", str(int.from_bytes(os.urandom(15))),
        "-days", "-1" if kind == "expired" else "1", "-extfile", f"{scratch}/leaf.ext",
        "-out", f"{scratch}/leaf.crt")


def facts(leaf):
    """What a certificate says, of its DER: serial number, issuer, and seconds until it ends."""
    text = openssl(
        "x509", "-inform", "DER", "-noout", "-serial", "-issuer", "-enddate", "-ext", "subjectAltName", data=leaf)
    said = dict(line.split("=", 1) for line in text.decode().splitlines() if "=" in line)
    names = [line.strip() for line in text.decode().splitlines() if "URI:" in line]
    return {
        "serial": said["serial"].lower().lstrip("0"), "issuer": said["issuer"], "names": names,
        "notAfter": ssl.cert_time_to_seconds(said["notAfter"])}
