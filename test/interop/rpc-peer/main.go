// A server port made of the real modules: HashiCorp's yamux and net-rpc-msgpackrpc, and crypto/tls.
// It serves as a Nomad server does (one byte chooses the protocol) and dials as one. Takes commands
// on standard input, one a line, and answers each with one line of JSON on standard output.
//
//	dial ADDRESS [NAME]        a new yamux session (04 and TLS if there are certificates, then 06)
//	call METHOD [JSON]         one call on a stream of its own; JSON is merged into the body
//	pings COUNT CALLERS        COUNT Status.Ping calls by CALLERS at once, each on its own stream
//	bulk MEGABYTES KIND        send them through one stream; KIND S: sink, E: echo
//	echo BYTES                 a stream that is echoed, closed by half, and compared
//	open COUNT                 COUNT streams that say nothing
//	ping                       yamux ping
//	goaway                     yamux go-away; the peer may open no more streams
//	accept                     takes one stream that the peer opens, and echoes it
//	reset                      a stream closed here and never there, until yamux resets it
//	handshakes COUNT ADDRESS   full TLS handshakes, one after another
//	handshake ADDRESS SPEC     one handshake as SPEC says; what came of it
//	monitor [JSON]             Agent.Monitor; the first ten payloads
//	send METHOD JSON           one call with this body
//	snapshot-save PATH         Operator.SnapshotSave into a file
//	snapshot-restore PATH      Operator.SnapshotRestore from one
//	node                       what a client node has said to us
//	stats                      CPU and memory of this process
//	quit
package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"
	msgpackrpc "github.com/hashicorp/net-rpc-msgpackrpc/v2"
	"github.com/hashicorp/yamux"
)

var (
	handle   = func() *codec.MsgpackHandle { h := &codec.MsgpackHandle{}; h.RawToString = true; return h }()
	identity *tls.Config
	region   string
	current  *yamux.Session
	output   sync.Mutex
)

type Options struct {
	AllowStale    bool
	AuthToken     string
	Filter        string
	Forwarded     bool
	MaxQueryTime  time.Duration
	MinQueryIndex uint64
	Namespace     string
	NextToken     string
	PerPage       int32
	Prefix        string
	Region        string
	Reverse       bool
	Data          []byte `codec:",omitempty"`
	Text          string `codec:",omitempty"`
}

type Status struct{}

func (Status) Ping(args Options, reply *struct{}) error { return nil }
func (Status) Leader(args Options, reply *string) error { *reply = "127.0.0.9:4647"; return nil }

// Test has what the real servers' methods do to a caller: data, errors, waiting.
type Test struct{ waits atomic.Int64 }

type EchoReply struct {
	Data      []byte
	Forwarded bool
	Region    string
	Text      string
}

func (*Test) Echo(args Options, reply *EchoReply) error {
	*reply = EchoReply{Data: args.Data, Forwarded: args.Forwarded, Region: args.Region, Text: args.Text}
	return nil
}
func (*Test) Fail(args Options, reply *struct{}) error { return errors.New(args.Text) }
func (t *Test) Wait(args Options, reply *EchoReply) error {
	t.waits.Add(1)
	time.Sleep(args.MaxQueryTime)
	*reply = EchoReply{Forwarded: args.Forwarded, Region: args.Region, Text: "waited"}
	return nil
}

func say(value any) {
	line, _ := json.Marshal(value)
	output.Lock()
	defer output.Unlock()
	fmt.Println(string(line))
}

func fail(err error) { say(map[string]any{"error": err.Error()}) }

func muxConfig() *yamux.Config {
	config := yamux.DefaultConfig()
	config.LogOutput = io.Discard
	if os.Getenv("PEER_LOG") != "" {
		config.LogOutput = os.Stderr
	}
	if text := os.Getenv("PEER_STREAM_CLOSE"); text != "" {
		config.StreamCloseTimeout, _ = time.ParseDuration(text)
	}
	if text := os.Getenv("PEER_KEEPALIVE"); text != "" {
		config.KeepAliveInterval, _ = time.ParseDuration(text)
	}
	return config
}

