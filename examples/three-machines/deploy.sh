#!/bin/sh
# Three machines with Debian's package, from one that is root on them by ssh. Run it once, where the
# package, server.hcl and nomad are; keep the CA's key that it leaves here.
set -eu
nomad tls ca create
key=$(nomad keygen)
for ip in 10.0.0.1 10.0.0.2 10.0.0.3; do
  nomad tls cert create -server -additional-ipaddress=$ip
  mkdir $ip && mv global-server-nomad*.pem $ip && cp nomad-agent-ca.pem $ip
  sed "s|KEY|$key|" server.hcl > $ip/server.hcl
  scp nomad-encrypted-agent_*_amd64.deb $ip/* root@$ip:/tmp/
  ssh root@$ip 'cd /tmp && apt-get install -y ./nomad-encrypted-agent_*.deb && chgrp nomad *.pem server.hcl &&
    chmod 0640 *.pem server.hcl && mv *.pem server.hcl /etc/nomad.d/ && systemctl enable --now nomad'
done
