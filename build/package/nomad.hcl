# Nothing runs as long as all of this is commented out. Files in this folder are read in the order
# of their names and merged; keys and certificates belong into it, too (mode 0640, root:nomad).
# Check what you write before you start it:
#
#   nomad config validate /etc/nomad.d

data_dir = "/var/lib/nomad"

# The address of this machine for the others, where it has several.
# bind_addr = "{{ GetInterfaceIP \"eth0\" }}"

# A server. Three make a group that goes on without one of them.
#
# server {
#   enabled          = true
#   bootstrap_expect = 3
#   encrypt          = "PASTE WHAT nomad keygen PRINTS"
#
#   server_join {
#     retry_join = ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
#   }
# }

# Or a client: a node that the servers know.
#
# client {
#   enabled = true
#   servers = ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
# }

# Certificates of your own CA: nomad tls ca create, nomad tls cert create -server (or -client).
#
# tls {
#   http = true
#   rpc  = true
#
#   ca_file   = "/etc/nomad.d/nomad-agent-ca.pem"
#   cert_file = "/etc/nomad.d/global-server-nomad.pem"
#   key_file  = "/etc/nomad.d/global-server-nomad-key.pem"
#
#   verify_server_hostname = true
#   verify_https_client    = true
# }

# The log goes to the journal. Into a file as well, which /etc/logrotate.d/nomad looks after:
#
# log_file = "/var/log/nomad/nomad.log"