func serve(listener net.Listener, server *rpc.Server) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go serveConn(conn, server, false)
	}
}

func serveConn(conn net.Conn, server *rpc.Server, secured bool) {
	first := []byte{0}
	if _, err := io.ReadFull(conn, first); err != nil {
		conn.Close()
		return
	}
	switch {
	case first[0] == 4 && !secured && identity != nil:
		serveConn(tls.Server(conn, identity), server, true)
	case identity != nil && !secured:
		conn.Close()
	case first[0] == 1:
		serveCalls(conn, server)
	case first[0] == 6 || first[0] == 3:
		session, err := yamux.Server(conn, muxConfig())
		if err != nil {
			conn.Close()
			return
		}
		current = session
		for {
			stream, err := session.Accept()
			if err != nil {
				return
			}
			if first[0] == 3 {
				go serveCalls(stream, server)
			} else {
				go serveStream(stream, server)
			}
		}
	default:
		conn.Close()
	}
}

func serveStream(stream net.Conn, server *rpc.Server) {
	first := []byte{0}
	if _, err := io.ReadFull(stream, first); err != nil {
		stream.Close()
		return
	}
	switch first[0] {
	case 1:
		serveCalls(stream, server)
	case 5:
		serveMonitor(stream)
	case 'S':
		count, _ := io.Copy(io.Discard, stream)
		binary.Write(stream, binary.BigEndian, count)
		stream.Close()
	case 'E':
		io.Copy(stream, stream)
		stream.Close()
	}
}

func serveCalls(conn net.Conn, server *rpc.Server) {
	defer conn.Close()
	serverCodec := msgpackrpc.NewCodecFromHandle(true, true, conn, handle)
	for server.ServeRequest(serverCodec) == nil {
	}
}

type streamHeader struct{ Method string }
type streamAck struct{ Error string }
type frameError struct {
	Code    *int64
	Message string
}
type streamFrame struct {
	Error   *frameError
	Payload []byte
}

func serveMonitor(stream net.Conn) {
	defer stream.Close()
	decoder, encoder := codec.NewDecoder(stream, handle), codec.NewEncoder(stream, handle)
	var header streamHeader
	if decoder.Decode(&header) != nil {
		return
	}
	if header.Method != "Agent.Monitor" {
		encoder.Encode(streamAck{Error: fmt.Sprintf("Unknown rpc method: %q", header.Method)})
		return
	}
	encoder.Encode(streamAck{})
	var request map[string]any
	if decoder.Decode(&request) != nil {
		return
	}
	for i := range 3 {
		text := fmt.Sprintf(`{"Data":"%s","FileEvent":"log"}`, []string{"b25lCg==", "dHdvCg==", "dGhyZWUK"}[i])
		encoder.Encode(streamFrame{Payload: []byte(text)})
	}
}

func connect(address, name string, mode byte) (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return nil, err
	}
	if identity != nil {
		conn.Write([]byte{4})
		config := identity.Clone()
		config.ServerName = name
		secured := tls.Client(conn, config)
		if err := secured.Handshake(); err != nil {
			conn.Close()
			return nil, err
		}
		conn = secured
	}
	_, err = conn.Write([]byte{mode})
	return conn, err
}

func openStream(mode byte) (net.Conn, error) {
	if current == nil {
		return nil, errors.New("no session")
	}
	stream, err := current.Open()
	if err != nil {
		return nil, err
	}
	_, err = stream.Write([]byte{mode})
	return stream, err
}

func call(method, body string) {
	args := Options{Region: region, AllowStale: true}
	if body != "" {
		if err := json.Unmarshal([]byte(body), &args); err != nil {
			fail(err)
			return
		}
	}
	roundTrip(method, args)
}

// roundTrip makes one call on a stream of its own, and says what came back.
func roundTrip(method string, args any) {
	stream, err := openStream(1)
	if err != nil {
		fail(err)
		return
	}
	defer stream.Close()
	var reply any
	client := msgpackrpc.NewCodecFromHandle(true, true, stream, handle)
	if err := msgpackrpc.CallWithCodec(client, method, args, &reply); err != nil {
		fail(err)
		return
	}
	say(map[string]any{"reply": printable(reply)})
}

