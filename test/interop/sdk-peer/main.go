// An operator's program over Nomad's official Go client: one command a line, or any
// method of the client's as JSON; one line of JSON back.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
	"github.com/hashicorp/nomad/api/contexts"
)

const patience = 10 * time.Second

type peer struct {
	client *api.Client
	heard  *recorder
	events <-chan *api.Events
	cancel context.CancelFunc
}

func main() {
	config := api.DefaultConfig()
	config.Address = os.Args[1]
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{}
	config.HttpClient = &http.Client{Transport: transport}
	if err := api.ConfigureTLS(config.HttpClient, config.TLSConfig); err != nil {
		panic(err)
	}
	heard := &recorder{next: transport}
	config.HttpClient.Transport = heard
	client, err := api.NewClient(config)
	if err != nil {
		panic(err)
	}
	one := &peer{client: client, heard: heard}
	say(map[string]any{"ready": true})
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		answer, err := one.answer(lines.Text())
		if err != nil {
			answer = map[string]any{"error": err.Error()}
		}
		say(answer)
	}
}

func say(value any) {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(text))
}

func (p *peer) answer(line string) (any, error) {
	if strings.HasPrefix(line, "{") {
		return p.call(line)
	}
	words := strings.Fields(line)
	return p.run(words[0], words[1:])
}

func (p *peer) run(command string, words []string) (any, error) {
	if answer, err, known := p.acl(command, words); known {
		return answer, err
	}
	switch command {
	case "subscribe":
		return p.subscribe(words)
	case "next":
		return p.next()
	case "search":
		found, meta, err := p.client.Search().PrefixSearch(words[0], contexts.Context(words[1]), nil)
		return map[string]any{"found": found, "meta": meta}, err
	case "fuzzy":
		found, _, err := p.client.Search().FuzzySearch(words[0], contexts.Context(words[1]), nil)
		return map[string]any{"found": found}, err
	case "namespaces":
		found, meta, err := p.client.Namespaces().List(nil)
		return map[string]any{"found": found, "meta": meta}, err
	case "namespace":
		found, _, err := p.client.Namespaces().Info(words[0], nil)
		return map[string]any{"found": found}, err
	case "register-namespace":
		var one api.Namespace
		if err := json.Unmarshal([]byte(strings.Join(words, " ")), &one); err != nil {
			return nil, err
		}
		meta, err := p.client.Namespaces().Register(&one, nil)
		return map[string]any{"meta": meta}, err
	case "delete-namespace":
		meta, err := p.client.Namespaces().Delete(words[0], nil)
		return map[string]any{"meta": meta}, err
	case "drain":
		spec := &api.DrainSpec{Deadline: time.Hour}
		done, err := p.client.Nodes().UpdateDrain(words[0], spec, false, nil)
		return map[string]any{"drained": done}, err
	case "purge":
		done, _, err := p.client.Nodes().Purge(words[0], nil)
		return map[string]any{"purged": done}, err
	}
	return nil, fmt.Errorf("unknown command %s", command)
}

// An index, then topics with a key each.
func (p *peer) subscribe(words []string) (any, error) {
	if p.cancel != nil {
		p.cancel()
	}
	index, err := strconv.ParseUint(words[0], 10, 64)
	if err != nil {
		return nil, err
	}
	topics := map[api.Topic][]string{}
	for _, word := range words[1:] {
		topic, key, _ := strings.Cut(word, ":")
		topics[api.Topic(topic)] = append(topics[api.Topic(topic)], key)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	p.events, err = p.client.EventStream().Stream(ctx, topics, index, &api.QueryOptions{})
	return map[string]any{"subscribed": true}, err
}

// What comes next, as the client understands it.
func (p *peer) next() (any, error) {
	select {
	case <-time.After(patience):
		return nil, fmt.Errorf("no event within %s", patience)
	case events, open := <-p.events:
		if !open {
			return nil, fmt.Errorf("the stream is closed")
		}
		if events.Err != nil {
			return nil, events.Err
		}
		return shown(events)
	}
}

func shown(events *api.Events) (any, error) {
	found := []any{}
	for _, event := range events.Events {
		one := map[string]any{
			"topic": event.Topic, "type": event.Type, "key": event.Key,
			"index": event.Index, "filterKeys": event.FilterKeys,
		}
		if event.Topic == api.TopicNode {
			node, err := event.Node()
			if err != nil {
				return nil, err
			}
			one["node"] = node
		} else {
			one["payload"] = event.Payload
		}
		found = append(found, one)
	}
	return map[string]any{"index": events.Index, "events": found}, nil
}
