# The key and the certificates are there. Gossip goes out in the clear and is taken both ways; RPC
# takes both, and dials others with TLS where they have it.
server {
  encrypt_verify_incoming = false
  encrypt_verify_outgoing = false
}

tls {
  rpc_upgrade_mode = true
}
