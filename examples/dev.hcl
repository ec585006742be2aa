# One server for trying things out on this machine, state kept in data_dir.
# Nothing is encrypted here: for that see three-servers/, or run `nomad agent -dev-tls`.
#
#   nomad agent -config=examples/dev.hcl

data_dir  = "/tmp/nomad-example-dev"
bind_addr = "127.0.0.1"

# All agents that should see us run on this machine.
advertise {
  http = "127.0.0.1"
  rpc  = "127.0.0.1"
  serf = "127.0.0.1"
}

server {
  enabled          = true
  bootstrap_expect = 1
}
