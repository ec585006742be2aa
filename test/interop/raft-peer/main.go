// A server of the real hashicorp/raft over TLS, on a port whose first bytes are Nomad's: 04, then
// TLS, then 02. Its state machine counts commands and hashes them, as the tests' own does. Takes
// commands on standard input, one a line, and answers each with one line of JSON.
//
//	bootstrap ID ADDRESS [ID ADDRESS ...]   the first configuration, all voters
//	state                                   role, term, leader, indexes, what was applied
//	apply COUNT [CALLERS]                   so many commands of 256 bytes, 64 callers at once
//	snapshot                                now
//	transfer                                to any other voter
//	voter ID ADDRESS, nonvoter ID ADDRESS, remove ID
//	archive-read PATH, archive-write PATH HEX   a snapshot archive, with that state
//	quit
package main

import (
	"bufio"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	boltdb "github.com/hashicorp/raft-boltdb/v2"
)

type machine struct {
	sync.Mutex
	Count int    `json:"count"`
	Hash  string `json:"hash"`
}

func (m *machine) Apply(entry *raft.Log) any {
	m.Lock()
	defer m.Unlock()
	sum := sha256.Sum256(append([]byte(m.Hash), entry.Data...))
	m.Hash = hex.EncodeToString(sum[:])
	m.Count++
	return nil
}

func (m *machine) Snapshot() (raft.FSMSnapshot, error) {
	m.Lock()
	defer m.Unlock()
	data, err := json.Marshal(m)
	return frozen(data), err
}

func (m *machine) Restore(source io.ReadCloser) error {
	m.Lock()
	defer m.Unlock()
	return json.NewDecoder(source).Decode(m)
}

type frozen []byte

func (f frozen) Persist(sink raft.SnapshotSink) error {
	if _, err := sink.Write(f); err != nil {
		sink.Cancel()
		return err
	}
	return sink.Close()
}
func (f frozen) Release() {}

// layer dials and accepts as Nomad's Raft layer does.
type layer struct {
	net.Listener
	config *tls.Config
	conns  chan net.Conn
}

func (l *layer) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", string(address), timeout)
	if err != nil {
		return nil, err
	}
	conn.Write([]byte{4})
	secured := tls.Client(conn, l.config)
	if err := secured.Handshake(); err != nil {
		conn.Close()
		return nil, err
	}
	_, err = secured.Write([]byte{2})
	return secured, err
}

func (l *layer) Accept() (net.Conn, error) {
	conn, ok := <-l.conns
	if !ok {
		return nil, errors.New("closed")
	}
	return conn, nil
}

func (l *layer) listen() {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			close(l.conns)
			return
		}
		go func() {
			first := []byte{0}
			if _, err := io.ReadFull(conn, first); err != nil || first[0] != 4 {
				conn.Close()
				return
			}
			secured := tls.Server(conn, l.config)
			if _, err := io.ReadFull(secured, first); err != nil || first[0] != 2 {
				conn.Close()
				return
			}
			l.conns <- secured
		}()
	}
}

type logStore interface {
	raft.LogStore
	raft.StableStore
}

func stores(dir string) (logStore, raft.SnapshotStore) {
	if dir == "" {
		return raft.NewInmemStore(), raft.NewInmemSnapshotStore()
	}
	store, err := boltdb.NewBoltStore(filepath.Join(dir, "raft.db"))
	if err != nil {
		panic(err)
	}
	snapshots, err := raft.NewFileSnapshotStore(dir, 2, io.Discard)
	if err != nil {
		panic(err)
	}
	return store, snapshots
}

func say(value any) {
	line, _ := json.Marshal(value)
	fmt.Println(string(line))
}

func done(err error) {
	if err != nil {
		say(map[string]any{"error": err.Error()})
		return
	}
	say(map[string]any{"done": true})
}

// apply has so many callers write one command after the other.
func apply(node *raft.Raft, count, callers int) {
	start := time.Now()
	var next atomic.Int64
	var first error
	var lock sync.Mutex
	var group sync.WaitGroup
	all := make([]time.Duration, 0, count)
	for range callers {
		group.Add(1)
		go func() {
			defer group.Done()
			var took []time.Duration
			var failed error
			for i := next.Add(1); int(i) <= count && failed == nil; i = next.Add(1) {
				data := make([]byte, 256)
				copy(data, fmt.Sprintf("go %d", i))
				begun := time.Now()
				failed = node.Apply(data, 10*time.Second).Error()
				took = append(took, time.Since(begun))
			}
			lock.Lock()
			defer lock.Unlock()
			all = append(all, took...)
			if failed != nil {
				first = failed
			}
		}()
	}
	group.Wait()
	if first != nil {
		done(first)
		return
	}
	slices.Sort(all)
	p99 := float64(all[len(all)*99/100]) / float64(time.Millisecond)
	say(map[string]any{"seconds": time.Since(start).Seconds(), "p99ms": p99})
}

