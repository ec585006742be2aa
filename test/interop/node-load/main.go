// Client nodes by the thousand, each with a TLS session of its own over the real crypto/tls, yamux and
// net-rpc: registered, heard in the time that they are given, and with a long poll, as a client has.
// With -serve it is the server instead: a small honest one of the same modules, to compare with.
// Takes commands on standard input, one a line, and answers each with one line of JSON.
//
//	grow COUNT     so many clients more begin
//	storm          all of them say at once that they live, again and again until it is accepted
//	state          how many are registered, ready, heard since the storm
//	quit
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"
	"github.com/hashicorp/yamux"
)

const (
	modeCalls, modeTLS, modeMultiplex = 1, 4, 6
	region                            = "global"
)

var (
	handle   = &codec.MsgpackHandle{}
	identity *tls.Config
)

func say(value any) {
	line, _ := json.Marshal(value)
	fmt.Println(string(line))
}

func muxConfig() *yamux.Config {
	config := yamux.DefaultConfig()
	config.LogOutput = io.Discard
	return config
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

func main() {
	bind := flag.String("serve", "", "address and port to serve on, instead of being clients")
	servers := flag.String("servers", "", "addresses and ports of servers, by commas")
	polls := flag.Bool("polls", true, "each client has a long poll")
	ca := flag.String("ca", "", "PEM file")
	cert := flag.String("cert", "", "PEM file")
	key := flag.String("key", "", "PEM file")
	flag.Parse()
	handle.RawToString = true
	identity = loadIdentity(*ca, *cert, *key)
	if *bind != "" {
		if err := listen(*bind); err != nil {
			say(map[string]any{"error": err.Error()})
			os.Exit(1)
		}
	}
	all := &load{servers: strings.Split(*servers, ","), polls: *polls}
	say(map[string]any{"ready": true})
	for scanner := bufio.NewScanner(os.Stdin); scanner.Scan(); {
		words := strings.Fields(scanner.Text())
		switch words[0] {
		case "grow":
			count, _ := strconv.Atoi(words[1])
			all.grow(count)
			say(map[string]any{"growing": count})
		case "storm":
			all.storm()
			say(map[string]any{"storming": len(all.clients)})
		case "state":
			last, _ := all.lastError.Load().(string)
			say(map[string]any{
				"registered": all.registered.Load(), "ready": all.ready.Load(),
				"heartbeats": all.heartbeats.Load(), "failures": all.failures.Load(),
				"open": all.open.Load(), "stormed": all.stormed.Load(),
				"stormedAgoMs": float64(time.Now().UnixNano()-all.stormAt.Load()) / 1e6,
				"error":        last,
			})
		case "quit":
			os.Exit(0)
		}
	}
}