// printable turns what msgpack gives into what JSON takes.
func printable(value any) any {
	switch value := value.(type) {
	case map[any]any:
		out := map[string]any{}
		for key, one := range value {
			out[fmt.Sprint(key)] = printable(one)
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for key, one := range value {
			out[key] = printable(one)
		}
		return out
	case []any:
		out := []any{}
		for _, one := range value {
			out = append(out, printable(one))
		}
		return out
	case []byte:
		return string(value)
	}
	return value
}

func pings(count, callers int) {
	times := make([][]time.Duration, callers)
	failures := make([]error, callers)
	var group sync.WaitGroup
	start := time.Now()
	for caller := range callers {
		group.Add(1)
		go func() {
			defer group.Done()
			stream, err := openStream(1)
			if err != nil {
				failures[caller] = err
				return
			}
			defer stream.Close()
			client := msgpackrpc.NewCodecFromHandle(true, true, stream, handle)
			args := Options{Region: region, AllowStale: true}
			for range count / callers {
				began := time.Now()
				var reply struct{}
				if err := msgpackrpc.CallWithCodec(client, "Status.Ping", args, &reply); err != nil {
					failures[caller] = err
					return
				}
				times[caller] = append(times[caller], time.Since(began))
			}
		}()
	}
	group.Wait()
	seconds := time.Since(start).Seconds()
	if err := errors.Join(failures...); err != nil {
		fail(err)
		return
	}
	all := slices.Concat(times...)
	slices.Sort(all)
	micros := func(q float64) float64 {
		return float64(all[int(q*float64(len(all)-1))].Nanoseconds()) / 1000
	}
	say(map[string]any{
		"calls": len(all), "seconds": seconds, "p50us": micros(0.5), "p99us": micros(0.99),
	})
}

func bulk(megabytes int, kind byte) {
	stream, err := openStream(kind)
	if err != nil {
		fail(err)
		return
	}
	block := make([]byte, 64*1024)
	start := time.Now()
	done := make(chan error, 1)
	var back int64
	go func() {
		if kind == 'S' {
			done <- binary.Read(stream, binary.BigEndian, &back)
			return
		}
		count, err := io.Copy(io.Discard, stream)
		back = count
		done <- err
	}()
	for range megabytes * 16 {
		if _, err := stream.Write(block); err != nil {
			fail(err)
			return
		}
	}
	stream.Close()
	if err := <-done; err != nil {
		fail(err)
		return
	}
	say(map[string]any{"bytes": back, "seconds": time.Since(start).Seconds()})
}

func echo(count int) {
	stream, err := openStream('E')
	if err != nil {
		fail(err)
		return
	}
	sent := make([]byte, count)
	rand.Read(sent)
	go func() {
		stream.Write(sent)
		stream.Close()
	}()
	back, err := io.ReadAll(stream)
	if err != nil {
		fail(err)
		return
	}
	say(map[string]any{"equal": bytes.Equal(sent, back), "bytes": len(back)})
}

func reset() {
	stream, err := openStream('W')
	if err != nil {
		fail(err)
		return
	}
	stream.Close()
	_, err = io.ReadAll(stream)
	text := ""
	if err != nil {
		text = err.Error()
	}
	say(map[string]any{"ended": text, "streams": current.NumStreams()})
}

func handshakes(count int, address string) {
	start := time.Now()
	for range count {
		conn, err := connect(address, "server."+region+".nomad", 1)
		if err != nil {
			fail(err)
			return
		}
		conn.Close()
	}
	say(map[string]any{"seconds": time.Since(start).Seconds()})
}

// handshake dials as a case of vectors/rpc/tls.json says and tells how far it came.
func handshake(address, text string) {
	var spec struct {
		Cert, Key  string
		First      int // the byte before TLS; -1: none
		Plain      bool
		Min, Max   uint16
		Suites     []uint16
		ServerName string
		Alpn       []string
		Inner      int // the byte inside; -1: none
		Pings      bool
		Method     string // instead of Status.Ping
		Raft       bool   // a RequestPreVote, and its answer
		WaitMs     int
	}
	if err := json.Unmarshal([]byte(text), &spec); err != nil {
		fail(err)
		return
	}
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		fail(err)
		return
	}
	defer conn.Close()
	wait := 5 * time.Second
	if spec.WaitMs > 0 {
		wait = time.Duration(spec.WaitMs) * time.Millisecond
	}
	start := time.Now()
	conn.SetDeadline(start.Add(wait))
	result := map[string]any{"handshake": false, "served": false}
	if spec.First >= 0 {
		conn.Write([]byte{byte(spec.First)})
	}
	if !spec.Plain {
		config := &tls.Config{
			InsecureSkipVerify: true, MinVersion: spec.Min, MaxVersion: spec.Max,
			CipherSuites: spec.Suites, ServerName: spec.ServerName, NextProtos: spec.Alpn,
		}
		if spec.Cert != "" {
			pair, err := tls.LoadX509KeyPair(spec.Cert, spec.Key)
			if err != nil {
				fail(err)
				return
			}
			// As GetClientCertificate, so that it is sent whatever CA the server names.
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				return &pair, nil
			}
		}
		secured := tls.Client(conn, config)
		if err := secured.Handshake(); err != nil {
			result["error"] = err.Error()
			say(result)
			return
		}
		state := secured.ConnectionState()
		result["handshake"] = true
		result["version"] = tls.VersionName(state.Version)
		result["suite"] = tls.CipherSuiteName(state.CipherSuite)
		result["alpn"] = state.NegotiatedProtocol
		conn = secured
	}
	if spec.Inner >= 0 {
		conn.Write([]byte{byte(spec.Inner)})
	}
	if spec.Raft {
		encoder := codec.NewEncoder(conn, handle)
		conn.Write([]byte{4})
		encoder.Encode(map[string]any{"Term": 2, "LastLogIndex": 1, "LastLogTerm": 1, "ProtocolVersion": 3})
		var answer string
		err = codec.NewDecoder(conn, handle).Decode(&answer)
		result["answer"] = answer
	} else if spec.Pings {
		method := spec.Method
		if method == "" {
			method = "Status.Ping"
		}
		client := msgpackrpc.NewCodecFromHandle(true, true, conn, handle)
		var reply struct{}
		err = msgpackrpc.CallWithCodec(client, method, Options{Region: region}, &reply)
	} else {
		_, err = conn.Read(make([]byte, 1))
	}
	if errors.Is(err, syscall.EPIPE) {
		// It has hung up before we wrote: what it said at the end still waits.
		_, err = conn.Read(make([]byte, 1))
	}
	if err == nil {
		result["served"] = true
	} else {
		result["error"] = err.Error()
		var timeout net.Error
		result["seconds"] = time.Since(start).Seconds()
		result["open"] = errors.As(err, &timeout) && timeout.Timeout()
	}
	say(result)
}

