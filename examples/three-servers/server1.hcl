# Server 1 of three, on 127.0.0.2. Run ./setup.sh first; it makes the files named below.

name      = "server1"
region    = "global"
bind_addr = "127.0.0.2"

# Where this server keeps its identity and the gossip keyring. Made absolute by run.sh:
# data_dir is given on its command line.

advertise {
  http = "127.0.0.2"
  rpc  = "127.0.0.2"
  serf = "127.0.0.2"
}

server {
  enabled          = true
  bootstrap_expect = 3

  # The gossip key stands in secrets/gossip.hcl, which setup.sh wrote and only you can read.
  server_join {
    retry_join     = ["127.0.0.2", "127.0.0.3", "127.0.0.4"]
    retry_interval = "2s"
  }
}

tls {
  http = true
  rpc  = true

  ca_file   = "secrets/nomad-agent-ca.pem"
  cert_file = "secrets/global-server-nomad.pem"
  key_file  = "secrets/global-server-nomad-key.pem"

  # Every server has to prove server.global.nomad, or it is not dialled.
  verify_server_hostname = true

  # Whoever asks over HTTP has to show a certificate of the same CA.
  verify_https_client = true
}

# Say goodbye on Ctrl-C and on systemd's stop, so that the others see "left", not "failed", and leave the
# Raft group: three voters become two, and both are needed (see README.md beside).
leave_on_interrupt = true
leave_on_terminate = true