func main() {
	id := flag.String("id", "go", "server id")
	bind := flag.String("bind", "127.0.0.1:4647", "address and port")
	ca := flag.String("ca", "", "PEM file")
	cert := flag.String("cert", "", "PEM file")
	key := flag.String("key", "", "PEM file")
	dir := flag.String("dir", "", "folder of the log and the snapshots; none: in memory")
	trailing := flag.Uint64("trailing", 100, "entries kept behind a snapshot")
	flag.Parse()
	pair, err := tls.LoadX509KeyPair(*cert, *key)
	if err != nil {
		panic(err)
	}
	pem, err := os.ReadFile(*ca)
	if err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	listener, err := net.Listen("tcp", *bind)
	if err != nil {
		panic(err)
	}
	streams := &layer{Listener: listener, conns: make(chan net.Conn), config: &tls.Config{
		Certificates: []tls.Certificate{pair}, RootCAs: pool, ClientCAs: pool,
		ClientAuth: tls.RequireAndVerifyClientCert, ServerName: "server.global.nomad",
	}}
	go streams.listen()

	output := io.Discard
	if os.Getenv("PEER_LOG") != "" {
		output = os.Stderr
	}
	config := raft.DefaultConfig()
	config.LocalID = raft.ServerID(*id)
	config.LogOutput = output
	config.TrailingLogs = *trailing
	config.SnapshotThreshold = 1 << 30 // Only when it is told to.
	transport := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: streams, MaxPool: 3, Timeout: 10 * time.Second, ServerAddressProvider: nil,
		MaxRPCsInFlight: 2,
	})
	fsm := &machine{}
	store, snapshots := stores(*dir)
	node, err := raft.NewRaft(config, fsm, store, store, snapshots, transport)
	if err != nil {
		panic(err)
	}
	say(map[string]any{"ready": true})
	scanner := bufio.NewScanner(os.Stdin)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		words := strings.Fields(scanner.Text())
		if len(words) == 0 {
			continue
		}
		switch words[0] {
		case "bootstrap":
			var servers []raft.Server
			for i := 1; i+1 < len(words); i += 2 {
				servers = append(servers, raft.Server{
					ID: raft.ServerID(words[i]), Address: raft.ServerAddress(words[i+1]),
				})
			}
			done(node.BootstrapCluster(raft.Configuration{Servers: servers}).Error())
		case "state":
			leader, leaderID := node.LeaderWithID()
			fsm.Lock()
			say(map[string]any{
				"role": node.State().String(), "term": node.CurrentTerm(),
				"leader": leader, "leaderId": leaderID, "last": node.LastIndex(),
				"commit": node.CommitIndex(), "count": fsm.Count, "hash": fsm.Hash,
			})
			fsm.Unlock()
		case "apply":
			count, _ := strconv.Atoi(words[1])
			callers := 64
			if len(words) > 2 {
				callers, _ = strconv.Atoi(words[2])
			}
			apply(node, count, callers)
		case "snapshot":
			done(node.Snapshot().Error())
		case "transfer":
			done(node.LeadershipTransfer().Error())
		case "voter":
			done(node.AddVoter(raft.ServerID(words[1]), raft.ServerAddress(words[2]), 0, 5*time.Second).Error())
		case "nonvoter":
			done(node.AddNonvoter(raft.ServerID(words[1]), raft.ServerAddress(words[2]), 0, 5*time.Second).Error())
		case "remove":
			done(node.RemoveServer(raft.ServerID(words[1]), 0, 5*time.Second).Error())
		case "archive-read":
			found, err := readArchive(words[1])
			if err != nil {
				done(err)
				continue
			}
			say(found)
		case "archive-write":
			state, err := hex.DecodeString(words[2])
			if err == nil {
				err = writeArchive(words[1], state)
			}
			done(err)
		case "quit":
			os.Exit(0)
		}
	}
}