func monitor(body string) {
	stream, err := openStream(5)
	if err != nil {
		fail(err)
		return
	}
	defer stream.Close()
	decoder, encoder := codec.NewDecoder(stream, handle), codec.NewEncoder(stream, handle)
	encoder.Encode(streamHeader{Method: "Agent.Monitor"})
	var ack streamAck
	if err := decoder.Decode(&ack); err != nil {
		fail(err)
		return
	}
	if ack.Error != "" {
		fail(errors.New(ack.Error))
		return
	}
	request := map[string]any{"LogLevel": "debug", "Region": region}
	if body != "" {
		if err := json.Unmarshal([]byte(body), &request); err != nil {
			fail(err)
			return
		}
	}
	encoder.Encode(request)
	stream.SetReadDeadline(time.Now().Add(5 * time.Second))
	payloads, problem := []string{}, ""
	for len(payloads) < 10 {
		var frame streamFrame
		if err := decoder.Decode(&frame); err != nil {
			break
		}
		if frame.Error != nil {
			problem = frame.Error.Message
			break
		}
		payloads = append(payloads, string(frame.Payload))
	}
	say(map[string]any{"payloads": payloads, "problem": problem})
}

func loadIdentity(ca, cert, key string) *tls.Config {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		panic(err)
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return &tls.Config{
		Certificates: []tls.Certificate{pair}, RootCAs: pool, ClientCAs: pool,
		ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12,
		SessionTicketsDisabled: true,
	}
}

