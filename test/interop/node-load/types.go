package main

import "time"

// nodeRecord is what a client tells of itself; what nobody looks into here is any.
type nodeRecord struct {
	ID, SecretID, Name, Datacenter, NodePool, NodeClass, HTTPAddr, Status string
	Attributes, Meta                                                      map[string]string
	NodeResources                                                         map[string]any
	TLSEnabled                                                            bool
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
	HeartbeatTTL  time.Duration
	Index         uint64
	LeaderRPCAddr string
	NumNodes      int32
	Servers       []*nodeServerInfo
}

// AllocsReply says that it should run nothing.
type AllocsReply struct {
	Allocs map[string]uint64
	Index  uint64
}
