// The Node methods of a server, for a client node to call: it keeps what was said.
package main

import (
	"sync"
	"time"
)

type nodeRecord struct {
	ID, SecretID, Name, Datacenter, NodeClass, NodePool, HTTPAddr, Status string
	Attributes, Meta                                                      map[string]string
	TLSEnabled                                                            bool
	NodeResources                                                         *struct {
		Cpu struct {
			CpuShares          int64
			TotalCpuCores      uint16
			ReservableCpuCores []uint16
		}
		Memory     struct{ MemoryMB int64 }
		Disk       struct{ DiskMB int64 }
		Networks   []*struct{ Device, CIDR, IP, Mode string }
		Processors struct {
			Topology *struct {
				Nodes []byte
				Cores []struct {
					ID               uint16
					SocketID, NodeID uint8
					Grade            bool
					BaseSpeed        uint64
				}
			}
		}
	}
	ReservedResources *struct {
		Cpu      struct{ CpuShares int64 }
		Networks struct{ ReservedHostPorts string }
	}
}

// NodeArgs is what the requests of a client node have in common.
type NodeArgs struct {
	Node                                *nodeRecord
	NodeID, SecretID, AuthToken, Status string
	Region                              string
	AllowStale                          bool
	MinQueryIndex                       uint64
}

type nodeServerInfo struct{ RPCAdvertiseAddr, Datacenter string }

// NodeReply is a server's answer to what a node says of itself.
type NodeReply struct {
	HeartbeatTTL          time.Duration
	Index                 uint64
	NumNodes              int32
	SchedulingEligibility string
	Servers               []*nodeServerInfo
}

// AllocsReply tells a node what it should run.
type AllocsReply struct {
	Allocs map[string]uint64
	Index  uint64
}

// Node keeps what it heard.
type Node struct {
	mutex    sync.Mutex
	record   *nodeRecord
	statuses []string
	polls    []uint64
	token    string
}

var node = &Node{}

func (n *Node) reply() NodeReply {
	return NodeReply{HeartbeatTTL: time.Second, NumNodes: 1, SchedulingEligibility: "eligible"}
}

func (n *Node) Register(args NodeArgs, reply *NodeReply) error {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	n.record, *reply = args.Node, n.reply()
	return nil
}

func (n *Node) UpdateStatus(args NodeArgs, reply *NodeReply) error {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	n.statuses, n.token = append(n.statuses, args.Status), args.AuthToken
	*reply = n.reply()
	return nil
}

func (n *Node) GetClientAllocs(args NodeArgs, reply *AllocsReply) error {
	n.mutex.Lock()
	n.polls = append(n.polls, args.MinQueryIndex)
	n.mutex.Unlock()
	if args.MinQueryIndex > 0 {
		time.Sleep(time.Minute)
	}
	*reply = AllocsReply{Allocs: map[string]uint64{}, Index: 7}
	return nil
}

func (n *Node) tell() {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	proved := n.record != nil && n.record.SecretID != "" && n.record.SecretID == n.token
	if n.record != nil {
		record := *n.record
		record.SecretID = ""
		say(map[string]any{"node": record, "statuses": n.statuses, "polls": n.polls, "proved": proved})
		return
	}
	say(map[string]any{"node": nil})
}