func stats(test *Test) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		fail(err)
		return
	}
	cpu := time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	streams := -1
	if current != nil && !current.IsClosed() {
		streams = current.NumStreams()
	}
	say(map[string]any{
		"cpuMs": cpu.Seconds() * 1000, "peakKb": usage.Maxrss, "waits": test.waits.Load(),
		"streams": streams,
	})
}

func main() {
	bind := flag.String("bind", "", "address and port to serve on; empty: none")
	ca := flag.String("ca", "", "PEM file; empty: no TLS")
	cert := flag.String("cert", "", "PEM file")
	key := flag.String("key", "", "PEM file")
	flag.StringVar(&region, "region", "global", "whose servers are dialled")
	flag.Parse()
	if *ca != "" {
		identity = loadIdentity(*ca, *cert, *key)
	}
	test := &Test{}
	if *bind != "" {
		server := rpc.NewServer()
		server.Register(&Status{})
		server.Register(test)
		server.Register(node)
		listener, err := net.Listen("tcp", *bind)
		if err != nil {
			fail(err)
			os.Exit(1)
		}
		go serve(listener, server)
	}
	say(map[string]any{"ready": true})
	scanner := bufio.NewScanner(os.Stdin)
	scanner.Buffer(nil, 1024*1024)
	for scanner.Scan() {
		command, rest, _ := strings.Cut(scanner.Text(), " ")
		words := strings.Fields(rest)
		number := func(i int) int { n, _ := strconv.Atoi(words[i]); return n }
		switch command {
		case "dial":
			name := "server." + region + ".nomad"
			if len(words) > 1 {
				name = words[1]
			}
			conn, err := connect(words[0], name, 6)
			if err == nil {
				current, err = yamux.Client(conn, muxConfig())
			}
			if err != nil {
				fail(err)
				continue
			}
			say(map[string]any{"dialled": true})
		case "call":
			method, body, _ := strings.Cut(rest, " ")
			call(method, body)
		case "pings":
			pings(number(0), number(1))
		case "bulk":
			bulk(number(0), words[1][0])
		case "echo":
			echo(number(0))
		case "open":
			failed := ""
			for range number(0) {
				if _, err := current.Open(); err != nil {
					failed = err.Error()
					break
				}
			}
			say(map[string]any{"failed": failed})
		case "ping":
			took, err := current.Ping()
			if err != nil {
				fail(err)
				continue
			}
			say(map[string]any{"us": took.Microseconds()})
		case "goaway":
			if err := current.GoAway(); err != nil {
				fail(err)
				continue
			}
			say(map[string]any{"sent": true})
		case "accept":
			stream, err := current.Accept()
			if err != nil {
				fail(err)
				continue
			}
			count, err := io.Copy(stream, stream)
			stream.Close()
			say(map[string]any{"bytes": count, "id": stream.(*yamux.Stream).StreamID()})
		case "reset":
			reset()
		case "handshakes":
			handshakes(number(0), words[1])
		case "handshake":
			address, spec, _ := strings.Cut(rest, " ")
			handshake(address, spec)
		case "monitor":
			monitor(rest)
		case "send":
			method, body, _ := strings.Cut(rest, " ")
			send(method, body)
		case "snapshot-save":
			snapshotSave(rest)
		case "snapshot-restore":
			snapshotRestore(rest)
		case "node":
			node.tell()
		case "stats":
			stats(test)
		case "quit":
			os.Exit(0)
		}
	}
}
