# Client 2 of two, on 127.0.0.6: a node that the servers of ../three-servers know.

name      = "client2"
region    = "global"
bind_addr = "127.0.0.6"

# data_dir is given on the command line of run.sh, which makes it absolute.

client {
  enabled    = true
  servers    = ["127.0.0.2", "127.0.0.3", "127.0.0.4"]
  node_class = "example"
}

tls {
  http = true
  rpc  = true

  ca_file   = "secrets/nomad-agent-ca.pem"
  cert_file = "secrets/global-client-nomad.pem"
  key_file  = "secrets/global-client-nomad-key.pem"

  verify_server_hostname = true
  verify_https_client    = true
}

# Show as down at once on Ctrl-C, and not only when nobody has heard of it for a while.
leave_on_interrupt = true
