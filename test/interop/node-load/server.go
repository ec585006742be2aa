package main

import (
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/rpc"
	"sync"
	"time"

	msgpackrpc "github.com/hashicorp/net-rpc-msgpackrpc/v2"
	"github.com/hashicorp/yamux"
)

// Nomad's defaults.
const (
	ttlMin           = 10 * time.Second
	ttlGrace         = 10 * time.Second
	heartbeatsASec   = 50.0
	pollMax          = 5 * time.Minute
	pollJitterPart   = 16
	allocsIndex      = 1
	advertisedServer = "127.0.0.1:4647"
)

// Node is the service that clients call: it keeps who they are and a timer for each.
type Node struct {
	mutex  sync.Mutex
	nodes  map[string]*nodeRecord
	timers map[string]*time.Timer
}

func newNode() *Node {
	return &Node{nodes: map[string]*nodeRecord{}, timers: map[string]*time.Timer{}}
}

func (n *Node) Register(args NodeArgs, reply *NodeReply) error {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if args.Node == nil || args.Node.ID == "" {
		return errors.New("missing node for client registration")
	}
	known := n.nodes[args.Node.ID]
	if known != nil && known.SecretID != args.Node.SecretID {
		return errors.New("node secret ID does not match. Not registering node.")
	}
	n.nodes[args.Node.ID] = args.Node
	*reply = n.heard(args.Node.ID)
	return nil
}

func (n *Node) UpdateStatus(args NodeArgs, reply *NodeReply) error {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	known := n.nodes[args.NodeID]
	if known == nil {
		return errors.New("node not found")
	}
	if known.SecretID != args.AuthToken {
		return errors.New("Permission denied")
	}
	known.Status = args.Status
	*reply = n.heard(args.NodeID)
	return nil
}

func (n *Node) GetClientAllocs(args NodeArgs, reply *AllocsReply) error {
	if args.MinQueryIndex >= allocsIndex {
		time.Sleep(pollMax + rand.N(pollMax/pollJitterPart))
	}
	*reply = AllocsReply{Allocs: map[string]uint64{}, Index: allocsIndex}
	return nil
}

func (n *Node) heard(id string) NodeReply {
	least := max(ttlMin, time.Duration(float64(len(n.timers))/heartbeatsASec*float64(time.Second)))
	ttl := least + rand.N(least)
	if timer := n.timers[id]; timer != nil {
		timer.Reset(ttl + ttlGrace)
	} else {
		n.timers[id] = time.AfterFunc(ttl+ttlGrace, func() { n.missed(id) })
	}
	server := &nodeServerInfo{RPCAdvertiseAddr: advertisedServer, Datacenter: "dc1"}
	return NodeReply{
		HeartbeatTTL: ttl, Index: 1, NumNodes: int32(len(n.nodes)), Servers: []*nodeServerInfo{server},
	}
}

func (n *Node) missed(id string) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	delete(n.timers, id)
	if known := n.nodes[id]; known != nil {
		known.Status = "down"
	}
}

func listen(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := rpc.NewServer()
	if err := server.Register(newNode()); err != nil {
		return err
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serveConn(conn, server)
		}
	}()
	return nil
}

// serveConn takes what clients send: 04, TLS, and 06 inside of it.
func serveConn(plain net.Conn, server *rpc.Server) {
	first := []byte{0}
	if _, err := io.ReadFull(plain, first); err != nil || first[0] != modeTLS {
		plain.Close()
		return
	}
	conn := tls.Server(plain, identity)
	if _, err := io.ReadFull(conn, first); err != nil || first[0] != modeMultiplex {
		conn.Close()
		return
	}
	session, err := yamux.Server(conn, muxConfig())
	if err != nil {
		conn.Close()
		return
	}
	for {
		stream, err := session.Accept()
		if err != nil {
			return
		}
		go serveStream(stream, server)
	}
}

func serveStream(stream net.Conn, server *rpc.Server) {
	defer stream.Close()
	first := []byte{0}
	if _, err := io.ReadFull(stream, first); err != nil || first[0] != modeCalls {
		return
	}
	calls := msgpackrpc.NewCodecFromHandle(true, true, stream, handle)
	for server.ServeRequest(calls) == nil {
	}
}
