# The server of region "global", on 127.0.0.2. Run ./setup.sh first.

name      = "global-server"
region    = "global"
bind_addr = "127.0.0.2"

server {
  enabled          = true
  bootstrap_expect = 1 # Three on real machines.

  # Gossip is one pool of all regions: one server that is reached is enough.
  server_join {
    retry_join     = ["127.0.0.2", "127.0.0.3"]
    retry_interval = "2s"
  }
}

tls {
  http = true
  rpc  = true

  # One CA for all regions; each server proves its own: server.global.nomad.
  ca_file   = "secrets/nomad-agent-ca.pem"
  cert_file = "secrets/global-server-nomad.pem"
  key_file  = "secrets/global-server-nomad-key.pem"

  verify_server_hostname = true
  verify_https_client    = true
}
