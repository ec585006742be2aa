tls {
  rpc = true

  ca_file   = "secrets/nomad-agent-ca.pem"
  cert_file = "secrets/global-server-nomad.pem"
  key_file  = "secrets/global-server-nomad-key.pem"

  verify_server_hostname = true
}
