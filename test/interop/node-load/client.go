package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"net/rpc"
	"strings"
	"sync/atomic"
	"time"

	msgpackrpc "github.com/hashicorp/net-rpc-msgpackrpc/v2"
	"github.com/hashicorp/yamux"
)

const (
	callTimeout = 10 * time.Second
	// A client says that it lives when this part of its time is over, as ours do.
	beatPartMin, beatPartMax = 0.5, 0.8
	retryMin, retryMax       = time.Second, 15 * time.Second
	// Connections of one address, as Nomad's servers allow.
	perAddress = 90
)

// load is all the clients, and what has become of them.
type load struct {
	servers                                       []string
	polls                                         bool
	registered, ready, heartbeats, failures, open atomic.Int64
	// Set by a storm: heartbeats that were accepted since, one a client.
	stormed   atomic.Int64
	stormAt   atomic.Int64
	lastError atomic.Value
	clients   []*client
}

// client is one node: a connection to one server, and a loop of its own.
type client struct {
	of         *load
	name       string
	id, secret string
	local      net.IP
	server     int
	session    *yamux.Session
	calls      rpc.ClientCodec
	stream     net.Conn
	known      bool
	wake       chan struct{}
	storming   atomic.Bool
}

func uuid() string {
	a, b := rand.Uint64(), rand.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>52, b&(1<<48-1))
}

// grow adds clients, so many at once, each with an address that not too many others have.
func (l *load) grow(count int) {
	start := len(l.clients)
	for i := range count {
		number := start + i
		group := number / perAddress
		l.clients = append(l.clients, &client{
			of: l, name: fmt.Sprintf("node-%d", number), id: uuid(), secret: uuid(),
			local:  net.IPv4(127, 1, byte(group>>8), byte(group)+1),
			server: rand.N(len(l.servers)), wake: make(chan struct{}, 1),
		})
	}
	limit := make(chan struct{}, 16)
	go func() {
		for _, one := range l.clients[start:] {
			limit <- struct{}{}
			go one.live(func() { <-limit })
		}
	}()
}

// live goes through what a client does until the program ends.
func (c *client) live(begun func()) {
	retry := retryMin
	for {
		wait, err := c.say()
		if err != nil {
			c.of.failures.Add(1)
			c.of.lastError.Store(c.name + ": " + err.Error())
			// The next server at once, but later and later after a round of all of them, and where
			// this one answers, but cannot do it.
			_, isAnswer := err.(rpc.ServerError)
			if !isAnswer {
				c.server++
			}
			wait = 0
			if isAnswer || c.server%len(c.of.servers) == 0 {
				wait = retry + rand.N(retry)
				retry = min(retry*2, retryMax)
			}
		} else {
			retry = retryMin
		}
		if begun != nil && (err == nil && c.known) {
			begun()
			begun = nil
			if c.of.polls {
				go c.poll(c.session)
			}
		}
		select {
		case <-time.After(wait):
		case <-c.wake:
		}
	}
}

// say registers or says that it lives, and tells how long it may be silent.
func (c *client) say() (time.Duration, error) {
	if err := c.dial(); err != nil {
		return 0, err
	}
	var reply NodeReply
	if !c.known {
		args := NodeArgs{Node: c.record(), Region: region}
		if err := c.call("Node.Register", args, &reply); err != nil {
			return 0, err
		}
		c.known = true
		c.of.registered.Add(1)
		return 0, c.beat(&reply, true)
	}
	err := c.beat(&reply, false)
	part := beatPartMin + rand.Float64()*(beatPartMax-beatPartMin)
	return time.Duration(float64(reply.HeartbeatTTL) * part), err
}

