// An HTTPS server of net/http and crypto/tls that answers what it has learnt, byte for byte, and a
// caller for it and for others. Takes commands on standard input, one a line, and answers each with
// one line of JSON on standard output.
//
//	learn ADDRESS PATH                     answers PATH from now on as ADDRESS does
//	load ADDRESS PATH CONNECTIONS COUNT    so many requests over so many connections at once
//	wait ADDRESS PATH QUERIES STREAMS      opens blocking queries on PATH, and event streams
//	woken                                  when the last of them heard of something; they hang up
//	stats                                  CPU of this process
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

type answer struct {
	header http.Header
	body   []byte
}

var (
	answers sync.Map
	client  *tls.Config
	woken   = make(chan time.Time, 100_000)
	waiting []*line
)

func main() {
	ca := flag.String("ca", "", "")
	cert := flag.String("cert", "", "")
	key := flag.String("key", "", "")
	bind := flag.String("bind", "", "")
	flag.Parse()
	pair, err := tls.LoadX509KeyPair(*cert, *key)
	check(err)
	pem, err := os.ReadFile(*ca)
	check(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	client = &tls.Config{RootCAs: pool, ServerName: "server.global.nomad"}
	if *bind != "" {
		go serve(*bind, &tls.Config{Certificates: []tls.Certificate{pair}})
	}
	fmt.Println(`{"ready":true}`)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		result, err := run(words[0], words[1:])
		if err != nil {
			result = map[string]any{"error": err.Error()}
		}
		text, _ := json.Marshal(result)
		fmt.Println(string(text))
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func serve(bind string, config *tls.Config) {
	server := &http.Server{Addr: bind, TLSConfig: config, Handler: http.HandlerFunc(handle)}
	check(server.ListenAndServeTLS("", ""))
}

func handle(w http.ResponseWriter, r *http.Request) {
	found, ok := answers.Load(r.URL.Path)
	if !ok {
		http.NotFound(w, r)
		return
	}
	known := found.(*answer)
	for name, values := range known.header {
		w.Header()[name] = values
	}
	_, _ = w.Write(known.body)
}

func run(command string, args []string) (map[string]any, error) {
	number := func(i int) int {
		n, _ := strconv.Atoi(args[i])
		return n
	}
	switch command {
	case "learn":
		return learn(args[0], args[1])
	case "load":
		return load(args[0], args[1], number(2), number(3))
	case "wait":
		return wait(args[0], args[1], number(2), number(3))
	case "woken":
		return last()
	case "stats":
		return map[string]any{"cpuMs": cpuMs()}, nil
	}
	return nil, fmt.Errorf("unknown command %s", command)
}

func cpuMs() float64 {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	ms := func(t syscall.Timeval) float64 { return float64(t.Sec)*1000 + float64(t.Usec)/1000 }
	return ms(usage.Utime) + ms(usage.Stime)
}

// One connection, on which requests go out as they are written here.
type line struct {
	conn    *tls.Conn
	reader  *bufio.Reader
	request []byte
}

func dial(address, path string) (*line, error) {
	conn, err := tls.Dial("tcp", address, client)
	if err != nil {
		return nil, err
	}
	request := []byte("GET " + path + " HTTP/1.1\r\nHost: " + address + "\r\n\r\n")
	return &line{conn, bufio.NewReaderSize(conn, 64*1024), request}, nil
}

func (l *line) ask() (*http.Response, error) {
	if _, err := l.conn.Write(l.request); err != nil {
		return nil, err
	}
	return http.ReadResponse(l.reader, nil)
}

func (l *line) get() (*answer, error) {
	response, err := l.ask()
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != 200 {
		err = fmt.Errorf("%s: %s", response.Status, body)
	}
	return &answer{response.Header, body}, err
}

func learn(address, path string) (map[string]any, error) {
	l, err := dial(address, path)
	if err != nil {
		return nil, err
	}
	defer l.conn.Close()
	found, err := l.get()
	if err != nil {
		return nil, err
	}
	found.header.Del("Date")
	answers.Store(strings.SplitN(path, "?", 2)[0], found)
	return map[string]any{"bytes": len(found.body), "index": found.header.Get("X-Nomad-Index")}, nil
}

func load(address, path string, connections, count int) (map[string]any, error) {
	lines := make([]*line, connections)
	for i := range lines {
		l, err := dial(address, path)
		if err != nil {
			return nil, err
		}
		defer l.conn.Close()
		lines[i] = l
	}
	var left atomic.Int64
	left.Store(int64(count))
	times := make([][]time.Duration, connections)
	errs := make(chan error, connections)
	begun := time.Now()
	for i, l := range lines {
		go func() {
			for left.Add(-1) >= 0 {
				at := time.Now()
				response, err := l.ask()
				if err == nil {
					_, err = io.Copy(io.Discard, response.Body)
				}
				if err != nil {
					errs <- err
					return
				}
				times[i] = append(times[i], time.Since(at))
			}
			errs <- nil
		}()
	}
	for range lines {
		if err := <-errs; err != nil {
			return nil, err
		}
	}
	seconds := time.Since(begun).Seconds()
	all := slices.Concat(times...)
	slices.Sort(all)
	p99 := all[len(all)*99/100]
	return map[string]any{"count": len(all), "seconds": seconds, "p99us": p99.Microseconds()}, nil
}

// All that is asked is with the server when it returns.
func wait(address, path string, queries, streams int) (map[string]any, error) {
	for range queries {
		l, err := dial(address, path)
		if err != nil {
			return nil, err
		}
		waiting = append(waiting, l)
		go func() {
			if _, err := l.get(); err == nil {
				woken <- time.Now()
			}
		}()
	}
	for range streams {
		l, err := dial(address, "/v1/event/stream")
		if err != nil {
			return nil, err
		}
		response, err := l.ask()
		if err != nil {
			return nil, err
		}
		waiting = append(waiting, l)
		go listen(response.Body)
	}
	return map[string]any{"open": len(waiting)}, nil
}

// Until the first event; a sign of life is none.
func listen(body io.Reader) {
	lines := bufio.NewReader(body)
	for {
		text, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		if len(text) > 4 {
			woken <- time.Now()
			_, _ = io.Copy(io.Discard, lines)
			return
		}
	}
}

func last() (map[string]any, error) {
	var latest time.Time
	for i := range waiting {
		select {
		case at := <-woken:
			latest = at
		case <-time.After(15 * time.Second):
			return nil, fmt.Errorf("%d of %d were woken", i, len(waiting))
		}
	}
	for _, l := range waiting {
		_ = l.conn.Close()
	}
	waiting = nil
	return map[string]any{"atMs": float64(latest.UnixMicro()) / 1000}, nil
}
