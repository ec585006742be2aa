// A quiet cluster of memberlist nodes in one process on loopback: after everybody knows everybody,
// counts the bytes that they send in some seconds and prints bytes a node a second, as JSON.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

var sentBytes, sentPackets atomic.Int64

// counting is the usual transport with a counter on what goes out by UDP.
type counting struct{ *memberlist.NetTransport }

func (c *counting) WriteTo(bytes []byte, address string) (time.Time, error) {
	sentBytes.Add(int64(len(bytes)))
	sentPackets.Add(1)
	return c.NetTransport.WriteTo(bytes, address)
}

func (c *counting) WriteToAddress(bytes []byte, to memberlist.Address) (time.Time, error) {
	sentBytes.Add(int64(len(bytes)))
	sentPackets.Add(1)
	return c.NetTransport.WriteToAddress(bytes, to)
}

func (c *counting) DialAddressTimeout(to memberlist.Address, timeout time.Duration) (net.Conn, error) {
	return c.NetTransport.DialAddressTimeout(to, timeout)
}

func main() {
	nodes := flag.Int("nodes", 100, "nodes")
	seconds := flag.Int("seconds", 20, "seconds to measure")
	flag.Parse()
	lists := []*memberlist.Memberlist{}
	for i := 0; i < *nodes; i++ {
		bind := fmt.Sprintf("127.0.97.%d", i+1)
		config := memberlist.DefaultLANConfig()
		config.Name = fmt.Sprintf("n%d", i)
		config.BindAddr, config.AdvertiseAddr = bind, bind
		config.BindPort, config.AdvertisePort = 4648, 4648
		config.SecretKey = make([]byte, 16)
		config.LogOutput = io.Discard
		transport, err := memberlist.NewNetTransport(&memberlist.NetTransportConfig{
			BindAddrs: []string{bind}, BindPort: 4648, Logger: nil,
		})
		if err != nil {
			panic(err)
		}
		config.Transport = &counting{transport}
		list, err := memberlist.Create(config)
		if err != nil {
			panic(err)
		}
		lists = append(lists, list)
		if i > 0 {
			if _, err := list.Join([]string{"127.0.97.1:4648"}); err != nil {
				panic(err)
			}
		}
	}
	for {
		full := 0
		for _, list := range lists {
			if list.NumMembers() == *nodes {
				full++
			}
		}
		if full == *nodes {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	time.Sleep(10 * time.Second) // The last broadcasts of the joins run out.
	bytes, packets := sentBytes.Load(), sentPackets.Load()
	time.Sleep(time.Duration(*seconds) * time.Second)
	per := float64(*nodes * *seconds)
	line, _ := json.Marshal(map[string]float64{
		"bytes":   float64(sentBytes.Load()-bytes) / per,
		"packets": float64(sentPackets.Load()-packets) / per,
	})
	fmt.Println(string(line))
}
