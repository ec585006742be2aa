// A real memberlist node for the tests: takes commands on standard input, one a line, and answers
// each with one line of JSON on standard output.
//
//	members           every node that it knows, in any state it shows
//	join ADDRESS      push/pull with ADDRESS
//	leave             say goodbye, then stop gossiping
//	stats             user messages received, log lines (refusals), CPU and memory so far
//	quit              end without a word
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"
	"github.com/hashicorp/memberlist"
)

// delegate makes the node look like a Nomad server: its meta carries Serf tags.
type delegate struct {
	meta     []byte
	received atomic.Int64
}

func (d *delegate) NodeMeta(limit int) []byte                  { return d.meta }
func (d *delegate) NotifyMsg([]byte)                           { d.received.Add(1) }
func (d *delegate) GetBroadcasts(overhead, limit int) [][]byte { return nil }
func (d *delegate) LocalState(join bool) []byte                { return nil }
func (d *delegate) MergeRemoteState(buf []byte, join bool)     {}

// lines counts what memberlist logs: one line a packet that it refuses.
type lines struct{ count atomic.Int64 }

func (l *lines) Write(text []byte) (int, error) {
	l.count.Add(1)
	return len(text), nil
}

func serfMeta(tags map[string]string) []byte {
	body := []byte{}
	if err := codec.NewEncoderBytes(&body, &codec.MsgpackHandle{}).Encode(tags); err != nil {
		panic(err)
	}
	return append([]byte{255}, body...)
}

func say(value any) {
	line, _ := json.Marshal(value)
	fmt.Println(string(line))
}

func fail(err error) {
	say(map[string]any{"error": err.Error()})
}

func main() {
	name := flag.String("name", "go.global", "node name")
	bind := flag.String("bind", "127.0.0.1", "address")
	port := flag.Int("port", 4648, "gossip port")
	key := flag.String("key", "", "base64 gossip key")
	label := flag.String("label", "", "gossip label")
	incoming := flag.Bool("verify-incoming", true, "refuse what is not sealed")
	region := flag.String("region", "go", "region tag: ours would not share a region with it")
	outgoing := flag.Bool("verify-outgoing", true, "seal what goes out")
	flag.Parse()

	config := memberlist.DefaultLANConfig()
	config.Name = *name
	config.BindAddr = *bind
	config.BindPort = *port
	config.AdvertiseAddr = *bind
	config.AdvertisePort = *port
	config.Label = *label
	config.GossipVerifyIncoming = *incoming
	config.GossipVerifyOutgoing = *outgoing
	config.DelegateProtocolMin = 2
	config.DelegateProtocolMax = 5
	config.DelegateProtocolVersion = 4
	logged := &lines{}
	config.LogOutput = logged
	if os.Getenv("PEER_LOG") != "" {
		config.LogOutput = os.Stderr
	}
	counted := &delegate{meta: serfMeta(map[string]string{
		"role": "nomad", "region": *region, "dc": "dc1", "build": "2.0.5", "vsn": "1",
		"raft_vsn": "3", "id": "00000000-0000-0000-0000-00000000feed",
		"rpc_addr": *bind, "port": "4647",
	})}
	config.Delegate = counted
	if *key != "" {
		secret, err := base64.StdEncoding.DecodeString(*key)
		if err != nil {
			panic(err)
		}
		config.SecretKey = secret
	}
	list, err := memberlist.Create(config)
	if err != nil {
		fail(err)
		os.Exit(1)
	}
	say(map[string]any{"ready": true})
	scanner := bufio.NewScanner(os.Stdin)
	for scanner.Scan() {
		words := strings.Fields(scanner.Text())
		if len(words) == 0 {
			continue
		}
		switch words[0] {
		case "members":
			nodes := map[string]string{}
			for _, node := range list.Members() {
				nodes[node.Name] = []string{"alive", "suspect", "dead", "left"}[node.State]
			}
			say(map[string]any{"members": nodes})
		case "join":
			joined, err := list.Join(words[1:])
			if err != nil {
				fail(err)
			} else {
				say(map[string]any{"joined": joined})
			}
		case "leave":
			if err := list.Leave(5 * time.Second); err != nil {
				fail(err)
				continue
			}
			if err := list.Shutdown(); err != nil {
				fail(err)
				continue
			}
			say(map[string]any{"left": true})
		case "stats":
			var usage syscall.Rusage
			if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
				fail(err)
				continue
			}
			cpu := time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
			say(map[string]any{
				"received": counted.received.Load(), "logged": logged.count.Load(),
				"cpuMs": cpu.Seconds() * 1000, "peakKb": usage.Maxrss,
			})
		case "quit":
			os.Exit(0)
		}
	}
}
