/** `nomad systemd unit`: the unit of the packages, for a binary that was put in place by hand. */
import { isAbsolute } from "node:path";
import { CommandError, print } from "./output.ts";

interface UnitFlags {
  readonly binary?: string;
}

/** @throws CommandError for a path that systemd would not take */
export function printUnit({ binary = process.execPath }: UnitFlags): void {
  if (!isAbsolute(binary) || /[\s"'\\%$]/.test(binary)) {
    throw new CommandError(
      `-binary must be an absolute path of plain characters, found '${binary}'`,
    );
  }
  print(unitText(binary).trimEnd());
}

/** The one text of the unit: packages and examples have it, too. @param binary absolute */
export function unitText(binary: string): string {
  return `# An agent that is run by a user of its own. Once, as root:
#   useradd --system --home-dir /var/lib/nomad --shell /usr/sbin/nologin nomad
#   install -d -o root -g nomad -m 0750 /etc/nomad.d
#   systemctl enable --now nomad
# The gossip key and the TLS keys in /etc/nomad.d should have mode 0640 and belong to root:nomad.

[Unit]
Description=Nomad-compatible encrypted agent
Wants=network-online.target
After=network-online.target
ConditionDirectoryNotEmpty=/etc/nomad.d

[Service]
# The agent says when it is up, while it reloads, and when it begins to end.
Type=notify
User=nomad
Group=nomad
ExecStart=${binary} agent -config=/etc/nomad.d -data-dir=/var/lib/nomad
ExecReload=/bin/kill -HUP $MAINPID
# With leave_on_interrupt the agent says goodbye before it ends.
KillSignal=SIGINT
TimeoutStopSec=40
Restart=on-failure
RestartSec=2
LimitNOFILE=65536

StateDirectory=nomad
StateDirectoryMode=0700
LogsDirectory=nomad
LogsDirectoryMode=0750
UMask=0077

NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
DevicePolicy=closed
PrivateDevices=yes
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RemoveIPC=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
# Not MemoryDenyWriteExecute=yes: it turns the JavaScript compiler off without a word, and the
# agent runs an order of magnitude slower. Not ProcSubset=pid: it hides what the agent tells of the
# machine. BUN_OPTIONS and the like would change what the binary does, as LD_PRELOAD would.
UnsetEnvironment=BUN_OPTIONS BUN_BE_BUN BUN_INSPECT LD_PRELOAD LD_LIBRARY_PATH

[Install]
WantedBy=multi-user.target
`;
}
