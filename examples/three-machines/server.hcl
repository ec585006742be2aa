# The same on each of three servers: /etc/nomad.d/server.hcl. deploy.sh puts the key in.

data_dir = "/var/lib/nomad"

server {
  enabled          = true
  bootstrap_expect = 3
  encrypt          = "KEY"

  server_join {
    retry_join = ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
  }
}

tls {
  http = true
  rpc  = true

  ca_file   = "/etc/nomad.d/nomad-agent-ca.pem"
  cert_file = "/etc/nomad.d/global-server-nomad.pem"
  key_file  = "/etc/nomad.d/global-server-nomad-key.pem"

  verify_server_hostname = true
  verify_https_client    = true
}
