# Everybody has the key: all that is sent is encrypted, and the clear is still taken.
server {
  encrypt_verify_incoming = false
}

tls {
  rpc_upgrade_mode = true
}