func (c *client) beat(reply *NodeReply, first bool) error {
	storming := c.storming.Load()
	args := NodeArgs{NodeID: c.id, AuthToken: c.secret, Status: "ready", Region: region}
	if err := c.call("Node.UpdateStatus", args, reply); err != nil {
		if strings.Contains(err.Error(), "node not found") {
			c.known = false
		}
		return err
	}
	if first {
		c.of.ready.Add(1)
	}
	c.of.heartbeats.Add(1)
	if storming && c.storming.CompareAndSwap(true, false) {
		c.of.stormed.Add(1)
		c.of.stormAt.Store(time.Now().UnixNano())
	}
	return nil
}

func (c *client) record() *nodeRecord {
	attributes := map[string]string{}
	for i := range 40 {
		attributes[fmt.Sprintf("platform.example.attribute%d", i)] = fmt.Sprintf("value %d", i)
	}
	return &nodeRecord{
		ID: c.id, SecretID: c.secret, Name: c.name, Datacenter: "dc1", NodePool: "default",
		HTTPAddr: c.local.String() + ":4646", Status: "initializing", Attributes: attributes,
		NodeResources: map[string]any{"Cpu": map[string]any{"CpuShares": 4000}}, TLSEnabled: true,
	}
}

func (c *client) dial() error {
	if c.session != nil && !c.session.IsClosed() {
		return nil
	}
	c.drop()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: c.local}, Timeout: callTimeout}
	plain, err := dialer.Dial("tcp", c.of.servers[c.server%len(c.of.servers)])
	if err != nil {
		return err
	}
	plain.Write([]byte{modeTLS})
	config := identity.Clone()
	config.ServerName = "server." + region + ".nomad"
	secured := tls.Client(plain, config)
	within, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	if err := secured.HandshakeContext(within); err != nil {
		plain.Close()
		return err
	}
	secured.Write([]byte{modeMultiplex})
	session, err := yamux.Client(secured, muxConfig())
	if err != nil {
		plain.Close()
		return err
	}
	c.session = session
	c.of.open.Add(1)
	if c.of.polls && c.known {
		go c.poll(session)
	}
	return nil
}

func (c *client) drop() {
	if c.session != nil {
		c.session.Close()
		c.of.open.Add(-1)
	}
	c.session, c.calls, c.stream = nil, nil, nil
}

// call is one on the stream that the client keeps for its calls.
func (c *client) call(method string, args, reply any) error {
	if c.calls == nil {
		stream, err := open(c.session)
		if err != nil {
			c.drop()
			return err
		}
		c.stream, c.calls = stream, msgpackrpc.NewCodecFromHandle(true, true, stream, handle)
	}
	c.stream.SetDeadline(time.Now().Add(callTimeout))
	err := msgpackrpc.CallWithCodec(c.calls, method, args, reply)
	if _, isAnswer := err.(rpc.ServerError); err != nil && !isAnswer {
		c.drop()
	}
	return err
}

func open(session *yamux.Session) (net.Conn, error) {
	stream, err := session.Open()
	if err != nil {
		return nil, err
	}
	_, err = stream.Write([]byte{modeCalls})
	return stream, err
}

// poll asks for what it should run, for as long as the connection lives.
func (c *client) poll(session *yamux.Session) {
	stream, err := open(session)
	if err != nil {
		return
	}
	defer stream.Close()
	calls := msgpackrpc.NewCodecFromHandle(true, true, stream, handle)
	seen := uint64(0)
	for {
		var reply AllocsReply
		args := NodeArgs{
			NodeID: c.id, SecretID: c.secret, AuthToken: c.secret, Region: region,
			AllowStale: seen > 0, MinQueryIndex: seen,
		}
		if err := msgpackrpc.CallWithCodec(calls, "Node.GetClientAllocs", args, &reply); err != nil {
			return
		}
		seen = reply.Index
	}
}

// storm has every client say at once that it lives.
func (l *load) storm() {
	l.stormed.Store(0)
	for _, one := range l.clients {
		one.storming.Store(true)
		select {
		case one.wake <- struct{}{}:
		default:
		}
	}
}
